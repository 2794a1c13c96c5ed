"""The chart of a promoted baseline's versions."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
from markupsafe import Markup
from msgspec import Struct

from .theme import ACCENT, INK, MUTED, Padding, make_titled_axis, render_wide_and_narrow


class Point(Struct, frozen=True):
    """One version of a baseline, or the run that is gated."""

    label: str
    mean: float
    low: float | None
    high: float | None
    gated: bool = False


def draw_trend(points: Sequence[Point], description: str) -> Markup:
    """A mean with its interval for each version, in their order; the run that is gated is ringed."""
    rows = [
        {"place": place, "label": one.label, "mean": one.mean, "low": one.low or one.mean, "high": one.high or one.mean}
        for place, one in enumerate(points)
    ]
    x = alt.X("place:O", title=None, axis=alt.Axis(labels=False, ticks=False, grid=False))
    y = alt.Y("mean:Q", title="mean", scale=alt.Scale(zero=False), axis=make_titled_axis())
    data = alt.Chart(alt.Data(values=rows))
    ringed = alt.Chart(alt.Data(values=[row for row, one in zip(rows, points, strict=True) if one.gated]))
    drawing = alt.layer(
        data.mark_line(color=MUTED, strokeWidth=1.25).encode(x=x, y=y),
        data.mark_rule(color=ACCENT, strokeWidth=5, opacity=0.35).encode(x=x, y="low:Q", y2="high:Q"),
        data.mark_point(color=ACCENT, fill=ACCENT, size=60, opacity=1).encode(x=x, y=y),
        ringed.mark_point(color=INK, size=190, strokeWidth=1.75, opacity=1, filled=False).encode(x=x, y=y),
        data.mark_text(color=INK, fontSize=12, dy=14, baseline="top").encode(x=x, y=alt.value(168), text="label:N"),
    )
    return render_wide_and_narrow(
        lambda inner: drawing.properties(width=inner, height=170), Padding(46, 26, 14, 34), description
    )
