"""What the templates show beside the verdicts: steps, metrics, trainings, gains, groups of runs measured alike."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup
from msgspec import Struct

from ...judging.compare import Comparison
from ...records.run import Direction, MetricSummary
from ...runs.differences import protocol_differences
from ...runs.directory import Run
from ...statistics.lift import LiftResult
from ...text.phrases import metric_label
from .. import charts, numbers
from ..systems import waterfall
from . import appendix
from .appendix import Row
from .conversations import Entry, Subject, entries


class MetricRow(Struct, frozen=True, kw_only=True):
    """One system's figures on one metric."""

    subject: Subject
    summary: MetricSummary | None
    lift: LiftResult | None
    """None for the baseline, and where nothing is compared."""


class Metric(Struct, frozen=True, kw_only=True):
    """One metric over all systems."""

    name: str
    label: str
    headline: bool
    direction: Direction
    signature: str
    rows: list[MetricRow]


class Training(Struct, frozen=True, kw_only=True):
    """One training with its curve."""

    subject: Subject
    facts: list[Row]
    options: list[Row]
    chart: Markup


class Gains(Struct, frozen=True, kw_only=True):
    """How a candidate's gains are spread over the conversations."""

    subject: Subject
    better: int
    worse: int
    same: int
    missing: int
    chart: Markup
    most_worsened: list[Entry]
    most_improved: list[Entry]
    place: int
    """Among the candidates."""


class Group(Struct, frozen=True, kw_only=True):
    """Runs that were measured alike."""

    title: str
    subjects: list[Subject]
    differences: list[str]
    """How its protocol differs from the first group's."""
    metrics: list[Metric]
    entries: list[Entry]


def waterfalls(comparison: Comparison) -> list[tuple[str, Markup]]:
    """Of each headline its label and the steps from the plain baseline to the humans, drawn."""
    drawn = []
    for metric in comparison.headlines:
        steps = waterfall(comparison, metric)
        floors = [
            mean for one in comparison.systems if one.role == "floor" and (mean := one.means.get(metric)) is not None
        ]
        words = (
            f"{metric_label(metric)}: " + ", ".join(f"{step.name} {numbers.score(step.value)}" for step in steps) + "."
        )
        drawn.append((metric_label(metric), charts.waterfall(steps, max(floors, default=None), words)))
    return drawn


def metric_rows(
    subjects: Sequence[Subject], headlines: Sequence[str], lifts: Sequence[Sequence[LiftResult] | None]
) -> list[Metric]:
    """Every metric of any of the runs, the headlines first; `lifts` are a subject's, None for one that has none."""
    summaries = [{row.name: row for row in subject.run.summary.metrics} for subject in subjects]
    names = dict.fromkeys(name for by_name in summaries for name in by_name)
    by_metric = [{lift.metric: lift for lift in some or ()} for some in lifts]
    listed = []
    for name in sorted(names, key=lambda name: headlines.index(name) if name in headlines else len(headlines)):
        known = next(by_name[name] for by_name in summaries if name in by_name)
        listed.append(
            Metric(
                name=name,
                label=metric_label(name),
                headline=name in headlines,
                direction=known.direction,
                signature=known.signature,
                rows=[
                    MetricRow(subject=subject, summary=by_name.get(name), lift=some.get(name))
                    for subject, by_name, some in zip(subjects, summaries, by_metric, strict=True)
                ],
            )
        )
    return listed


def trainings(subjects: Sequence[Subject]) -> list[Training]:
    """The trainings that are recorded in the runs themselves."""
    shown = []
    for subject in subjects:
        run = subject.run
        if not isinstance(run, Run) or (run.training is None and not run.curve):
            continue
        words = "Training and validation loss by optimizer step"
        if run.training is not None:
            words += f"; the best checkpoint is at step {run.training.best_step}"
        chart = charts.training_curve(run.curve, run.training, f"{words}.")
        shown.append(
            Training(subject=subject, facts=appendix.training(run), options=appendix.options(run), chart=chart)
        )
    return shown


def gains(listed: Sequence[Entry], subject: Subject, place: int, shown: int = 5) -> Gains:
    """How the gains of the candidate at `place` spread; `shown` conversations are named at either end."""
    known = [(gain, entry) for entry in listed if (gain := entry.gains[place]) is not None]
    ordered = sorted(known, key=lambda pair: pair[0])
    better, worse = sum(gain > 0 for gain, _ in known), sum(gain < 0 for gain, _ in known)
    words = f"Gains of {len(known)} conversations, sorted: {better} better, {worse} worse."
    return Gains(
        subject=subject,
        better=better,
        worse=worse,
        same=len(known) - better - worse,
        missing=len(listed) - len(known),
        chart=charts.sorted_gains([charts.Bar(gain, entry.anchor) for gain, entry in known], words),
        most_worsened=[entry for gain, entry in ordered[:shown] if gain < 0],
        most_improved=[entry for gain, entry in ordered[: -shown - 1 : -1] if gain > 0],
        place=place,
    )


def alike(subjects: Sequence[Subject]) -> list[Group]:
    """The runs in groups of equal protocols, in the order given."""
    members: list[list[Subject]] = []
    for subject in subjects:
        same = next((group for group in members if not _differing(group[0], subject)), None)
        if same is None:
            members.append([subject])
        else:
            same.append(subject)
    return [_group(number, some, members[0][0]) for number, some in enumerate(members, start=1)]


def _differing(one: Subject, other: Subject) -> list[str]:
    differences = protocol_differences(one.run.manifest.protocol, other.run.manifest.protocol)
    return [difference.key for difference in differences]


def _group(number: int, members: list[Subject], first: Subject) -> Group:
    metrics = metric_rows(members, members[0].run.manifest.headlines, [None] * len(members))
    sign = -1 if metrics and metrics[0].direction == "lower" else 1
    names = [member.role.removeprefix("run ") for member in members]
    listed = f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
    return Group(
        title=f"Runs {listed}" if len(names) > 1 else f"Run {listed}",
        subjects=members,
        differences=_differing(first, members[0]),
        metrics=metrics,
        entries=entries(members, [metric.name for metric in metrics], sign, prefix=f"g{number}c"),
    )
