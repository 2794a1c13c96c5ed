"""The validity table: what every corruption costs on every metric."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from ..floors.validity import BLIND, SEEN, Cost, Validity
from .metric_groups import group_metrics, label_metric


class ValidityTable(Struct, frozen=True, kw_only=True):
    """What every corruption costs on one group of metrics."""

    title: str
    metrics: list[str]
    rows: list[tuple[str, str, list[Cost | None]]]
    """The corruption, what it does, and its cost on each metric."""


def group_validity(validity: Validity) -> list[ValidityTable]:
    """A table for each group of metrics."""
    cells: Mapping[tuple[str, str], Cost] = {(cost.corruption, cost.metric): cost for cost in validity.costs}
    return [
        ValidityTable(
            title=title,
            metrics=[label_metric(metric) for metric in some],
            rows=[
                (name, what, [cells.get((name, metric.name)) for metric in some])
                for name, what in validity.corruptions.items()
            ],
        )
        for title, some in group_metrics(validity.metrics).items()
    ]


def classify_cost(cost: Cost) -> str:
    """`blind`, `seen`, or empty where the interval of the cost settles neither."""
    if cost.high is not None and cost.high < BLIND:
        return "blind"
    return "seen" if cost.low is not None and cost.low > SEEN else ""
