"""How often chance alone would make a difference: randomization of paired differences, and Holm's correction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import accumulate
from typing import Literal

import numpy as np

from .resampling import CHUNK, KEPT, RESAMPLES, Floats, Matrix, multiply_all, products, units_of

EXACT = 12
"""Up to this number of units all 2 ** units assignments of signs are counted: fewer than random draws would be."""


def randomization(
    differences: Sequence[float],
    *,
    seed: int,
    clusters: Sequence[str] | None = None,
    alternative: Literal["two-sided", "less"] = "two-sided",
    resamples: int = RESAMPLES,
) -> float:
    """The p-value, in (0, 1], of a mean difference, if each unit's differences were as likely with the other sign.

    `differences` are candidate - baseline, finite, one per conversation; those of a cluster change sign together.
    `two-sided` counts means at least as far from zero as the observed one, `less` those at least as low. Up to `EXACT`
    units every assignment of signs is counted. Beyond that, `resamples` random ones and the observed one are counted,
    so that p is never 0: (hits + 1) / (resamples + 1), Phipson & Smyth, *Permutation P-values Should Never Be Zero*
    (2010), https://arxiv.org/abs/1603.05766. Without a difference p is 1. Raises `ValueError` for NaN and infinities.
    """
    values = np.asarray(differences, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError("a p-value needs finite differences")
    sums = units_of(values.size, clusters).sums(values)
    (p,) = randomize_sums([sums], seed=seed, alternative=alternative, resamples=resamples)
    return p


def randomize_sums(
    columns: Sequence[Floats],
    *,
    seed: int,
    alternative: Literal["two-sided", "less"] = "two-sided",
    resamples: int = RESAMPLES,
) -> list[float]:
    """The p-value of each column of finite differences, each summed up by the same units (see `randomization`)."""
    units = columns[0].size
    if units <= EXACT or resamples * units <= CHUNK:
        flips = _every_flip(units) if units <= EXACT else next(_drawn_flips(units, seed, resamples)).astype(np.float64)
        sums_of_flipped: Sequence[Floats] = [products(flips, column) for column in columns]
    else:
        packed = KEPT.get(
            ("flips", units, seed, resamples),
            lambda: (np.packbits(flips.astype(np.uint8), axis=1) for flips in _drawn_flips(units, seed, resamples)),
        )
        unpack = partial(np.unpackbits, axis=1, count=units)
        sums_of_flipped = list(multiply_all(packed, columns, unpack))
    return [
        _share_as_far(column, flipped, alternative, exact=units <= EXACT)
        for column, flipped in zip(columns, sums_of_flipped, strict=True)
    ]


def _share_as_far(sums: Floats, flipped: Floats, alternative: Literal["two-sided", "less"], *, exact: bool) -> float:
    """The share of assignments whose mean is as far as the observed one; `flipped` are the sums that change sign."""
    observed = float(sums.sum())
    # The same terms in another order add up to a slightly different sum; sums within rounding error count as equal.
    slack = 1e-12 * float(np.abs(sums).sum())
    totals = observed - 2 * flipped
    far = np.abs(totals) >= abs(observed) - slack if alternative == "two-sided" else totals <= observed + slack
    hits = int(far.sum())
    return hits / len(far) if exact else (hits + 1) / (len(far) + 1)


def holm(ps: Sequence[float]) -> list[float]:
    """Correct p-values, in [0, 1], for their number: in the order given, none smaller than before, and none above 1.

    Holm, *A Simple Sequentially Rejective Multiple Test Procedure* (1979): the smallest of m is multiplied by m, the
    next by m - 1, and none is less than the one before it. Raises `ValueError` for a value outside [0, 1].
    """
    if not all(0 <= p <= 1 for p in ps):
        raise ValueError("a p-value is between 0 and 1")
    order = sorted(range(len(ps)), key=ps.__getitem__)
    corrected = accumulate((min(1.0, (len(ps) - rank) * ps[at]) for rank, at in enumerate(order)), max)
    by_place = dict(zip(order, corrected, strict=True))
    return [by_place[at] for at in range(len(ps))]


def _every_flip(units: int) -> Floats:
    """Which units change their sign (1) and which do not (0), in every assignment: (2 ** units, units)."""
    return (np.arange(2**units)[:, None] >> np.arange(units) & 1).astype(np.float64)


def _drawn_flips(units: int, seed: int, resamples: int) -> Iterator[Matrix]:
    """The signs of random assignments, as `_every_flip` has them: matrices (some assignments, units)."""
    generator = np.random.default_rng(seed)
    rows = max(1, CHUNK // units)
    for start in range(0, resamples, rows):
        yield generator.integers(0, 2, size=(min(rows, resamples - start), units))
