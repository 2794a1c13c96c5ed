"""Resampling: the same draws whatever the chunk, clusters whole, and bounds wide enough for few units."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from liftbench.statistics import resampling
from liftbench.statistics.resampling import bounds, draws, freedom, resampled_means, resampled_sums, tail, units_of


def all_draws(units: int, seed: int, resamples: int) -> np.ndarray:
    return np.concatenate(list(draws(units, seed=seed, resamples=resamples)))


def exact_product(counts: Iterable[float], column: Iterable[float]) -> float:
    return float(sum(int(count) * Fraction(value) for count, value in zip(counts, column, strict=True)))


def test_each_resample_has_as_many_units_as_there_are() -> None:
    drawn = all_draws(37, 0, 500)
    assert drawn.shape == (500, 37)
    assert set(drawn.sum(axis=1)) == {37}


def test_every_unit_is_drawn_once_on_average() -> None:
    # Counts are Poisson(1) but for a little: of 20,000 the mean has a standard error of 0.007.
    drawn = all_draws(5, 3, 20_000)
    assert drawn.mean(axis=0) == pytest.approx(np.ones(5), abs=0.03)
    assert drawn.var(axis=0) == pytest.approx(np.full(5, 0.8), abs=0.04)


@pytest.mark.parametrize("chunk", [1, 37, 100, 1_001, 10_000])
def test_a_seed_gives_the_same_draws_and_sums_whatever_the_chunk(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(1).random(37)
    whole = all_draws(37, 0, 500), resampled_sums([values], seed=0, resamples=500)
    monkeypatch.setattr(resampling, "CHUNK", chunk)
    assert (all_draws(37, 0, 500) == whole[0]).all()
    sums = resampled_sums([values], seed=0, resamples=500)
    assert sums == pytest.approx(whole[1], rel=1e-14), "counts that fit in one chunk are added up in another way"
    assert sums[0].tolist() == [exact_product(row, values) for row in whole[0]]


def counts_of(units: int, seed: int) -> np.ndarray:
    return np.concatenate(list(draws(units, seed=seed, resamples=40)))


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, object]]:
    """Which draws are made, from now on, none of them in one chunk: (units, seed) of each."""
    made: list[tuple[int, object]] = []
    draw = resampling._drawn

    def count(units: int, seed: int | tuple[int, ...], resamples: int) -> Iterator[np.ndarray]:
        made.append((units, seed))
        return draw(units, seed, resamples)

    monkeypatch.setattr(resampling, "_drawn", count)
    monkeypatch.setattr(resampling, "KEPT", resampling.KeptMatrices())
    monkeypatch.setattr(resampling, "CHUNK", 100)
    return made


def test_draws_of_many_units_are_kept_for_the_next_figure(drawn: list[tuple[int, object]]) -> None:
    first, other, again = counts_of(37, 0), counts_of(37, 1), counts_of(37, 0)
    assert (first == again).all()
    assert (first != other).any()
    assert drawn == [(37, 0), (37, 1)]


def test_the_latest_draws_are_kept_as_far_as_there_is_room(
    drawn: list[tuple[int, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resampling, "MOST_KEPT", 2 * 37 * 40)  # Each count is a byte.
    for seed in (0, 1, 2, 2, 1, 0):
        counts_of(37, seed)
    assert [seed for _, seed in drawn] == [0, 1, 2, 0]
    counts_of(100, 0), counts_of(100, 0)
    assert drawn[4:] == [(100, 0), (100, 0)], "more than there is room for is drawn again"
    counts_of(37, 0)
    assert len(drawn) == 6, "and leaves the others alone"


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_the_number_of_threads_changes_no_sum(
    threads: int, drawn: list[tuple[int, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = list(np.random.default_rng(1).random((3, 37)))
    expected = [[exact_product(row, column) for row in counts_of(37, 0)] for column in columns]
    monkeypatch.setattr(resampling, "_threads", lambda: threads)
    monkeypatch.setattr(resampling, "BLOCK", 90)
    assert resampled_sums(columns, seed=0, resamples=40).tolist() == expected
    assert drawn == [(37, 0)]


def test_zero_is_a_seed_as_any_other() -> None:
    assert (all_draws(9, 0, 50) == all_draws(9, 0, 50)).all()
    assert (all_draws(9, 0, 50) != all_draws(9, 1, 50)).any()


def test_what_is_kept_for_the_next_metric_cannot_be_changed() -> None:
    (counts,) = draws(9, seed=0, resamples=50)
    with pytest.raises(ValueError, match="read-only"):
        counts[0, 0] = 7


def test_sums_are_those_of_the_drawn_units() -> None:
    values = np.array([0.5, 0.25, 2.0])
    expected = [sum(count * value for count, value in zip(row, values, strict=True)) for row in all_draws(3, 0, 20)]
    (sums,) = resampled_sums([values], seed=0, resamples=20)
    assert sums == pytest.approx(expected)


def test_equal_columns_have_equal_sums() -> None:
    values = np.random.default_rng(0).random(101)
    sums = resampled_sums([values, 2 * values, values.copy()], seed=0, resamples=300)
    assert (sums[0] == sums[2]).all()


# ------------------------------------------------------------------------------------------------------------ clusters


def test_units_are_numbered_in_the_order_in_which_they_appear() -> None:
    units = units_of(5, ["b", "a", "b", "c", "a"])
    assert units.of.tolist() == [0, 1, 0, 2, 1]
    assert units.sizes.tolist() == [2, 2, 1]
    assert units.sums(np.array([1.0, 2, 4, 8, 16])).tolist() == [5, 18, 8]


@pytest.mark.parametrize("clusters", [None, []])
def test_nothing_has_no_units(clusters: list[str] | None) -> None:
    assert units_of(0, clusters).number == 0


def test_a_label_for_each_value_or_none() -> None:
    with pytest.raises(ValueError, match="2 labels of clusters for 3 values"):
        units_of(3, ["a", "b"])


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.floats(-1, 1)), min_size=1, max_size=20))
@settings(max_examples=30)
def test_the_mean_of_a_resample_is_that_of_all_values_of_the_drawn_clusters(rows: list[tuple[str, float]]) -> None:
    labels, values = zip(*rows, strict=True)
    (means,) = resampled_means([np.array(values)], units_of(len(rows), labels), seed=0, resamples=20)
    names = list(dict.fromkeys(labels))
    for mean, counts in zip(means, all_draws(len(names), 0, 20), strict=True):
        times = dict(zip(names, counts, strict=True))
        pooled = [value for label, value in rows for _ in range(int(times[label]))]
        assert mean == pytest.approx(math.fsum(pooled) / len(pooled), abs=1e-9)


def test_other_names_of_clusters_change_nothing() -> None:
    values = np.random.default_rng(0).random(6)
    one, other = (units_of(6, labels) for labels in (list("aabbcc"), list("zzyyxx")))
    assert (
        resampled_means([values], one, seed=0, resamples=50) == resampled_means([values], other, seed=0, resamples=50)
    ).all()


# -------------------------------------------------------------------------------------------------------------- bounds


@pytest.mark.parametrize("n", [5, 20, 108])
def test_of_normal_data_the_widened_tail_gives_students_interval(n: int) -> None:
    # The bootstrap's distribution of a mean: normal about it, with the spread divided by n, not by n - 1.
    mean, spread = 0.3, 0.1
    bootstrap = scipy.stats.norm(mean, spread * math.sqrt((n - 1) / n) / math.sqrt(n))
    student = scipy.stats.t(n - 1, mean, spread / math.sqrt(n))
    assert bootstrap.ppf(tail(0.95, n)) == pytest.approx(student.ppf(0.025))


def test_the_tail_of_many_units_is_the_plain_one() -> None:
    assert tail(0.95, 1_000_000) == pytest.approx(0.025, rel=1e-4)
    assert 0 <= tail(0.95, 2) < tail(0.95, 10) < tail(0.95, 100) < 0.025
    assert tail(0.99, 30) < tail(0.95, 30)


def test_bounds_leave_a_share_at_each_end() -> None:
    assert bounds(np.arange(101.0), 0.1) == (pytest.approx(10), pytest.approx(90))


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        ([(2.0, 7)], 7),
        ([(2.0, 7), (0.0, 0)], 7),  # A single seed adds nothing.
        ([(0.0, 7), (3.0, 4)], 4),
        ([(1.0, 4), (1.0, 4)], 8),
        ([(0.0, 7), (0.0, 4)], 7),
    ],
)
def test_degrees_of_freedom_lie_between_those_of_the_parts_and_their_sum(
    sources: list[tuple[float, int]], expected: float
) -> None:
    assert freedom(*sources) == pytest.approx(expected)


@pytest.mark.parametrize("read", [None, np.negative])
def test_products_of_large_splits_are_exact_whatever_the_order(read: Any) -> None:
    chance = np.random.default_rng(1)
    units = 3000
    columns = [
        chance.random(units),
        chance.normal(size=units) * 1e-9,
        np.where(chance.random(units) < 0.5, 0, chance.normal(size=units) * 10.0 ** chance.integers(-300, 5, units)),
        np.zeros(units),
    ]
    counts = np.array([np.bincount(chance.integers(0, units, units), minlength=units) for _ in range(12)])
    sign = -1 if read else 1
    found = resampling.multiply_all([counts[:5], counts[5:]], columns, read)
    for column, row in zip(columns, found, strict=True):
        exact = [exact_product(sign * some, column) for some in counts]
        assert np.allclose(row, exact, rtol=1e-15, atol=1e-18 * np.abs(column).max())
    order = chance.permutation(units)
    shuffled = resampling.multiply_all([counts[:, order]], [column[order] for column in columns], read)
    assert (shuffled == found).all()
    alone = np.array([resampling.multiply_all([counts], [column], read)[0] for column in columns])
    assert (alone == found).all()
