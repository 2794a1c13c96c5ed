"""Metrics grouped by what they look at, so that wide tables become narrow ones, and their names over columns."""

from __future__ import annotations

from collections.abc import Sequence

from ..records.run import MetricInfo, Sees
from ..text.phrases import metric_label

GROUPS: dict[str, tuple[Sees, ...]] = {
    "Words shared with the human summaries": ("overlap",),
    "Meaning and facts": ("meaning", "facts", "faithfulness"),
    "Form": ("form",),
}

ARROWS = {"higher": "", "lower": " ↓", "neither": " ·"}
"""Marks after a metric's name where higher is not better."""


def label_metric(metric: MetricInfo) -> str:
    """A metric's name over a column."""
    return metric_label(metric.name) + ARROWS[metric.direction]


def group_metrics(metrics: Sequence[MetricInfo]) -> dict[str, list[MetricInfo]]:
    """Title of the group → its metrics; empty groups are left out."""
    found = {title: [metric for metric in metrics if metric.sees in sees] for title, sees in GROUPS.items()}
    return {title: some for title, some in found.items() if some}
