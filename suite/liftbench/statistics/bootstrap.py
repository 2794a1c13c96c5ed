"""The paired bootstrap: seeded intervals of a mean, of a lift, and of a position between two ends, over conversations.

The resampled unit is the conversation, because another team's data would differ in its conversations, or a cluster of
conversations where one customer wrote several. The intervals are percentile intervals (Efron & Tibshirani, *An
Introduction to the Bootstrap*, 1993, chapter 13), paired (Koehn, *Statistical Significance Tests for Machine
Translation Evaluation*, 2004, https://aclanthology.org/W04-3250) and widened for few units (Hesterberg, *What Teachers
Should Know about the Bootstrap*, 2015, https://arxiv.org/abs/1411.5279).

Why this method: in 1,000 experiments of 110 conversations from real scores its lower bound is wrong in 1.4% to 2.9%
(baselines/interval-coverage.jsonl). BCa and bootstrap-t are not better by more than the study's own error, and with
them the interval of a ratio and that of the surplus over a target could lead to different verdicts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from .lift import LiftResult
from .paired_lift import LiftRequest, resample_lifts
from .permutation import randomization
from .resampling import Floats, bounds, resampled_means, tail, too_few, units_of
from .settings import Resampling

CROSSED = 0.4
"""Floor and ceiling may change places in this share of the resamples beyond a bound: too few to move the bound far."""


class MeanInterval(NamedTuple):
    """A mean with the bounds of its interval; a figure is None where there are too few values for it."""

    mean: float | None
    low: float | None
    high: float | None


class PositionInterval(NamedTuple):
    """A position between a floor (0) and a ceiling (1) with the bounds of its 95% interval."""

    value: float | None
    low: float | None
    high: float | None
    problem: str = ""
    """Why `value` is None; empty where it has a number."""


class Bootstrap(Resampling, frozen=True, kw_only=True):
    """Figures with their intervals, and their settings. Equal settings give equal figures on every machine.

    Every method takes `ids`, one per value: values whose ids are in one cluster are resampled together. Without `ids`
    each value is a separate unit.
    """

    def mean(self, values: Sequence[float], ids: Sequence[str] | None = None) -> MeanInterval:
        """The mean of one value per conversation, with its interval at `level`.

        The mean is None without values, and the bounds are None with fewer units than `resampling.LEAST_UNITS`. Raises
        `ValueError` for NaN and infinities.
        """
        return self.means([values], ids)[0]

    def means(
        self, columns: Sequence[Sequence[float] | Floats], ids: Sequence[str] | None = None
    ) -> list[MeanInterval]:
        """`mean` of several columns over the same conversations, for the cost of one draw."""
        arrays = [np.asarray(values, dtype=np.float64) for values in columns]
        if not all(np.isfinite(array).all() for array in arrays):
            raise ValueError("a mean needs finite values")
        if not arrays or arrays[0].size == 0:
            return [MeanInterval(None, None, None)] * len(arrays)
        units = units_of(arrays[0].size, self.labels(ids))
        if too_few(units):
            return [MeanInterval(float(array.mean()), None, None) for array in arrays]
        drawn = resampled_means(arrays, units, seed=self.seed, resamples=self.resamples)
        beyond = tail(self.level, units.number)
        return [
            MeanInterval(float(array.mean()), *bounds(means, beyond))
            for array, means in zip(arrays, drawn, strict=True)
        ]

    def test(
        self,
        differences: Sequence[float],
        ids: Sequence[str] | None = None,
        alternative: Literal["two-sided", "less"] = "two-sided",
    ) -> float | None:
        """The p-value of a mean difference by a paired randomization test (see `permutation.randomization`).

        None for fewer units than an interval needs: with 2 ** 4 assignments of signs, p cannot fall below 6%.
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
        """(mean(values) - mean(floor)) / (mean(ceiling) - mean(floor)), with a paired 95% interval.

        The three hold one finite value per conversation, in the same order. The ceiling has to lie on one side of the
        floor in all but a few of the resamples (`CROSSED`): otherwise there is no scale, and `problem` says so.
        `problem` also says where there are fewer units than `resampling.LEAST_UNITS`.
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

        All sequences hold one value per conversation, in the same order: a resample takes the same conversations for
        all. Several `candidates` are the seeds of one training: the candidate's value is the mean over seeds, and seeds
        and units are resampled together, each with replacement, so that the interval also covers the next seed (Owen,
        *The Pigeonhole Bootstrap*, 2007, https://doi.org/10.1214/07-AOAS122).

        Where the baseline's mean is too unstable to divide by (`paired_lift.UNSTABLE`), the lift has no bounds, and the
        surplus over the `target` decides. The result is `NoLift`, with the reason, where a value is missing or not
        finite, the lengths differ, there are fewer units than `resampling.LEAST_UNITS`, or the baseline's mean is not
        above zero. Raises `ValueError` for a target that is not finite.
        """
        request = LiftRequest(
            baseline=baseline, candidates=candidates, metric=metric, signature=signature, target=target, ids=ids
        )
        return self.lifts([request])[0]

    def lifts(self, requests: Sequence[LiftRequest]) -> list[LiftResult]:
        """Each `lift`, in order; lifts over the same units are resampled together, in one pass over the draws."""
        return resample_lifts(requests, self)
