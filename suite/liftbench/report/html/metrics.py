"""Every metric over all systems, as the page shows it."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from ...records.run import Direction, MetricSummary
from ...statistics.lift import LiftResult
from ...text.phrases import metric_label
from .conversations import Subject


class MetricRow(Struct, frozen=True, kw_only=True):
    """One system's figures on one metric."""

    subject: Subject
    summary: MetricSummary | None
    lift: LiftResult | None
    """None for the baseline, and where there is no comparison."""


class Metric(Struct, frozen=True, kw_only=True):
    """One metric over all systems."""

    name: str
    label: str
    headline: bool
    direction: Direction
    signature: str
    rows: list[MetricRow]


def tabulate_metrics(
    subjects: Sequence[Subject], headlines: Sequence[str], lifts: Sequence[Sequence[LiftResult] | None]
) -> list[Metric]:
    """Every metric that any of the runs has, the headlines first.

    `lifts` holds the lifts of each subject, None for a subject that has none.
    """
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
