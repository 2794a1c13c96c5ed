"""The bootstrap's engine: whole units, conversations or clusters of them, drawn with replacement from a seed, and the
bounds of an interval from what was drawn. Which figures have intervals, and why these, `stats` says.

A resample is kept as counts, how often each unit was drawn: its sums are then a product with the units' sums, and the
same seed and number of units give the same resamples for every metric.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .quantiles import student_quantile

RESAMPLES = 10_000
CHUNK = 2_000_000
"""Counts held at a time: 16 MB, and as much again while they are drawn, whatever the number of units."""

MOST_KEPT = 100_000_000
"""Counts of one seed and number of units that are kept for the next figure as small integers, 100 MB: to draw 10,000
resamples of 10,000 units takes six times as long as to read them again."""

Floats = NDArray[np.float64]


class Units(NamedTuple):
    """What is resampled as one."""

    of: NDArray[np.intp]
    """(values,): the number of each value's unit, from 0 in the order in which units first appear."""
    sizes: Floats
    """(units,): how many values each has."""

    @property
    def number(self) -> int:
        return self.sizes.size

    def sums(self, values: Floats) -> Floats:
        """(values,) → (units,)."""
        return np.bincount(self.of, weights=values, minlength=self.number).astype(np.float64)


def units_of(n: int, clusters: Sequence[str] | None) -> Units:
    """The units of `n` values: those with one label are one; each is its own where `clusters` is None.

    Raises `ValueError` unless there is a label for each value.
    """
    labels: Sequence[object] = range(n) if clusters is None else clusters
    if len(labels) != n:
        raise ValueError(f"{len(labels)} labels of clusters for {n} values")
    numbers: dict[object, int] = {}
    of = np.array([numbers.setdefault(label, len(numbers)) for label in labels], dtype=np.intp)
    return Units(of, np.bincount(of, minlength=len(numbers)).astype(np.float64))


def draws(units: int, *, seed: int | tuple[int, ...], resamples: int) -> Iterator[Floats]:
    """How often each of `units` is drawn in each of `resamples` draws of `units` with replacement.

    Yields matrices (some resamples, units). Rows are drawn from one stream in order, so that their content does not
    depend on the chunk size; what fits in one chunk is kept for the next metric.
    """
    if resamples * units <= CHUNK:
        yield _kept(units, seed, resamples)
    elif resamples * units <= MOST_KEPT:
        for counts in _kept_small(units, seed, resamples):
            yield counts.astype(np.float64)
    else:
        yield from _drawn(units, seed, resamples)


def resampled_sums(columns: Sequence[Floats], *, seed: int, resamples: int) -> Floats:
    """The sums of each column, (units,), over the drawn units: (columns, resamples)."""
    chunks = draws(columns[0].size, seed=seed, resamples=resamples)
    return np.concatenate([[products(counts, column) for column in columns] for counts in chunks], axis=1)


def resampled_means(columns: Sequence[Floats], units: Units, *, seed: int, resamples: int) -> Floats:
    """The means of each column, (values,), over the values of the drawn units: (columns, resamples).

    Of clusters of unequal size it is the ratio of resampled sums to resampled sizes.
    """
    *sums, sizes = resampled_sums([*map(units.sums, columns), units.sizes], seed=seed, resamples=resamples)
    means: Floats = np.divide(sums, sizes)
    return means


def products(matrix: Floats, vector: Floats) -> Floats:
    """`matrix @ vector`, added up in one order, whatever the number of rows and threads.

    BLAS does not: equal bounds would differ in their last digit. It takes 0.15 ms where this takes 0.33 (10,000 x 108),
    and 8 where another process wants its threads.
    """
    product: Floats = np.einsum("ru,u->r", matrix, vector)
    return product


def tail(level: float, units: float) -> float:
    """The share of resamples to leave beyond each bound: less than (1 - level) / 2, as few units narrow an interval.

    A resampled mean spreads by sqrt((n - 1) / n) too little, and normal quantiles are too small for a spread that is
    itself estimated: the expanded percentile interval of Hesterberg (2015). `units` is at least 2.
    """
    t = student_quantile(units - 1, (1 + level) / 2)
    return math.erfc(math.sqrt(t * t * units / (units - 1) / 2)) / 2


def bounds(statistics: Floats, tail: float) -> tuple[float, float]:
    """Between which all but a share of `tail` at each end lie."""
    low, high = np.quantile(statistics, [tail, 1 - tail])
    return float(low), float(high)


def freedom(*sources: tuple[float, int]) -> float:
    """Degrees of freedom of a sum of independent (variance, degrees of freedom), the first of which has some.

    Satterthwaite, *An Approximate Distribution of Estimates of Variance Components* (1946).
    """
    whole = sum(variance for variance, _ in sources)
    parts = sum(variance**2 / degrees for variance, degrees in sources if variance)
    return whole**2 / parts if parts else sources[0][1]


@lru_cache(maxsize=4)
def _kept(units: int, seed: int | tuple[int, ...], resamples: int) -> Floats:
    counts = next(_drawn(units, seed, resamples))
    counts.flags.writeable = False
    return counts


@lru_cache(maxsize=2)
def _kept_small(units: int, seed: int | tuple[int, ...], resamples: int) -> list[NDArray[np.unsignedinteger[Any]]]:
    """Chunks of counts, in the smallest type that holds them."""
    return [counts.astype(np.min_scalar_type(int(counts.max()))) for counts in _drawn(units, seed, resamples)]


def _drawn(units: int, seed: int | tuple[int, ...], resamples: int) -> Iterator[Floats]:
    generator = np.random.default_rng(seed)
    rows = max(1, CHUNK // units)
    for start in range(0, resamples, rows):
        size = min(rows, resamples - start)
        drawn = generator.integers(0, units, size=(size, units)) + units * np.arange(size)[:, None]
        yield np.bincount(drawn.ravel(), minlength=size * units).reshape(size, units).astype(np.float64)
