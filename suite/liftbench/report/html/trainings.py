"""Trainings with their curves, as the page shows them."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup
from msgspec import Struct

from ...runs.directory import Run
from ..charts.training_curve import draw_training_curve
from . import appendix
from .appendix import Row
from .conversations import Subject


class Training(Struct, frozen=True, kw_only=True):
    """One training with its curve."""

    subject: Subject
    facts: list[Row]
    options: list[Row]
    chart: Markup


def list_trainings(subjects: Sequence[Subject]) -> list[Training]:
    """The trainings that the runs themselves record."""
    shown = []
    for subject in subjects:
        run = subject.run
        if not isinstance(run, Run) or (run.training is None and not run.curve):
            continue
        words = "Training and validation loss by optimizer step"
        if run.training is not None and run.training.best_step is not None:
            words += f"; the best checkpoint is at step {run.training.best_step}"
        chart = draw_training_curve(run.curve, run.training, f"{words}.")
        shown.append(
            Training(
                subject=subject,
                facts=appendix.tabulate_training(run),
                options=appendix.tabulate_options(run),
                chart=chart,
            )
        )
    return shown
