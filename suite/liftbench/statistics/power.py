"""How likely a measurement is to prove a lift, before it is made.

A lift is proven where the lower bound of candidate - (1 + target) x baseline, the surplus, is above zero on every
headline and for every seed. The surpluses' means are taken as normal, with the spread that a pilot's conversations
have, and the bound as that of the judged interval (see `resampling.tail`). `tests/statistics/test_power.py` holds it
against real paired scores and the real interval.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from msgspec import Struct

from .lift import FEWEST
from .quantiles import student_quantile
from .resampling import Floats

DRAWS = 20_000
MOST = 1_000_000
"""The most conversations that are looked at."""


class Assumption(Struct, frozen=True, kw_only=True):
    """What is assumed to be true of a baseline and a candidate, for each headline."""

    headlines: tuple[str, ...]
    baseline: tuple[float, ...]
    candidate: tuple[float, ...]
    """Means."""
    target: float
    covariance: tuple[tuple[float, ...], ...]
    """(headlines, headlines): of the surpluses of one conversation."""
    spread: tuple[float, ...]
    """Standard deviation of candidate - (1 + lift) x baseline of one conversation, which the interval's width is made
    of."""

    @property
    def lifts(self) -> tuple[float, ...]:
        """The true lifts."""
        return tuple(after / before - 1 for before, after in zip(self.baseline, self.candidate, strict=True))


def assume_pairs(pairs: Mapping[str, tuple[Sequence[float], Sequence[float]]], target: float) -> Assumption:
    """That a pilot's conversations are the population: headline → values of the baseline and the candidate."""
    before, after = (np.asarray([pair[side] for pair in pairs.values()], dtype=np.float64) for side in (0, 1))
    bottom, top = before.mean(axis=1), after.mean(axis=1)
    surplus = after - (1 + target) * before
    residual = after - (top / bottom)[:, None] * before
    return Assumption(
        headlines=tuple(pairs),
        baseline=tuple(bottom.tolist()),
        candidate=tuple(top.tolist()),
        target=target,
        covariance=tuple(map(tuple, np.atleast_2d(np.cov(surplus)).tolist())),
        spread=tuple(residual.std(axis=1, ddof=1).tolist()),
    )


def assume_figures(
    baseline: float, candidate: float, *, deviations: tuple[float, float], correlation: float, target: float, name: str
) -> Assumption:
    """That the scores of one conversation have these means, standard deviations and correlation."""
    before, after = deviations

    def variance(factor: float) -> float:
        return after**2 + (factor * before) ** 2 - 2 * correlation * factor * before * after

    return Assumption(
        headlines=(name,),
        baseline=(baseline,),
        candidate=(candidate,),
        target=target,
        covariance=((variance(1 + target),),),
        spread=(math.sqrt(variance(candidate / baseline)),),
    )


def power(assumption: Assumption, n: int, *, level: float = 0.95, seeds: int = 1, of_seeds: float = 0.0) -> float:
    """How often `n` conversations prove the lift on every headline for every seed.

    `of_seeds` is the standard deviation of a lift over seeds. Seeds share the conversations.
    """
    covariance = np.asarray(assumption.covariance)
    bottom = np.asarray(assumption.baseline)
    surplus = np.asarray(assumption.candidate) - (1 + assumption.target) * bottom
    errors = student_quantile(n - 1, (1 + level) / 2) * np.sqrt(np.diag(covariance) / n)
    generator = np.random.default_rng(0)
    of_units = _normal(generator, covariance / n)
    noise = generator.standard_normal((seeds, *of_units.shape)) * of_seeds * bottom
    return float((surplus + of_units + noise > errors).all(axis=(0, 2)).mean())


def half_width(assumption: Assumption, n: int, *, level: float = 0.95) -> list[float]:
    """Half the expected width of each lift's interval, as a fraction."""
    t = student_quantile(n - 1, (1 + level) / 2)
    pairs = zip(assumption.spread, assumption.baseline, strict=True)
    return [t * spread / math.sqrt(n) / bottom for spread, bottom in pairs]


def fewest_for(wanted: float, power_of: Callable[[int], float]) -> int | None:
    """The fewest conversations with which a lift is proven so often; None where even `MOST` are too few."""
    low, high = FEWEST, FEWEST
    while power_of(high) < wanted:
        if high >= MOST:
            return None
        low, high = high, min(2 * high, MOST)
    while low < high:
        middle = (low + high) // 2
        if power_of(middle) >= wanted:
            high = middle
        else:
            low = middle + 1
    return low


def _normal(generator: np.random.Generator, covariance: Floats) -> Floats:
    """(draws, headlines)"""
    values, vectors = np.linalg.eigh(covariance)
    drawn = generator.standard_normal((DRAWS, len(values)))
    return np.asarray(drawn * np.sqrt(values.clip(min=0)) @ vectors.T)
