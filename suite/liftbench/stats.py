"""Seeded bootstrap intervals over conversations: of a mean, of a lift, and of a place between two ends.

The unit that is resampled is the conversation, because conversations are what the next team's data would differ in.
Percentile intervals after Efron & Tibshirani, *An Introduction to the Bootstrap* (1993), chapter 13; paired, after
Koehn, *Statistical Significance Tests for Machine Translation Evaluation* (2004), https://aclanthology.org/W04-3250.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from .types import Lift

RESAMPLES = 10_000
CHUNK = 1_000_000
"""Indices drawn at a time: what a resampling holds in memory (some 25 MB), whatever the number of conversations."""

Floats = NDArray[np.float64]


class MeanInterval(NamedTuple):
    """A mean with the bounds of its interval; None for what so few values cannot give."""

    mean: float | None
    low: float | None
    high: float | None


def mean_interval(values: Sequence[float], *, seed: int, resamples: int = RESAMPLES) -> MeanInterval:
    """The mean of one value per conversation, with its 95% percentile bootstrap interval.

    Without a value there is no mean, and with a single one no interval. Raises `ValueError` for NaN and infinities.
    """
    array = np.asarray(values, dtype=np.float64)
    if not np.isfinite(array).all():
        raise ValueError("a mean needs finite values")
    if array.size == 0:
        return MeanInterval(None, None, None)
    mean = float(array.mean())
    if array.size == 1:
        return MeanInterval(mean, None, None)
    means = np.concatenate([array[index].mean(axis=1) for index in _resampled(array.size, resamples, seed)])
    return MeanInterval(mean, *_bounds(means, 0.95))


def lift(
    baseline: Sequence[float | None],
    candidate: Sequence[float | None],
    *,
    metric: str,
    signature: str,
    seed: int,
    comparisons: int = 1,
    resamples: int = RESAMPLES,
) -> Lift:
    """(mean of candidate - mean of baseline) / mean of baseline, with a paired percentile bootstrap interval.

    Both sequences hold one value per conversation, in the same order of conversations: a resample takes the same
    conversations for both. With several `comparisons` at once the interval is widened to 1 - 0.05 / comparisons
    (Bonferroni), so that all of them together hold at 95%. There is no number, and `Lift.problem` says why, where a
    value is missing or not finite, the lengths differ, fewer than two conversations are there, or the baseline's mean,
    observed or resampled, is not above zero.
    """
    level = 1 - 0.05 / comparisons
    method = f"{percent(level)} interval by a paired percentile bootstrap ({resamples:,} resamples, seed {seed})"
    if comparisons > 1:
        method += f"; 95% for {comparisons} candidates together (Bonferroni)"

    nothing = Lift(
        metric=metric,
        signature=signature,
        baseline=None,
        candidate=None,
        lift=None,
        low=None,
        high=None,
        n=len(candidate),
        method=method,
    )
    problem = _unusable(metric, baseline, candidate)
    if problem:
        return replace(nothing, problem=problem)
    before, after = np.asarray(baseline, dtype=np.float64), np.asarray(candidate, dtype=np.float64)
    bottom, top = float(before.mean()), float(after.mean())
    means = replace(nothing, baseline=bottom, candidate=top)
    if bottom <= 0:
        return replace(means, problem=f"the baseline's mean is {bottom:g}: a relative gain needs one above zero")
    chunks = []
    for index in _resampled(before.size, resamples, seed):
        bottoms = before[index].mean(axis=1)
        if bottoms.min() <= 0:
            return replace(
                means, problem="the baseline's mean is so near zero that resampling reaches it: no stable ratio"
            )
        chunks.append((after[index].mean(axis=1) - bottoms) / bottoms)
    low, high = _bounds(np.concatenate(chunks), level)
    return replace(means, lift=(top - bottom) / bottom, low=low, high=high)


CROSSED = 0.01
"""Share of resamples in which floor and ceiling may change places: it is too small to move a bound at 2.5% far."""


class PositionInterval(NamedTuple):
    """A position between a floor (0) and a ceiling (1) with the bounds of its 95% interval."""

    value: float | None
    low: float | None
    high: float | None
    problem: str = ""
    """Why there is no number, if there is none."""


def position(
    values: Sequence[float], floor: Sequence[float], ceiling: Sequence[float], *, seed: int, resamples: int = RESAMPLES
) -> PositionInterval:
    """(mean of values - of floor) / (mean of ceiling - of floor), with a paired percentile bootstrap interval.

    The three hold one finite value per conversation, in the same order. Where the ceiling does not stand apart from
    the floor, on one side of it in all but `CROSSED` of the resamples, there is no scale, and `problem` says so.
    """
    if len(values) < 2:
        return PositionInterval(
            None, None, None, f"an interval needs at least 2 conversations, and there are {len(values)}"
        )
    stacked = np.stack([np.asarray(column, dtype=np.float64) for column in (values, floor, ceiling)])
    observed, bottom, top = stacked.mean(axis=1)
    means = np.concatenate(
        [stacked[:, index].mean(axis=2) for index in _resampled(stacked.shape[1], resamples, seed)], axis=1
    )
    scale = means[2] - means[1]
    if top == bottom or (scale * (top - bottom) <= 0).mean() > CROSSED or not scale.all():
        return PositionInterval(None, None, None, "the ceiling does not stand apart from the floor")
    low, high = _bounds((means[0] - means[1]) / scale, 0.95)
    return PositionInterval(float((observed - bottom) / (top - bottom)), low, high)


def percent(share: float) -> str:
    """A share in percent, with at most two decimals: `95%`, `98.33%`."""
    return f"{100 * share:.2f}".rstrip("0").rstrip(".") + "%"


def _unusable(metric: str, baseline: Sequence[float | None], candidate: Sequence[float | None]) -> str:
    """Why no mean can be compared, or an empty string."""
    if len(baseline) != len(candidate):
        return f"the baseline has {len(baseline)} values and the candidate {len(candidate)}"
    for who, values in (("baseline", baseline), ("candidate", candidate)):
        missing = sum(value is None or not math.isfinite(value) for value in values)
        if missing:
            return f"{metric} has no number for {missing} of {len(values)} conversations of the {who}"
    if len(baseline) < 2:
        return f"an interval needs at least 2 conversations, and there are {len(baseline)}"
    return ""


def _resampled(n: int, resamples: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Indices of `resamples` samples of `n` out of `n` with replacement, a sample a row, in chunks of rows.

    Rows are drawn from one stream in order, so their content does not depend on the chunk size.
    """
    generator = np.random.default_rng(seed)
    rows = max(1, CHUNK // n)
    for start in range(0, resamples, rows):
        yield generator.integers(0, n, size=(min(rows, resamples - start), n))


def _bounds(statistics: Floats, level: float) -> tuple[float, float]:
    low, high = np.quantile(statistics, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
