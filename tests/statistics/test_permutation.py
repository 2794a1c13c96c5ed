"""Randomization tests: against SciPy's and a count by hand; Holm's correction against its definition."""

from __future__ import annotations

import math
from itertools import product
from random import Random
from typing import Literal

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from liftbench.statistics import permutation
from liftbench.statistics.permutation import EXACT, holm, randomization

Alternative = Literal["two-sided", "less"]
ALTERNATIVES: tuple[Alternative, ...] = ("two-sided", "less")

differences = st.lists(st.integers(-6, 6).map(lambda number: number / 6), min_size=1, max_size=8)


def theirs(values: list[float], alternative: Alternative, **options: object) -> float:
    return float(
        scipy.stats.permutation_test(
            (values,), np.mean, permutation_type="samples", alternative=alternative, vectorized=True, **options
        ).pvalue
    )


@pytest.mark.parametrize("alternative", ALTERNATIVES)
@pytest.mark.parametrize(("mean", "seed"), [(0.02, 1), (-0.03, 2), (0.0, 3)])
def test_a_p_agrees_with_scipy(mean: float, seed: int, alternative: Alternative) -> None:
    values = np.random.default_rng(seed).normal(mean, 0.1, 108).tolist()
    p = theirs(values, alternative, n_resamples=10_000, rng=seed)
    # Both are shares of 10,000 random assignments: 4 standard errors of their difference.
    noise = 4 * math.sqrt(2 * p * (1 - p) / 10_000)
    assert randomization(values, seed=0, alternative=alternative) == pytest.approx(p, abs=noise)


@pytest.mark.parametrize("alternative", ALTERNATIVES)
@pytest.mark.parametrize("n", [3, 8, EXACT])
def test_of_few_conversations_every_assignment_is_counted_as_by_scipy(n: int, alternative: Alternative) -> None:
    values = np.random.default_rng(n).normal(0.05, 0.1, n).tolist()
    exact = theirs(values, alternative, n_resamples=math.inf)
    assert randomization(values, seed=0, alternative=alternative) == pytest.approx(exact)


@given(differences, st.sampled_from(ALTERNATIVES))
@settings(max_examples=40)
def test_ties_count_as_equal(values: list[float], alternative: Alternative) -> None:
    # Sixths are no binary fractions: their sums differ in the last digit, by order. In whole numbers none does.
    whole = [round(6 * value) for value in values]
    totals = [
        sum(sign * value for sign, value in zip(signs, whole, strict=True))
        for signs in product((1, -1), repeat=len(whole))
    ]
    observed = sum(whole)
    hits = sum(abs(total) >= abs(observed) if alternative == "two-sided" else total <= observed for total in totals)
    assert randomization(values, seed=0, alternative=alternative) == pytest.approx(hits / len(totals))


@pytest.mark.parametrize("n", [2, EXACT, EXACT + 1, 50])
def test_no_difference_is_no_evidence_and_no_p_is_zero(n: int) -> None:
    assert randomization([0.0] * n, seed=0) == 1
    assert randomization([1.0] * n, seed=0, resamples=99) == pytest.approx(2 ** (1 - n) if n <= EXACT else 0.01)


def test_nothing_is_no_evidence() -> None:
    assert randomization([], seed=0) == 1


def test_less_asks_only_whether_it_is_worse() -> None:
    worse = np.random.default_rng(0).normal(-0.05, 0.1, 60)
    assert randomization(worse.tolist(), seed=0, alternative="less") < 0.01
    assert randomization((-worse).tolist(), seed=0, alternative="less") > 0.99
    assert randomization((-worse).tolist(), seed=0) == randomization(worse.tolist(), seed=0)


def test_chance_alone_is_called_a_difference_as_often_as_it_says() -> None:
    # 1,000 experiments: a share of 5% has a standard error of 0.7%.
    generator = np.random.default_rng(0)
    ps = [randomization(generator.normal(0, 0.1, 20).tolist(), seed=number, resamples=400) for number in range(1_000)]
    assert np.mean([p <= 0.05 for p in ps]) == pytest.approx(0.05, abs=0.03)


def test_conversations_of_one_customer_are_no_evidence_of_their_own() -> None:
    # Ten customers, each with the same difference in all of ten conversations.
    of_customers = np.random.default_rng(4).normal(0.03, 0.1, 10)
    repeated = np.repeat(of_customers, 10).tolist()
    clusters = [str(customer) for customer in range(10) for _ in range(10)]
    clustered = randomization(repeated, seed=0, clusters=clusters)
    assert clustered == pytest.approx(randomization(of_customers.tolist(), seed=0))
    assert randomization(repeated, seed=0) < clustered


def test_clusters_of_one_are_no_clusters() -> None:
    values = np.random.default_rng(0).normal(0.02, 0.1, 40).tolist()
    assert randomization(values, seed=0, clusters=[str(number) for number in range(40)]) == randomization(
        values, seed=0
    )


@pytest.mark.parametrize("chunk", [1, 30, 1_001])
def test_a_seed_gives_the_same_p_whatever_the_chunk(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).normal(0.02, 0.1, 30).tolist()
    whole = randomization(values, seed=0, resamples=500)
    monkeypatch.setattr(permutation, "CHUNK", chunk)
    assert randomization(values, seed=0, resamples=500) == whole


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_p_of_what_is_not_finite_is_a_fault_of_the_caller(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        randomization([0.1, value], seed=0)


# ---------------------------------------------------------------------------------------------------------------- Holm


@pytest.mark.parametrize(
    ("ps", "expected"),
    [
        ([], []),
        ([0.04], [0.04]),
        # 0.01 x 4, 0.02 x 3, 0.03 x 2, and 0.04 x 1, which is less than the one before.
        ([0.01, 0.02, 0.03, 0.04], [0.04, 0.06, 0.06, 0.06]),
        ([0.03, 0.001], [0.03, 0.002]),
        ([0.5, 0.9, 0.6], [1, 1, 1]),
        ([0.0, 1.0], [0.0, 1.0]),
    ],
)
def test_holm_by_hand(ps: list[float], expected: list[float]) -> None:
    assert holm(ps) == pytest.approx(expected)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
@settings(max_examples=60)
def test_holm_rejects_what_its_definition_rejects(ps: list[float]) -> None:
    corrected = holm(ps)
    assert all(before <= after <= 1 for before, after in zip(ps, corrected, strict=True))
    ranked = sorted(zip(ps, corrected, strict=True))
    assert [after for _, after in ranked] == sorted(corrected)
    for rank, (p, after) in enumerate(ranked):
        # Sequentially: the largest of all that the steps up to this one ask of the level.
        asked = max((len(ps) - step) * ranked[step][0] for step in range(rank + 1))
        assert after == pytest.approx(min(1, asked)), p


@given(st.lists(st.floats(0, 1), min_size=2, max_size=8, unique=True), st.randoms())
@settings(max_examples=30)
def test_holm_keeps_the_order_it_was_given(ps: list[float], random: Random) -> None:
    by_p = dict(zip(ps, holm(ps), strict=True))
    shuffled = list(ps)
    random.shuffle(shuffled)
    assert holm(shuffled) == [by_p[p] for p in shuffled]


@pytest.mark.parametrize("value", [math.nan, -0.1, 1.1])
def test_holm_takes_only_p_values(value: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        holm([0.1, value])
