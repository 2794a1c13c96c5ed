"""Means and paired differences of several systems that were measured on the same conversations.

A system is one run, or the seeds of one training together. The resamples are those of `bootstrap`: conversations (or
clusters of them), and with several seeds the seeds, too, those of two trainings independently of each other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from .permutation import randomize_sums
from .quantiles import student_tails
from .resampling import Floats, bounds, draws, freedom, resampled_means, tail, too_few, units_of
from .settings import Resampling

Seeds = Sequence[str]
"""Names of the columns that stand for one system: a run, or the seeds of one training."""


class Estimate(NamedTuple):
    """A mean, or a difference of two means, with its interval; the bounds are None where there are too few units."""

    value: float
    low: float | None
    high: float | None


class Difference(NamedTuple):
    """The mean of one system minus that of another, with its interval and its p-value."""

    value: float
    low: float | None
    high: float | None
    p: float | None
    """Two-sided; None, like the bounds, where there are too few units."""


class Contrasts:
    """Estimates from one set of resamples, at the level of the settings.

    `columns` holds one finite value per conversation for each run, in the same order; `ids` are the conversations.
    Raises `ValueError` for NaN and infinities, and for columns of different lengths.
    """

    def __init__(self, columns: Mapping[str, Sequence[float]], settings: Resampling, ids: Sequence[str]) -> None:
        self._columns = {name: np.asarray(values, dtype=np.float64) for name, values in columns.items()}
        if not all(np.isfinite(column).all() for column in self._columns.values()):
            raise ValueError("a difference needs finite values")
        self._settings = settings
        self._units = units_of(len(ids), settings.labels(ids))
        if any(column.size != len(ids) for column in self._columns.values()):
            raise ValueError("each column needs one value for each id")
        self.problem = too_few(self._units)
        """Why there are no intervals; empty where there are."""
        self._means: dict[str, Floats] = {}
        if not self.problem and self._columns:
            means = resampled_means(
                list(self._columns.values()), self._units, seed=settings.seed, resamples=settings.resamples
            )
            self._means = dict(zip(self._columns, means, strict=True))

    @property
    def units(self) -> int:
        """The number of resampled units: clusters, or conversations where the data have no clusters."""
        return self._units.number

    def estimate(self, seeds: Seeds) -> Estimate:
        """The mean of a system."""
        value = float(self._stack(seeds).mean())
        if self.problem:
            return Estimate(value, None, None)
        return Estimate(value, *bounds(self._resample(seeds, 1), tail(self._settings.level, self._error(seeds)[1] + 1)))

    def differences(self, pairs: Sequence[tuple[Seeds, Seeds]], *, resamples: int = 0) -> list[Difference]:
        """The difference of each pair, first minus second.

        The p-value is that of a paired randomization test over the units (see `permutation`). Where several seeds
        stand for a system, the claim is about its training, so the p-value of a t-test whose variance has the parts of
        the conversations and of each side's seeds is computed, too (Welch, *The Generalization of `Student's' Problem*,
        1947; degrees of freedom as in `resampling.freedom`), and the larger one counts. `resamples` is the number of
        random assignments, if more than the settings' are needed: p cannot be less than 1 / (resamples + 1).
        """
        values = [float(self._stack(one).mean() - self._stack(other).mean()) for one, other in pairs]
        if self.problem or not pairs:
            return [Difference(value, None, None, None) for value in values]
        settings = self._settings
        sums = [
            self._units.sums(self._stack(one).mean(axis=0) - self._stack(other).mean(axis=0)) for one, other in pairs
        ]
        ps = randomize_sums(sums, seed=settings.seed, resamples=max(resamples, settings.resamples))
        return [
            self._difference(one, other, value, p) for (one, other), value, p in zip(pairs, values, ps, strict=True)
        ]

    def _difference(self, one: Seeds, other: Seeds, value: float, p: float) -> Difference:
        error, degrees = self._error(one, other)
        resampled = self._resample(one, 1) - self._resample(other, 2)
        low, high = bounds(resampled, tail(self._settings.level, degrees + 1))
        if len(one) > 1 or len(other) > 1:
            t = value / error if error else math.copysign(math.inf, value) if value else 0.0
            p = max(p, student_tails(degrees, t))
        return Difference(value, low, high, p)

    def _stack(self, seeds: Seeds) -> Floats:
        """The values of a system: (seeds, conversations)."""
        return np.array([self._columns[name] for name in seeds])

    def _resample(self, seeds: Seeds, stream: int) -> Floats:
        """The resampled means of a system, (resamples,), over drawn units and drawn seeds.

        `stream` distinguishes the draws of two systems' seeds; both are apart from the draws of the units.
        """
        means: Floats = np.array([self._means[name] for name in seeds])  # (seeds, resamples)
        if len(seeds) == 1:
            return self._means[seeds[0]]
        settings = self._settings
        drawn = np.concatenate(list(draws(len(seeds), seed=(settings.seed, stream), resamples=settings.resamples)))
        weighted: Floats = (drawn.T * means).mean(axis=0)
        return weighted

    def _error(self, one: Seeds, other: Seeds = ()) -> tuple[float, float]:
        """The standard error of a mean, or of a difference, with its degrees of freedom."""
        sides = [seeds for seeds in (one, other) if seeds]
        signed = [np.mean([self._means[name] for name in seeds], axis=0) for seeds in sides]
        resampled = signed[0] - signed[1] if other else signed[0]
        n = self._units.number
        of_units = float(resampled.var()) * n / (n - 1)
        of_seeds = [
            (float(self._stack(seeds).mean(axis=1).var(ddof=1)) / len(seeds), len(seeds) - 1)
            for seeds in sides
            if len(seeds) > 1
        ]
        variance = of_units + sum(part for part, _ in of_seeds)
        return math.sqrt(variance), freedom((of_units, n - 1), *of_seeds)
