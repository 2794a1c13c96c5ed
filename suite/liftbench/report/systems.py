"""Every system's means: the tables, and the steps from the plain baseline to the humans."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from ..floors.ranking import SystemMeans
from ..judging.compare import Comparison
from ..records.run import MetricInfo
from .metric_groups import group_metrics, label_metric

NO_RIVALS = ("bound", "consensus", "humans")
"""Roles of the systems that saw the references or are references."""


class Mean(Struct, frozen=True):
    """One system on one metric."""

    value: float | None
    best: bool
    """Whether no model, prompt or control does better; systems in the roles `NO_RIVALS` do not count."""


class Step(Struct, frozen=True):
    """A system's mean on the way from the plain baseline to the humans."""

    name: str
    value: float
    role: str
    start: float
    """The mean that this step builds on: that of the step before, or 0.0 for the baseline and the humans. Candidates
    are rivals, and all build on the same mean."""


class SystemsTable(Struct, frozen=True, kw_only=True):
    """Every system on one group of metrics."""

    title: str
    metrics: list[str]
    """Labels, with a mark where higher is not better."""
    rows: list[tuple[SystemMeans, list[Mean]]]


def name_roles(comparison: Comparison) -> list[str]:
    """What each candidate is called beside its system's name: `candidate`, `candidate 2` or `seed 7`."""
    seeds = {run: seed for family in comparison.seeds for run, seed in zip(family.runs, family.seeds, strict=True)}
    runs = [result.run for result in comparison.candidates]
    return [
        f"seed {seeds[run]}" if run in seeds else "candidate" if len(runs) == 1 else f"candidate {number}"
        for number, run in enumerate(runs, start=1)
    ]


def group_systems(metrics: Sequence[MetricInfo], systems: Sequence[SystemMeans]) -> list[SystemsTable]:
    """A table for each group of metrics; a mean that could not be measured is empty."""
    tables = []
    for title, some in group_metrics(metrics).items():
        best = {metric.name: _best(metric, systems) for metric in some}
        rows = [
            (one, [Mean(one.means.get(metric.name), _is(one, metric.name, best[metric.name])) for metric in some])
            for one in systems
        ]
        tables.append(SystemsTable(title=title, metrics=[label_metric(metric) for metric in some], rows=rows))
    return tables


def list_steps(comparison: Comparison, metric: str) -> list[Step]:
    """The known means in order: what the prompt gains, what training adds, and what is left up to the humans."""
    names = {"baseline": "plain baseline", "best-prompted": "best prompt", "humans": "humans"}
    steps: list[Step] = []
    ground = 0.0
    for one in comparison.systems:
        mean = one.means.get(metric)
        if mean is None or one.role not in (*names, "candidate"):
            continue
        start = 0.0 if one.role in ("baseline", "humans") else ground
        steps.append(Step(names.get(one.role, one.name), mean, one.role, start))
        if one.role != "candidate":
            ground = mean
    return steps


def _best(metric: MetricInfo, systems: Sequence[SystemMeans]) -> float | None:
    rivals = [one.means.get(metric.name) for one in systems if one.role not in NO_RIVALS]
    known = [value for value in rivals if value is not None]
    if not known or metric.direction == "neither":
        return None
    return max(known) if metric.direction == "higher" else min(known)


def _is(one: SystemMeans, metric: str, best: float | None) -> bool:
    return best is not None and one.role not in NO_RIVALS and one.means.get(metric) == best
