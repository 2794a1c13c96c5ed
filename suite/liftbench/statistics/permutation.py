"""How often chance alone would make such differences: randomization of paired differences, and Holm's correction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import accumulate
from typing import Literal

import numpy as np

from .resampling import CHUNK, KEPT, RESAMPLES, Floats, Matrix, multiply_all, products, units_of

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
    """Of how many assignments the mean is as far as the observed one; `flipped` are the sums that change their sign."""
    observed = float(sums.sum())
    # The same terms in another order add up to something a little else; what is equal but for that counts as equal.
    slack = 1e-12 * float(np.abs(sums).sum())
    totals = observed - 2 * flipped
    far = np.abs(totals) >= abs(observed) - slack if alternative == "two-sided" else totals <= observed + slack
    hits = int(far.sum())
    return hits / len(far) if exact else (hits + 1) / (len(far) + 1)


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


def _every_flip(units: int) -> Floats:
    """Which units change their sign (1) and which do not (0), in every assignment: (2 ** units, units)."""
    return (np.arange(2**units)[:, None] >> np.arange(units) & 1).astype(np.float64)


def _drawn_flips(units: int, seed: int, resamples: int) -> Iterator[Matrix]:
    """The same of random assignments: matrices (some assignments, units)."""
    generator = np.random.default_rng(seed)
    rows = max(1, CHUNK // units)
    for start in range(0, resamples, rows):
        yield generator.integers(0, 2, size=(min(rows, resamples - start), units))
