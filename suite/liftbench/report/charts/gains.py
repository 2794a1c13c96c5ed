"""The chart of the gains of a candidate, conversation by conversation."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from .theme import ACCENT, INK, WORSE, Padding, make_titled_axis, render_wide_and_narrow
from .vega import combine_layers, draw_layer, number, value


MOST_BARS = 240
"""Of more conversations, as many are drawn, at even distances in the order of the gains."""


def draw_gains(gains: Sequence[float], description: str) -> Markup:
    """Draw a bar for each conversation, the worst first; the dashed line is the mean."""
    if not gains:
        return Markup()
    mean, ordered = sum(gains) / len(gains), sorted(gains)
    if len(ordered) > MOST_BARS:
        ordered = [ordered[round(at * (len(ordered) - 1) / (MOST_BARS - 1))] for at in range(MOST_BARS)]
    rows = [{"place": place, "next": place + 0.8, "gain": gain} for place, gain in enumerate(ordered)]
    x = number("place", scale={"domain": [-0.5, len(ordered) + 0.3], "nice": False}, axis=None)
    y = number(
        "gain", title="gain", axis=make_titled_axis(labelExpr="datum.value == 0 ? '0' : format(datum.value, '+')")
    )
    colour = {"condition": {"test": "datum.gain < 0", **value(WORSE)}, **value(ACCENT)}
    bar = {"x": x, "x2": {"field": "next"}, "y": y, "y2": {"datum": 0}, "color": colour}
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
