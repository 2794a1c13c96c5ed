"""The bootstrap's engine: it draws whole units (conversations, or clusters of them) with replacement from a seed, and
computes the bounds of an interval from the draws. `bootstrap` says which figures have intervals, and why this method.

A resample is kept as counts: how often each unit was drawn. Its sums are then a product with the units' sums, and the
same seed and number of units give the same resamples for every metric.
"""

from __future__ import annotations

import math
import os
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..text.phrases import pluralize
from .quantiles import student_quantile

RESAMPLES = 10_000
LEAST_UNITS = 5
"""The fewest units for an interval. With four, one resample in 256 is the lowest unit four times, and `tail` leaves 1
in 8,401 beyond a 95% bound: both bounds would be the most extreme values in the sample, even where they belong further
out. With five it is 1 in 3,125, and the tail 1 in 1,048."""

CHUNK = 2_000_000
"""Counts held at a time: 16 MB, and twice that while they are drawn, for any number of units."""

BLOCK = 1_000_000
"""Counts that one thread multiplies with all columns at a time: 8 MB."""

MOST_KEPT = 300_000_000
"""Bytes of counts of large splits that are kept for the next figure, each count in the smallest type that holds it.
Drawing 10,000 resamples of 10,000 units (100 MB) takes fifteen times as long as reading them again."""

Floats = NDArray[np.float64]
Matrix = NDArray[Any]


class Units(NamedTuple):
    """Units, each resampled as a whole, and the values that belong to them."""

    of: NDArray[np.intp]
    """(values,): the index of each value's unit, from 0 in the order in which units first appear."""
    sizes: Floats
    """(units,): the number of values in each unit."""

    @property
    def number(self) -> int:
        return self.sizes.size

    def sums(self, values: Floats) -> Floats:
        """Sum values by unit: (values,) → (units,)."""
        return np.bincount(self.of, weights=values, minlength=self.number).astype(np.float64)


def units_of(n: int, clusters: Sequence[str] | None) -> Units:
    """The units of `n` values: values with the same label form one unit; without `clusters` each value is a unit.

    Raises `ValueError` unless there is a label for each value.
    """
    labels: Sequence[object] = range(n) if clusters is None else clusters
    if len(labels) != n:
        raise ValueError(f"{len(labels)} labels of clusters for {n} values")
    numbers: dict[object, int] = {}
    of = np.array([numbers.setdefault(label, len(numbers)) for label in labels], dtype=np.intp)
    return Units(of, np.bincount(of, minlength=len(numbers)).astype(np.float64))


def too_few(units: Units) -> str:
    """Why there is no interval over these units, or an empty string where they are `LEAST_UNITS` or more."""
    if units.number >= LEAST_UNITS:
        return ""
    values = pluralize(units.of.size, "conversation")
    if units.of.size > units.number:
        there = f"the {values} are of {units.number}"
        return f"an interval needs at least {LEAST_UNITS} clusters, and {there}"
    be = "is" if units.number == 1 else "are"
    return f"an interval needs at least {LEAST_UNITS} conversations, and there {be} {units.number}"


def draws(units: int, *, seed: int | tuple[int, ...], resamples: int) -> Iterator[Floats]:
    """How often each of `units` is drawn in each of `resamples` draws of `units` with replacement.

    Yields matrices (some resamples, units). Rows are drawn from one stream in order, so that their content does not
    depend on the chunk size. Counts that fit in one chunk are kept for the next metric, larger ones up to `MOST_KEPT`
    bytes.
    """
    if resamples * units <= CHUNK:
        yield _kept(units, seed, resamples)
    else:
        for counts in _counts(units, seed, resamples):
            yield counts.astype(np.float64)


def resampled_sums(columns: Sequence[Floats], *, seed: int, resamples: int) -> Floats:
    """The sums of each column, (units,), over the drawn units: (columns, resamples)."""
    units = columns[0].size
    if resamples * units <= CHUNK:
        counts = _kept(units, seed, resamples)
        return np.array([products(counts, column) for column in columns])
    return multiply_all(_counts(units, seed, resamples), columns)


