"""The chart of the gains of a candidate, conversation by conversation."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup
from msgspec import Struct

from .theme import ACCENT, INK, WORSE, Padding, make_titled_axis, render_wide_and_narrow
from .vega import combine_layers, draw_layer, name, number, value


class Bar(Struct, frozen=True):
    """One conversation's gain."""

    gain: float
    anchor: str
    """Id of the page element about this conversation."""


def draw_gains(bars: Sequence[Bar], description: str) -> Markup:
    """Draw a bar for each conversation, the worst first, with a link to it; the dashed line is the mean."""
    if not bars:
        return Markup()
    ordered = sorted(bars, key=lambda bar: bar.gain)
    mean = sum(bar.gain for bar in ordered) / len(ordered)
    rows = [
        {
            "place": place,
            "next": place + (0.8 if len(ordered) <= 240 else 1),
            "gain": bar.gain,
            "href": f"#{bar.anchor}",
        }
        for place, bar in enumerate(ordered)
    ]
    x = number("place", scale={"domain": [-0.5, len(ordered) + 0.3], "nice": False}, axis=None)
    y = number(
        "gain", title="gain", axis=make_titled_axis(labelExpr="datum.value == 0 ? '0' : format(datum.value, '+')")
    )
    colour = {"condition": {"test": "datum.gain < 0", **value(WORSE)}, **value(ACCENT)}
    bar = {"x": x, "x2": {"field": "next"}, "y": y, "y2": {"datum": 0}, "href": name("href"), "color": colour}
    levels = [{"gain": 0.0}, {"gain": mean}]
    zero = {"type": "rule", "color": INK, "strokeWidth": 1}
    dashed = {"type": "rule", "color": INK, "strokeWidth": 1.25, "strokeDash": [5, 4]}
    layers = [
        draw_layer(rows, {"type": "rect"}, bar),
        draw_layer(levels, zero, {"y": y}, {"filter": "datum.gain == 0"}),
        draw_layer(levels, dashed, {"y": y}, {"filter": "datum.gain != 0"}),
    ]
    return render_wide_and_narrow(
        lambda inner: combine_layers(layers, width=inner, height=200), Padding(46, 26, 8, 12), description
    )
