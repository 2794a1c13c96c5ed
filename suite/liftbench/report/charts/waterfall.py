"""The chart of the steps from the plain baseline over prompts and candidates to the humans."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
from markupsafe import Markup

from ..systems import Step
from .theme import ACCENT, INK, MUTED, WORSE, Padding, render_wide_and_narrow


def draw_waterfall(steps: Sequence[Step], floor: float | None, description: str) -> Markup:
    """A bar a step, from the mean that it builds upon to its own.

    A dashed line is the best control.
    """
    if len(steps) < 2:
        return Markup()
    rows = [
        {
            "place": place,
            "name": step.name,
            "from": step.start,
            "to": step.value,
            "label": f"{step.value:.3f}",
            "colour": MUTED if not step.start else ACCENT if step.value >= step.start else WORSE,
        }
        for place, step in enumerate(steps)
    ]
    top = max([step.value for step in steps] + ([floor] if floor is not None else []))
    x = alt.X(
        "to:Q", title=None, scale=alt.Scale(domain=[0, 1.16 * top], nice=False), axis=alt.Axis(tickCount=5, grid=False)
    )
    y = alt.Y("place:O", title=None, axis=alt.Axis(labels=False, ticks=False))
    data = alt.Chart(alt.Data(values=rows))
    layers = [
        data.mark_bar(height=15).encode(x=x, x2="from:Q", y=y, color=alt.Color("colour:N", scale=None)),
        data.mark_text(align="left", dx=5, color=INK, fontSize=12)
        .encode(x=alt.X("end:Q", scale=alt.Scale(domain=[0, 1.16 * top], nice=False)), y=y, text="label:N")
        .transform_calculate(end="max(datum.to, datum.from)"),
        data.mark_text(align="left", color=INK, fontSize=12, dy=-15).encode(x=alt.value(2), y=y, text="name:N"),
    ]
    if floor is not None:
        line = alt.Chart(alt.Data(values=[{"to": floor, "words": "best control"}]))
        layers += [
            line.mark_rule(color=INK, strokeWidth=1.25, strokeDash=[5, 4]).encode(x=x),
            line.mark_text(color=INK, align="right", dx=-4, fontSize=12).encode(x=x, y=alt.value(-9), text="words:N"),
        ]
    drawing = alt.layer(*layers)
    height = 38 * len(steps)
    return render_wide_and_narrow(
        lambda inner: drawing.properties(width=inner, height=height), Padding(8, 24, 20, 24), description
    )
