"""The chart of the losses of a training."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt
from markupsafe import Markup

from ...records.training import CurvePoint, TrainingSummary
from .theme import ACCENT, INK, MUTED, Padding, make_titled_axis, render_wide_and_narrow


def draw_training_curve(curve: Sequence[CurvePoint], training: TrainingSummary | None, description: str) -> Markup:
    """Training loss (thin) and validation loss (with points) by step; the best checkpoint is ringed."""
    losses = [{"step": point.step, "loss": point.loss} for point in curve if point.loss is not None]
    checked = [
        {"step": point.step, "loss": point.validation_loss} for point in curve if point.validation_loss is not None
    ]
    if not losses and not checked:
        return Markup()
    best = [row for row in checked if training is not None and row["step"] == training.best_step]
    x = alt.X(
        "step:Q",
        title="optimizer step",
        axis=alt.Axis(grid=False, tickMinStep=1, tickCount=8),
        scale=alt.Scale(zero=False),
    )
    y = alt.Y("loss:Q", title="loss per target token", scale=alt.Scale(zero=False), axis=make_titled_axis())
    layers = [
        alt.Chart(alt.Data(values=losses))
        .mark_line(color=MUTED, strokeWidth=1.25, point={"color": MUTED, "size": 12} if len(losses) < 3 else False)
        .encode(x=x, y=y),
        alt.Chart(alt.Data(values=checked))
        .mark_line(color=ACCENT, strokeWidth=2, point={"fill": ACCENT, "color": ACCENT, "size": 34})
        .encode(x=x, y=y),
        alt.Chart(alt.Data(values=best))
        .mark_point(color=INK, size=190, strokeWidth=1.75, opacity=1, filled=False)
        .encode(x=x, y=y),
    ]
    drawing = alt.layer(*layers)
    return render_wide_and_narrow(
        lambda inner: drawing.properties(width=inner, height=220), Padding(46, 26, 14, 42), description
    )
