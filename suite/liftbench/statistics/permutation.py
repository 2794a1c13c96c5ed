"""How often chance alone would make such differences: randomization of paired differences, and Holm's correction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Literal

import numpy as np

from .resampling import CHUNK, RESAMPLES, Floats, products, units_of

EXACT = 12
"""Units up to which all 2 ** units assignments of signs are counted, fewer than there would be random ones."""


def randomization(
    differences: Sequence[float],
    *,
    seed: int,
    clusters: Sequence[str] | None = None,
    alternative: Literal["two-sided", "less"] = "two-sided",
    resamples: int = RESAMPLES,
) -> float:
    """The p-value, in (0, 1], of a mean difference, were each unit's differences as likely with the other sign.

    `differences` are candidate - baseline, finite, one per conversation; a cluster's change their sign together.
    `two-sided` counts means as far from zero as the observed one, `less` those as low. Up to `EXACT` units every
    assignment of signs is counted; else `resamples` random ones and the observed one, so that no p is 0: (hits + 1) /
    (resamples + 1), Phipson & Smyth, *Permutation P-values Should Never Be Zero* (2010), https://arxiv.org/abs/1603.05766.
    Without a difference p is 1. Raises `ValueError` for NaN and infinities.
    """
    values = np.asarray(differences, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError("a p-value needs finite differences")
    sums = units_of(values.size, clusters).sums(values)
    observed = float(sums.sum())
    # The same terms in another order add up to something a little else; what is equal but for that counts as equal.
    slack = 1e-12 * float(np.abs(sums).sum())
    hits = 0
    for flips in _flips(sums.size, seed, resamples):
        totals = observed - 2 * products(flips, sums)
        far = np.abs(totals) >= abs(observed) - slack if alternative == "two-sided" else totals <= observed + slack
        hits += int(far.sum())
    return hits / 2**sums.size if sums.size <= EXACT else (hits + 1) / (resamples + 1)


def holm(ps: Sequence[float]) -> list[float]:
    """P-values, in [0, 1], corrected for their number: in the same order, none smaller than before, at most 1.

    Holm, *A Simple Sequentially Rejective Multiple Test Procedure* (1979): the smallest of m is multiplied by m, the
    next by m - 1, and none is less than one before it. Raises `ValueError` for what is no p-value.
    """
    if not all(0 <= p <= 1 for p in ps):
        raise ValueError("a p-value is between 0 and 1")
    order = sorted(range(len(ps)), key=ps.__getitem__)
    corrected = accumulate((min(1.0, (len(ps) - rank) * ps[at]) for rank, at in enumerate(order)), max)
    by_place = dict(zip(order, corrected, strict=True))
    return [by_place[at] for at in range(len(ps))]


def _flips(units: int, seed: int, resamples: int) -> Iterator[Floats]:
    """Which units change their sign (1) and which do not (0): matrices (some assignments, units)."""
    if units <= EXACT:
        yield (np.arange(2**units)[:, None] >> np.arange(units) & 1).astype(np.float64)
        return
    generator = np.random.default_rng(seed)
    rows = max(1, CHUNK // units)
    for start in range(0, resamples, rows):
        yield generator.integers(0, 2, size=(min(rows, resamples - start), units)).astype(np.float64)
