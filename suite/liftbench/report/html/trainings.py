"""Trainings with their curves, as the page shows them: each is a line in every chart and a column of every table."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from markupsafe import Markup
from msgspec import Struct

from ...records.training import CurvePoint
from ...runs.directory import Run
from ...text.phrases import pluralize
from ..charts.lines import Line, Look, choose_look, draw_lines, draw_swatch
from . import appendix
from .appendix import Row
from .conversations import Subject

VALIDATION = "validation loss per target token"

Points = list[tuple[float, float]]


class Trainings(Struct, frozen=True, kw_only=True):
    """The trainings of a page."""

    subjects: list[Subject]
    """Those that record a training; the columns of both tables."""
    swatches: list[Markup]
    """The look of each one's line."""
    charts: list[Markup]
    facts: list[Row]
    options: list[Row]


def lay_out_trainings(subjects: Sequence[Subject]) -> Trainings | None:
    """The trainings that the runs themselves record; None where there is none."""
    trained = [
        (subject, subject.run)
        for subject in subjects
        if isinstance(subject.run, Run) and (subject.run.training is not None or subject.run.curve)
    ]
    if not trained:
        return None
    runs = [run for _, run in trained]
    looks = [choose_look(place) for place in range(len(runs))]
    return Trainings(
        subjects=[subject for subject, _ in trained],
        swatches=[draw_swatch(look) for look in looks],
        charts=[chart for chart in _draw_charts(runs, looks) if chart],
        facts=appendix.tabulate_trainings(runs),
        options=appendix.tabulate_options(runs) if any(run.training_options for run in runs) else [],
    )


def _draw_charts(runs: Sequence[Run], looks: Sequence[Look]) -> list[Markup]:
    of = pluralize(len(runs), "training")
    validations = [
        Line(
            points=_validations(run.curve),
            look=look,
            thick=True,
            ringed=run.training.best_step if run.training else None,
        )
        for run, look in zip(runs, looks, strict=True)
    ]
    charts = {
        title: draw_lines(
            [Line(points=find(run.curve), look=look) for run, look in zip(runs, looks, strict=True)],
            "optimizer step",
            title,
            f"{title.capitalize()} of {of} by step.",
            y_format,
        )
        for title, y_format, find in MEASURES
    }
    validation = draw_lines(validations, "optimizer step", VALIDATION, f"{VALIDATION.capitalize()} of {of} by step.")
    first, *others = charts.values()
    return [first, validation, *others]


def _losses(curve: Sequence[CurvePoint]) -> Points:
    return [(point.step, point.loss) for point in curve if point.loss is not None]


def _validations(curve: Sequence[CurvePoint]) -> Points:
    return [(point.step, point.validation_loss) for point in curve if point.validation_loss is not None]


def _rates(curve: Sequence[CurvePoint]) -> Points:
    return [(point.step, point.learning_rate) for point in curve if point.learning_rate is not None]


def _speeds(curve: Sequence[CurvePoint]) -> Points:
    """Tokens per second of each step: the time of validations and of a break before a resume does not count."""
    speeds = []
    tokens, seconds = 0, 0.0
    for point in curve:
        if point.tokens is None or point.seconds is None:
            continue
        if point.tokens > tokens and point.seconds > seconds:
            speeds.append((float(point.step), (point.tokens - tokens) / (point.seconds - seconds)))
        tokens, seconds = point.tokens, point.seconds
    return speeds


def _memory(curve: Sequence[CurvePoint]) -> Points:
    return [(point.step, point.memory_bytes / 1e9) for point in curve if point.memory_bytes is not None]


MEASURES: tuple[tuple[str, str, Callable[[Sequence[CurvePoint]], Points]], ...] = (
    ("training loss per target token", "", _losses),
    ("learning rate", ".1~e", _rates),
    ("tokens per second", "", _speeds),
    ("peak memory, GB", "", _memory),
)
"""Charts: title, format of the numbers, and what to draw of a curve."""
