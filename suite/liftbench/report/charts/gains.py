"""The chart of the gains of a candidate, conversation by conversation."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
from markupsafe import Markup
from msgspec import Struct

from .theme import ACCENT, INK, WORSE, Padding, make_titled_axis, render_wide_and_narrow


class Bar(Struct, frozen=True):
    """One conversation's gain."""

    gain: float
    anchor: str
    """Id of the page's element about this conversation."""


def draw_gains(bars: Sequence[Bar], description: str) -> Markup:
    """One bar a conversation, worst first, each a link to the conversation; a dashed line is their mean."""
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
    x = alt.X("place:Q", scale=alt.Scale(domain=[-0.5, len(ordered) + 0.3], nice=False), axis=None)
    y = alt.Y(
        "gain:Q", title="gain", axis=make_titled_axis(labelExpr="datum.value == 0 ? '0' : format(datum.value, '+')")
    )
    levels = alt.Chart(alt.Data(values=[{"gain": 0.0}, {"gain": mean}]))
    drawing = alt.layer(
        alt.Chart(alt.Data(values=rows))
        .mark_rect()
        .encode(
            x=x,
            x2="next:Q",
            y=y,
            y2=alt.datum(0),
            href="href:N",
            color=alt.condition("datum.gain < 0", alt.value(WORSE), alt.value(ACCENT)),
        ),
        levels.transform_filter("datum.gain == 0").mark_rule(color=INK, strokeWidth=1).encode(y=y),
        levels.transform_filter("datum.gain != 0")
        .mark_rule(color=INK, strokeWidth=1.25, strokeDash=[5, 4])
        .encode(y=y),
    )
    return render_wide_and_narrow(
        lambda inner: drawing.properties(width=inner, height=200), Padding(46, 26, 8, 12), description
    )
