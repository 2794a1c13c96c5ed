"""The candidate against the baseline on each slice, since a better mean may hide a slice that got worse."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from ..data.slicing import Slice, count_units, pool_small
from ..records.run import Direction
from ..statistics.bootstrap import Bootstrap
from ..statistics.lift import FEWEST
from ..statistics.permutation import holm


class SliceResult(Struct, frozen=True, kw_only=True):
    """The candidate against the baseline on one metric, over one slice or over the small slices of a field together."""

    field: str
    """What the data are sliced by: `turns`, `company`, …"""
    label: str
    """Which slice: `8 to 10`, `Acme`; for pooled slices, their number: `96 others`."""
    pooled: int = 0
    """Number of slices of the field that are too small alone and are judged together here; 0 for a single slice."""
    metric: str
    n: int
    """Conversations."""
    baseline: float | None
    candidate: float | None
    difference: float | None
    """candidate - baseline."""
    low: float | None
    high: float | None
    """Bounds of its 95% interval."""
    p: float | None
    """One-sided: how often chance alone would make it this much worse; corrected for all slices and metrics (Holm)."""
    state: Literal["not worse", "worse", "undecided", "not judged"]
    """`not judged`: even together, the small slices have too few conversations. `undecided`: a score is missing."""


class Slicing(Struct, frozen=True, kw_only=True):
    """Which slice of a field each conversation belongs to, as the slices are judged."""

    field: str
    labels: list[str]
    of: list[int]
    """For each conversation, in the order of the data, the number of its slice's label, from 0."""


LEVEL = 0.05
"""A slice is worse where its corrected p-value is below this."""

Scores = Mapping[str, Mapping[str, float | None]]
"""Id → metric → value, like `Run.scores`."""


def slice_results(
    found: Iterable[Slice],
    baseline: Scores,
    candidate: Scores,
    metrics: Mapping[str, Direction],
    bootstrap: Bootstrap,
) -> list[SliceResult]:
    """Means, paired difference and state for each slice and metric, slice by slice; `neither` metrics are left out.

    Slices of fewer than `FEWEST` units (conversations, or clusters of them, since the conversations of one cluster
    count once) are judged together with the other small slices of their field (`pool_small`), and are not judged where
    even together they have fewer. The p-value is that of a one-sided paired randomization test that the candidate is
    worse, corrected by Holm's method for all judged slices and metrics. A slice with a missing score, or one that is
    not finite, is undecided, and has no figures, because those of the other conversations could flatter.
    """
    results = [
        _compare_slice(part, metric, direction, baseline, candidate, bootstrap)
        for part in pool_small(found, bootstrap.clusters)
        for metric, direction in metrics.items()
        if direction != "neither"
    ]
    corrected = iter(holm([one.p for one in results if one.p is not None]))
    return [one if one.p is None else _with_state(one, next(corrected)) for one in results]


def number_slices(found: Iterable[Slice], ids: Sequence[str], clusters: Mapping[str, str]) -> list[Slicing]:
    """For each field, which of the slices that `slice_results` judges each of `ids` belongs to."""
    by_field: dict[str, list[Slice]] = {}
    for part in pool_small(found, clusters):
        by_field.setdefault(part.field, []).append(part)
    numbered = []
    for field, parts in by_field.items():
        holders = {id_: number for number, part in enumerate(parts) for id_ in part.ids}
        numbered.append(Slicing(field=field, labels=[part.label for part in parts], of=[holders[id_] for id_ in ids]))
    return numbered


# ------------------------------------------------------------------------------------------------------------ comparing


def _compare_slice(
    part: Slice,
    metric: str,
    direction: Direction,
    baseline: Scores,
    candidate: Scores,
    bootstrap: Bootstrap,
) -> SliceResult:
    """The result with its p-value before correction, where there are enough units for one."""
    nothing = SliceResult(
        field=part.field,
        label=part.label,
        pooled=part.pooled,
        metric=metric,
        n=len(part.ids),
        baseline=None,
        candidate=None,
        difference=None,
        low=None,
        high=None,
        p=None,
        state="undecided",
    )
    before, after = _finite(baseline, metric, part.ids), _finite(candidate, metric, part.ids)
    if not len(before) == len(after) == len(part.ids) > 0:
        return nothing
    differences = [new - old for old, new in zip(before, after, strict=True)]
    difference, low, high = bootstrap.mean(differences, part.ids)
    gains = [-value for value in differences] if direction == "lower" else differences
    shown = replace(nothing, baseline=fmean(before), candidate=fmean(after), difference=difference, low=low, high=high)
    if count_units(part.ids, bootstrap.clusters) < FEWEST:
        return replace(shown, state="not judged")
    return replace(shown, p=bootstrap.test(gains, part.ids, alternative="less"))


def _finite(scores: Scores, metric: str, ids: Iterable[str]) -> list[float]:
    values = (scores.get(id_, {}).get(metric) for id_ in ids)
    return [value for value in values if value is not None and math.isfinite(value)]


def _with_state(result: SliceResult, p: float) -> SliceResult:
    return replace(result, p=p, state="worse" if p < LEVEL else "not worse")
