"""The paired bootstrap: seeded intervals of a mean, of a lift, and of a position between two ends, over conversations.

The unit that is resampled is the conversation, because conversations are what the next team's data would differ in, or
a cluster of them where one customer wrote several. Percentile intervals after Efron & Tibshirani, *An Introduction to
the Bootstrap* (1993), chapter 13; paired, after Koehn, *Statistical Significance Tests for Machine Translation
Evaluation* (2004), https://aclanthology.org/W04-3250; widened for few units, after Hesterberg, *What Teachers Should
Know about the Bootstrap* (2015), https://arxiv.org/abs/1411.5279.

Why this method: in 1,000 experiments of 110 conversations from real scores its lower bound is wrong in 1.4% to 2.9%
(baselines/interval-coverage.jsonl); BCa and bootstrap-t are no better beyond the study's own error, and with them the
interval of a ratio and that of the surplus over a target could come to different verdicts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from .lift import LiftResult
from .paired_lift import LiftRequest, resample_lifts
from .permutation import randomization
from .resampling import bounds, resampled_means, tail, too_few, units_of
from .settings import Resampling

CROSSED = 0.4
"""Floor and ceiling may change places in this share of the resamples beyond a bound: too few to move it far."""


class MeanInterval(NamedTuple):
    """A mean with the bounds of its interval; None for what so few values cannot give."""

    mean: float | None
    low: float | None
    high: float | None


class PositionInterval(NamedTuple):
    """A position between a floor (0) and a ceiling (1) with the bounds of its 95% interval."""

    value: float | None
    low: float | None
    high: float | None
    problem: str = ""
    """Why there is no number, if there is none."""


class Bootstrap(Resampling, frozen=True, kw_only=True):
    """Figures with their intervals, and their settings. Equal settings give equal figures on every machine.

    Every method takes `ids`, one per value: values whose ids are in one cluster are resampled together. Without `ids`
    each value is a unit of its own.
    """

    def mean(self, values: Sequence[float], ids: Sequence[str] | None = None) -> MeanInterval:
        """The mean of one value per conversation, with its interval at `level`.

        Without a value there is no mean, and with fewer units than `resampling.LEAST_UNITS` no interval. Raises
        `ValueError` for NaN and infinities.
        """
        array = np.asarray(values, dtype=np.float64)
        if not np.isfinite(array).all():
            raise ValueError("a mean needs finite values")
        if array.size == 0:
            return MeanInterval(None, None, None)
        units = units_of(array.size, self.labels(ids))
        mean = float(array.mean())
        if too_few(units):
            return MeanInterval(mean, None, None)
        (means,) = resampled_means([array], units, seed=self.seed, resamples=self.resamples)
        return MeanInterval(mean, *bounds(means, tail(self.level, units.number)))

    def test(
        self,
        differences: Sequence[float],
        ids: Sequence[str] | None = None,
        alternative: Literal["two-sided", "less"] = "two-sided",
    ) -> float | None:
        """The p-value of a mean difference by a paired randomization test (see `permutation.randomization`).

        None for fewer units than an interval needs: 2 ** 4 assignments of signs leave no p below 6%.
        """
        labels = self.labels(ids)
        if too_few(units_of(len(differences), labels)):
            return None
        return randomization(
            differences,
            seed=self.seed,
            clusters=labels,
            alternative=alternative,
            resamples=self.resamples,
        )

    def position(
        self,
        values: Sequence[float],
        floor: Sequence[float],
        ceiling: Sequence[float],
        ids: Sequence[str] | None = None,
    ) -> PositionInterval:
        """(mean of values - of floor) / (mean of ceiling - of floor), with a paired 95% interval.

        The three hold one finite value per conversation, in the same order. Where the ceiling does not stand apart from
        the floor, on one side of it in all but a few of the resamples (`CROSSED`), there is no scale, and `problem`
        says so, as it does for fewer units than `resampling.LEAST_UNITS`.
        """
        units = units_of(len(values), self.labels(ids))
        if problem := too_few(units):
            return PositionInterval(None, None, None, problem)
        columns = [np.asarray(column, dtype=np.float64) for column in (values, floor, ceiling)]
        observed, bottom, top = (float(column.mean()) for column in columns)
        means = resampled_means(columns, units, seed=self.seed, resamples=self.resamples)
        scale, beyond = means[2] - means[1], tail(0.95, units.number)
        if top == bottom or (scale * (top - bottom) <= 0).mean() > CROSSED * beyond or not scale.all():
            return PositionInterval(None, None, None, "the ceiling does not stand apart from the floor")
        low, high = bounds((means[0] - means[1]) / scale, beyond)
        return PositionInterval((observed - bottom) / (top - bottom), low, high)

    def lift(
        self,
        baseline: Sequence[float | None],
        *candidates: Sequence[float | None],
        metric: str,
        signature: str,
        target: float,
        ids: Sequence[str] | None = None,
    ) -> LiftResult:
        """(mean of candidate - mean of baseline) / mean of baseline, with a paired interval at `level`.

        All sequences hold one value per conversation, in the same order of conversations: a resample takes the same
        conversations for all. Several `candidates` are the seeds of one training: the candidate's value is the mean
        over seeds, and seeds and units are resampled together, each with replacement, so that the interval speaks of
        the next seed, too (Owen, *The Pigeonhole Bootstrap*, 2007, https://doi.org/10.1214/07-AOAS122).

        Where the baseline's mean is too unstable to divide by (`paired_lift.UNSTABLE`) the lift has no bounds, and the
        surplus over the `target` decides. `NoLift`, with the reason, where a value is missing or not finite, the
        lengths differ, there are fewer units than `resampling.LEAST_UNITS`, or the baseline's mean is not above zero.
        Raises `ValueError` for a target that is not finite.
        """
        request = LiftRequest(
            baseline=baseline, candidates=candidates, metric=metric, signature=signature, target=target, ids=ids
        )
        return self.lifts([request])[0]

    def lifts(self, requests: Sequence[LiftRequest]) -> list[LiftResult]:
        """Each `lift`, in order: what is over the same units is resampled together, in one pass over the draws."""
        return resample_lifts(requests, self)
