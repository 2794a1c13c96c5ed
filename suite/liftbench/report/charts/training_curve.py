"""The chart of the losses of a training."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from ...records.training import CurvePoint, TrainingSummary
from .theme import ACCENT, INK, MUTED, Padding, make_titled_axis, render_wide_and_narrow
from .vega import combine_layers, draw_layer, number


def draw_training_curve(curve: Sequence[CurvePoint], training: TrainingSummary | None, description: str) -> Markup:
    """Draw training loss (thin) and validation loss (with points) by step; the best checkpoint is ringed."""
    losses = [{"step": point.step, "loss": point.loss} for point in curve if point.loss is not None]
    checked = [
        {"step": point.step, "loss": point.validation_loss} for point in curve if point.validation_loss is not None
    ]
    if not losses and not checked:
        return Markup()
    best = [row for row in checked if training is not None and row["step"] == training.best_step]
    x = number(
        "step",
        title="optimizer step",
        axis={"grid": False, "tickMinStep": 1, "tickCount": 8},
        scale={"zero": False},
    )
    y = number("loss", title="loss per target token", scale={"zero": False}, axis=make_titled_axis())
    dots = {"color": MUTED, "size": 12} if len(losses) < 3 else False
    thin = {"type": "line", "color": MUTED, "strokeWidth": 1.25, "point": dots}
    dotted = {
        "type": "line", "color": ACCENT, "strokeWidth": 2, "point": {"fill": ACCENT, "color": ACCENT, "size": 34},
    }  # fmt: skip
    ring = {"type": "point", "color": INK, "size": 190, "strokeWidth": 1.75, "opacity": 1, "filled": False}
    at = {"x": x, "y": y}
    layers = [draw_layer(losses, thin, at), draw_layer(checked, dotted, at), draw_layer(best, ring, at)]
    return render_wide_and_narrow(
        lambda inner: combine_layers(layers, width=inner, height=220), Padding(46, 26, 14, 42), description
    )
