"""Intervals: against SciPy's bootstrap, against theory, and closed where there is no number to be had."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from liftbench import stats
from liftbench.types import Lift

Values = list[float]


def lift_of(baseline: Sequence[float | None], candidate: Sequence[float | None], **options: int) -> Lift:
    return stats.lift(baseline, candidate, metric="m", signature="m|1", **{"seed": 0, "resamples": 500, **options})


def example(n: int, seed: int) -> tuple[Values, Values]:
    """Scores as they look: a baseline near 0.2 and a candidate near 0.35, correlated."""
    generator = np.random.default_rng(seed)
    hard = generator.normal(0, 0.05, n)
    return (
        np.clip(0.2 + hard + generator.normal(0, 0.05, n), 0, 1).tolist(),
        np.clip(0.35 + hard + generator.normal(0, 0.1, n), 0, 1).tolist(),
    )


pairs = st.lists(st.tuples(st.floats(0.01, 1), st.floats(0, 1)), min_size=2, max_size=40).map(
    lambda rows: ([row[0] for row in rows], [row[1] for row in rows])
)


# -------------------------------------------------------------------------------------------------------- the figures


def test_the_lift_is_the_ratio_of_means_not_the_mean_of_ratios() -> None:
    assert lift_of([0.1, 0.3], [0.2, 0.3]).lift == pytest.approx(0.25)


# Two bootstraps with other random numbers agree up to the noise of a 2.5% quantile of 10,000 resamples: its standard
# error is sqrt(0.025 * 0.975 / 10,000) / 0.058 (the normal density there), 2.7% of the statistic's standard deviation
# or 0.7% of the interval's width. Both sides have it, so 4 standard errors of the difference are 4% of the width.
NOISE = 0.04


@pytest.mark.parametrize(("n", "seed"), [(20, 1), (108, 2), (400, 3)])
def test_a_lift_agrees_with_scipy(n: int, seed: int) -> None:
    baseline, candidate = example(n, seed)

    def relative_gain(b: np.ndarray, c: np.ndarray, axis: int) -> np.ndarray:
        return c.mean(axis=axis) / b.mean(axis=axis) - 1

    theirs = scipy.stats.bootstrap(
        (baseline, candidate), relative_gain, paired=True, method="percentile", n_resamples=10_000, rng=seed
    ).confidence_interval
    ours = lift_of(baseline, candidate, resamples=10_000)
    tolerance = NOISE * (theirs.high - theirs.low)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=tolerance)


@pytest.mark.parametrize(("n", "seed"), [(20, 1), (108, 2)])
def test_a_mean_agrees_with_scipy(n: int, seed: int) -> None:
    values, _ = example(n, seed)
    theirs = scipy.stats.bootstrap(
        (values,), np.mean, method="percentile", n_resamples=10_000, rng=seed
    ).confidence_interval
    mean, low, high = stats.mean_interval(values, seed=0)
    assert mean == pytest.approx(np.mean(values))
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=NOISE * (theirs.high - theirs.low))


def test_a_95_percent_interval_covers_the_true_lift_about_95_times_in_100() -> None:
    # 300 repetitions: the binomial standard error is 1.3%, so a right interval leaves [0.90, 0.99] once in 3,000 runs.
    covered = 0
    for repetition in range(300):
        generator = np.random.default_rng(repetition)
        hard = generator.normal(0, 0.05, 60)
        baseline = 0.2 + hard + generator.normal(0, 0.03, 60)
        candidate = 0.3 + hard + generator.normal(0, 0.06, 60)
        ours = lift_of(baseline.tolist(), candidate.tolist(), seed=repetition)
        assert ours.low is not None
        assert ours.high is not None
        covered += ours.low <= 0.5 <= ours.high
    assert 0.90 <= covered / 300 <= 0.99


def test_pairing_narrows_the_interval_of_correlated_systems() -> None:
    baseline = example(108, 4)[0]
    candidate = [value * 1.5 + 0.001 * (row % 3) for row, value in enumerate(baseline)]
    paired, broken = lift_of(baseline, candidate), lift_of(baseline, candidate[::-1])
    assert paired.low is not None
    assert paired.high is not None
    assert broken.low is not None
    assert broken.high is not None
    assert 5 * (paired.high - paired.low) < broken.high - broken.low


def test_several_candidates_widen_the_interval_and_the_method_says_so() -> None:
    baseline, candidate = example(108, 5)
    one, three = lift_of(baseline, candidate, resamples=10_000), lift_of(baseline, candidate, comparisons=3)
    assert one.low is not None
    assert three.low is not None
    assert three.low < one.low
    assert one.method == "95% interval by a paired percentile bootstrap (10,000 resamples, seed 0)"
    assert three.method == (
        "98.33% interval by a paired percentile bootstrap (500 resamples, seed 0); "
        "95% for 3 candidates together (Bonferroni)"
    )


# --------------------------------------------------------------------------------------------------------- properties


def test_a_seed_gives_the_same_bounds_whatever_the_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    baseline, candidate = example(37, 6)
    whole = lift_of(baseline, candidate), stats.mean_interval(baseline, seed=0, resamples=500)
    for chunk in (1, 37, 100, 1_001):
        monkeypatch.setattr(stats, "CHUNK", chunk)
        assert (lift_of(baseline, candidate), stats.mean_interval(baseline, seed=0, resamples=500)) == whole


def test_zero_is_a_seed_as_any_other() -> None:
    baseline, candidate = example(30, 7)
    assert lift_of(baseline, candidate, seed=0) == lift_of(baseline, candidate, seed=0)
    assert lift_of(baseline, candidate, seed=0).low != lift_of(baseline, candidate, seed=1).low


@given(pairs, st.floats(1e-3, 1e3))
@settings(max_examples=50, deadline=None)
def test_scaling_both_systems_leaves_the_lift_alone(pair: tuple[Values, Values], factor: float) -> None:
    baseline, candidate = pair
    plain = lift_of(baseline, candidate)
    scaled = lift_of([factor * value for value in baseline], [factor * value for value in candidate])
    assert (scaled.lift, scaled.low, scaled.high) == pytest.approx((plain.lift, plain.low, plain.high), abs=1e-9)


@given(pairs)
@settings(max_examples=50, deadline=None)
def test_a_system_has_no_lift_over_itself(pair: tuple[Values, Values]) -> None:
    itself = lift_of(pair[0], pair[0])
    assert (itself.lift, itself.low, itself.high) == (0, 0, 0)


@given(pairs, st.floats(-0.9, 3))
@settings(max_examples=50, deadline=None)
def test_an_even_gain_has_an_interval_without_width(pair: tuple[Values, Values], gain: float) -> None:
    even = lift_of(pair[0], [(1 + gain) * value for value in pair[0]])
    assert (even.lift, even.low, even.high) == pytest.approx((gain, gain, gain), abs=1e-9)


@given(pairs)
@settings(max_examples=50, deadline=None)
def test_bounds_are_in_order_and_within_what_resampling_can_reach(pair: tuple[Values, Values]) -> None:
    ours = lift_of(*pair)
    ratios = [candidate / baseline - 1 for baseline, candidate in zip(*pair, strict=True)]
    assert ours.low is not None
    assert ours.high is not None
    assert min(ratios) - 1e-9 <= ours.low <= ours.high <= max(ratios) + 1e-9


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_conversations_moves_bounds_by_resampling_noise_only(seed: int) -> None:
    values, _ = example(108, seed)
    one, other = (stats.mean_interval(order, seed=0) for order in (values, sorted(values)))
    assert one.mean == pytest.approx(other.mean)
    assert one.low is not None
    assert one.high is not None
    assert (other.low, other.high) == pytest.approx((one.low, one.high), abs=NOISE * (one.high - one.low))


# ------------------------------------------------------------------------------------------------------ fail closed


@pytest.mark.parametrize(
    ("baseline", "candidate", "reason"),
    [
        ([0.2, None], [0.3, 0.4], "no number for 1 of 2 conversations of the baseline"),
        ([0.2, 0.3], [math.nan, 0.4], "no number for 1 of 2 conversations of the candidate"),
        ([0.2, 0.3], [math.inf, math.nan], "no number for 2 of 2 conversations of the candidate"),
        ([0.2, 0.3, 0.1], [0.3, 0.4], "baseline has 3 values and the candidate 2"),
        ([], [], "at least 2 conversations, and there are 0"),
        ([0.2], [0.3], "at least 2 conversations, and there are 1"),
        ([0.0, 0.0], [0.3, 0.4], "the baseline's mean is 0"),
        ([-0.3, -0.1], [0.3, 0.4], "the baseline's mean is -0.2"),
        ([0.0, 0.5], [0.3, 0.4], "so near zero that resampling reaches it"),
        ([-0.4, 0.5, 0.5], [0.3, 0.4, 0.4], "so near zero that resampling reaches it"),
    ],
)
def test_there_is_no_lift_without_sound_numbers(baseline: Values, candidate: Values, reason: str) -> None:
    closed = lift_of(baseline, candidate)
    assert (closed.lift, closed.low, closed.high) == (None, None, None)
    assert reason in closed.problem


def test_a_lift_that_cannot_be_had_still_shows_both_means() -> None:
    closed = lift_of([0.0, 0.0], [0.3, 0.4])
    assert (closed.baseline, closed.candidate) == pytest.approx((0, 0.35))


@pytest.mark.parametrize(
    ("values", "expected"), [([], (None, None, None)), ([0.3], (0.3, None, None)), ([0.25] * 9, (0.25, 0.25, 0.25))]
)
def test_means_of_few_or_equal_values(values: Values, expected: tuple[float | None, ...]) -> None:
    assert stats.mean_interval(values, seed=0) == expected


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_mean_of_what_is_not_finite_is_a_fault_of_the_caller(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        stats.mean_interval([0.1, value], seed=0)


@pytest.mark.parametrize(
    ("share", "shown"), [(0.95, "95%"), (1 - 0.05 / 3, "98.33%"), (0.975, "97.5%"), (1.0, "100%"), (0.0, "0%")]
)
def test_percent(share: float, shown: str) -> None:
    assert stats.percent(share) == shown


# ------------------------------------------------------------------------------------------------------------ positions


def test_a_position_is_a_ratio_of_differences_of_means() -> None:
    found = stats.position([0.2, 0.4], [0.1, 0.3], [0.5, 0.7], seed=0)
    assert found == (pytest.approx(0.25), pytest.approx(0.25), pytest.approx(0.25), "")


@given(pairs, st.floats(0.1, 5), st.floats(-2, 2))
@settings(max_examples=30)
def test_a_position_does_not_depend_on_the_scale(columns: tuple[Values, Values], factor: float, shift: float) -> None:
    floor, values = columns
    ceiling = [value + 1 for value in floor]
    before = stats.position(values, floor, ceiling, seed=1, resamples=200)
    moved = [[factor * value + shift for value in column] for column in (values, floor, ceiling)]
    after = stats.position(*moved, seed=1, resamples=200)
    assert after[:3] == pytest.approx(before[:3], rel=1e-6, abs=1e-6)
    # Where lower is better everything is mirrored, and the place is the same.
    mirrored = stats.position(
        *([-value for value in column] for column in (values, floor, ceiling)), seed=1, resamples=200
    )
    assert mirrored[:3] == pytest.approx(before[:3])


@pytest.mark.parametrize(
    ("floor", "ceiling", "words"),
    [([0.1, 0.5], [0.1, 0.5], "stand apart"), ([0.1, 0.9], [0.5, 0.5], "stand apart"), ([0.1], [0.5], "at least 2")],
)
def test_without_a_scale_there_is_no_position(floor: Values, ceiling: Values, words: str) -> None:
    found = stats.position([0.3] * len(floor), floor, ceiling, seed=0)
    assert found.value is None
    assert words in found.problem