def multiply_all(
    matrices: Iterable[Matrix], columns: Sequence[Floats], read: Callable[[Matrix], Matrix] | None = None
) -> Floats:
    """The product of each column, (units,), with each row of some matrices of counts, (some rows, units).

    The result is (columns, rows). A row holds at most `units` counts in all. Every product is exact but for its last
    rounding, so that it depends neither on the order in which BLAS adds, nor on threads and machine (see
    `_split_exactly`). `read` makes the counts of a block, where a matrix holds them in another form.
    """
    units = columns[0].size
    rows = max(1, BLOCK // units)
    parts, exponents = _split_exactly(np.array(columns))
    work = partial(_multiply, parts=parts, exponents=exponents, read=read)
    done: list[Floats] = []
    waiting: deque[Future[Floats]] = deque()
    threads = _threads()
    with ThreadPoolExecutor(threads) as pool:
        for matrix in matrices:
            waiting.extend(pool.submit(work, matrix[start : start + rows]) for start in range(0, len(matrix), rows))
            # Only the next matrix is drawn meanwhile, so that memory holds few of them.
            while len(waiting) > 2 * len(matrix) // rows + threads:
                done.append(waiting.popleft().result())
        done.extend(future.result() for future in waiting)
    return np.concatenate(done, axis=1)


def _split_exactly(columns: Floats) -> tuple[Floats, NDArray[np.int_]]:
    """Each column as two parts, (2, units, columns), and the exponents of two that scale them back: (columns,).

    The parts are on grids so coarse that sums of `units` of their values are exact in 53 bits, in any order: after
    Ozaki and others, *Error-free transformations of matrix multiplication* (2012). What both grids leave of a value is
    below 2**-75 of the column's largest, for 10,000 units.
    """
    bits = columns.shape[1].bit_length()
    exponents = np.frexp(np.abs(columns).max(axis=1))[1]
    scaled = np.ldexp(columns, -exponents[:, None])  # in (-1, 1)
    coarse, fine = 2.0 ** (53 - bits), 2.0 ** (107 - 2 * bits)
    high = np.rint(scaled * coarse) / coarse
    low = np.rint((scaled - high) * fine) / fine
    return np.ascontiguousarray(np.array([high, low]).transpose(0, 2, 1)), exponents


def _multiply(
    block: Matrix, parts: Floats, exponents: NDArray[np.int_], read: Callable[[Matrix], Matrix] | None
) -> Floats:
    counts = (read(block) if read else block).astype(np.float64)
    high, low = counts @ parts[0], counts @ parts[1]
    products: Floats = np.ldexp(high + low, exponents).T
    return products


def _threads() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def resampled_means(columns: Sequence[Floats], units: Units, *, seed: int, resamples: int) -> Floats:
    """The means of each column, (values,), over the values of the drawn units: (columns, resamples).

    For clusters of unequal size, the mean is the ratio of resampled sums to resampled sizes.
    """
    *sums, sizes = resampled_sums([*map(units.sums, columns), units.sizes], seed=seed, resamples=resamples)
    means: Floats = np.divide(sums, sizes)
    return means


def products(matrix: Floats, vector: Floats) -> Floats:
    """`matrix @ vector`, added up in an order that does not depend on the number of rows and threads.

    With BLAS the order does depend on them, and equal bounds would differ in their last digit. BLAS takes 0.15 ms where
    this takes 0.33 (10,000 x 108), and 8 ms where another process wants its threads. Many columns of large splits are
    worth the exact split of `multiply_all`: there BLAS takes 9 ms a column where this takes 45 (10,000 x 10,000).
    """
    product: Floats = np.einsum("ru,u->r", matrix, vector)
    return product


def tail(level: float, units: float) -> float:
    """The share of resamples to leave beyond each bound: less than (1 - level) / 2, since few units narrow an interval.

    A resampled mean spreads by sqrt((n - 1) / n) too little, and normal quantiles are too small for a spread that is
    itself estimated: the expanded percentile interval of Hesterberg (2015). `units` is at least 2.
    """
    t = student_quantile(units - 1, (1 + level) / 2)
    return math.erfc(math.sqrt(t * t * units / (units - 1) / 2)) / 2


def bounds(statistics: Floats, tail: float) -> tuple[float, float]:
    """The two values that leave a share `tail` of the statistics beyond each."""
    low, high = np.quantile(statistics, [tail, 1 - tail])
    return float(low), float(high)


def freedom(*sources: tuple[float, int]) -> float:
    """Degrees of freedom of a sum of independent (variance, degrees of freedom); the first has at least one degree.

    Satterthwaite, *An Approximate Distribution of Estimates of Variance Components* (1946).
    """
    whole = sum(variance for variance, _ in sources)
    parts = sum(variance**2 / degrees for variance, degrees in sources if variance)
    return whole**2 / parts if parts else sources[0][1]


# -------------------------------------------------------------------------------------------------------------- drawing


@lru_cache(maxsize=4)
def _kept(units: int, seed: int | tuple[int, ...], resamples: int) -> Floats:
    counts = next(_drawn(units, seed, resamples)).astype(np.float64)
    counts.flags.writeable = False
    return counts


class KeptMatrices:
    """The matrices of the latest draws, up to `MOST_KEPT` bytes."""

    def __init__(self) -> None:
        self._kept: OrderedDict[object, list[Matrix]] = OrderedDict()
        self._bytes = 0

    def get(self, key: object, draw: Callable[[], Iterable[Matrix]]) -> Iterator[Matrix]:
        """The matrices of a key: kept ones, or else drawn now, and kept once all of them are drawn."""
        if (there := self._kept.get(key)) is not None:
            self._kept.move_to_end(key)
            yield from there
            return
        drawn: list[Matrix] = []
        size = 0
        for matrix in draw():
            size += matrix.nbytes
            if size <= MOST_KEPT:
                drawn.append(matrix)
            else:
                drawn.clear()
            yield matrix
        if size <= MOST_KEPT and key not in self._kept:
            self._kept[key] = drawn
            self._bytes += size
        while self._bytes > MOST_KEPT:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= sum(matrix.nbytes for matrix in oldest)


KEPT = KeptMatrices()
"""Shared by the process: the figures of one comparison need the same draws many times."""


def _counts(units: int, seed: int | tuple[int, ...], resamples: int) -> Iterator[Matrix]:
    """The counts of `draws`, in the smallest integer type that holds them."""
    return KEPT.get(
        ("counts", units, seed, resamples),
        lambda: (counts.astype(np.min_scalar_type(int(counts.max()))) for counts in _drawn(units, seed, resamples)),
    )


def _drawn(units: int, seed: int | tuple[int, ...], resamples: int) -> Iterator[Matrix]:
    generator = np.random.default_rng(seed)
    rows = max(1, CHUNK // units)
    for start in range(0, resamples, rows):
        drawn = generator.integers(0, units, size=(min(rows, resamples - start), units))
        yield np.array([np.bincount(row, minlength=units) for row in drawn])
