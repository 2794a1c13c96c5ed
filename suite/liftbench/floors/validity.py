"""What a metric can and cannot see, in words, from the validity table."""

from __future__ import annotations

from msgspec import Struct

from ..records.run import SCHEMA, MetricInfo
from ..text.phrases import listed, metric_label
from .control_scores import FLOOR


class Cost(Struct, frozen=True, kw_only=True):
    """What one corruption of the human summaries costs on one metric: a cell of the validity table."""

    corruption: str
    metric: str
    n: int
    """Conversations that it could be applied to."""
    human: float | None
    """Mean of the untouched summaries over these conversations."""
    corrupted: float | None
    cost: float | None
    """(human - corrupted) / (human - floor): 0 is unseen, 1 is as bad as another conversation's summary."""
    low: float | None
    high: float | None
    """Bounds of its 95% interval (see `stats.position`)."""
    problem: str = ""
    """Why there is no number, if there is none."""


class Validity(Struct, frozen=True, kw_only=True):
    """`validity.json`: what each metric sees of what can be wrong with a summary."""

    schema: int = SCHEMA
    key: str
    dataset: str
    split: str
    n: int
    """Conversations whose summaries were corrupted."""
    against_itself: bool
    """Whether a summary was held against itself, because no conversation has a second one."""
    metrics: list[MetricInfo]
    corruptions: dict[str, str]
    """Name → what it does, in a line."""
    costs: list[Cost]


BLIND, SEEN = 0.1, 0.5
"""A corruption that surely costs less than `BLIND` of the human-to-floor range is not seen; more than `SEEN`, it is."""


def validity_words(validity: Validity, metric: str) -> str:
    """What a metric can and cannot see of what can be wrong with a summary, in a sentence.

    Only corruptions whose intervals settle it are named; the others cost something between.
    """
    costs = [cost for cost in validity.costs if cost.metric == metric and cost.corruption != FLOOR and not cost.problem]
    if not costs:
        return f"{metric_label(metric)}: nothing could be measured."
    blind = [_named(cost) for cost in costs if cost.high is not None and cost.high < BLIND]
    seen = [_named(cost) for cost in costs if cost.low is not None and cost.low > SEEN]
    fooled = [_named(cost) for cost in costs if cost.high is not None and cost.high < 0]
    blind = [name for name in blind if name not in fooled]
    words = []
    if fooled:
        words.append(f"prefers {listed(fooled)} to the humans' own")
    if blind:
        words.append(f"cannot see {listed(blind)}")
    if seen:
        words.append(f"sees {listed(seen)}")
    return f"{metric_label(metric)} {'; it '.join(words)}." if words else f"{metric_label(metric)}: nothing is settled."


def _named(cost: Cost) -> str:
    return cost.corruption.replace("-", " ")
