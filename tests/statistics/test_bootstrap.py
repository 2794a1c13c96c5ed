"""Intervals and lifts: against SciPy, against theory, on real scores, and closed where there is no number to be had."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from liftbench.statistics.bootstrap import Bootstrap, MeanInterval, PositionInterval
from liftbench.statistics.lift import Lift, LiftResult, NoLift
from liftbench.statistics.paired_lift import LiftRequest
from liftbench.statistics.resampling import LEAST_UNITS, tail
from liftbench.text.phrases import percent

from ..benchmarks.coverage_study import FAILURES, LOOKS, Population, lifts, populations, wrong

Values = list[float]

ABOUT: dict[str, Any] = {"metric": "m", "signature": "m|1", "target": 0.4}


def bootstrap(n: int, clusters: Sequence[str] | None = None, **settings: Any) -> tuple[Bootstrap, list[str] | None]:
    """The settings, and the ids of n values; `clusters` has a label for each value."""
    if clusters is None:
        return Bootstrap(**{"seed": 0, "resamples": 500, **settings}), None
    ids = [f"c{number}" for number in range(n)]
    named = dict(zip(ids, clusters, strict=True))
    return Bootstrap(**{"seed": 0, "resamples": 500, **settings}, clusters=named), ids


def result_of(
    baseline: Sequence[float | None],
    *candidates: Sequence[float | None],
    clusters: Sequence[str] | None = None,
    target: float = 0.4,
    **settings: Any,
) -> LiftResult:
    how, ids = bootstrap(len(baseline), clusters, **settings)
    return how.lift(baseline, *candidates, **{**ABOUT, "target": target}, ids=ids)


def lift_of(baseline: Sequence[float | None], *candidates: Sequence[float | None], **options: Any) -> Lift:
    found = result_of(baseline, *candidates, **options)
    assert isinstance(found, Lift), found
    return found


def mean_of(values: Sequence[float], clusters: Sequence[str] | None = None, **settings: Any) -> MeanInterval:
    how, ids = bootstrap(len(values), clusters, **{"resamples": 10_000, **settings})
    return how.mean(values, ids)


def position_of(
    values: Sequence[float],
    floor: Sequence[float],
    ceiling: Sequence[float],
    clusters: Sequence[str] | None = None,
    **settings: Any,
) -> PositionInterval:
    how, ids = bootstrap(len(values), clusters, **{"resamples": 10_000, **settings})
    return how.position(values, floor, ceiling, ids)


def example(n: int, seed: int) -> tuple[Values, Values]:
    """Scores as they look: a baseline near 0.2 and a candidate near 0.35, correlated."""
    generator = np.random.default_rng(seed)
    hard = generator.normal(0, 0.05, n)
    return (
        np.clip(0.2 + hard + generator.normal(0, 0.05, n), 0, 1).tolist(),
        np.clip(0.35 + hard + generator.normal(0, 0.1, n), 0, 1).tolist(),
    )


def bounds(lift: Lift) -> tuple[float, float]:
    assert lift.low is not None
    assert lift.high is not None
    return lift.low, lift.high


def width(lift: Lift) -> float:
    low, high = bounds(lift)
    return high - low


def figures(lift: Lift) -> dict[str, Any]:
    return {
        name: getattr(lift, name)
        for name in (
            "lift",
            "low",
            "high",
            "difference",
            "difference_low",
            "difference_high",
            "surplus_low",
            "detectable",
        )
    }


pairs = st.lists(st.tuples(st.floats(0.01, 1), st.floats(0, 1)), min_size=LEAST_UNITS, max_size=40).map(
    lambda rows: ([row[0] for row in rows], [row[1] for row in rows])
)
# A baseline that varies by at most a third of its mean: on eight conversations and more it is safe to divide by.
steady = st.lists(st.tuples(st.floats(0.2, 0.3), st.floats(0, 1)), min_size=8, max_size=40).map(
    lambda rows: ([row[0] for row in rows], [row[1] for row in rows])
)


# -------------------------------------------------------------------------------------------------------- the figures


def test_the_lift_is_the_ratio_of_means_not_the_mean_of_ratios() -> None:
    assert lift_of([0.1, 0.3] * 3, [0.2, 0.3] * 3).lift == pytest.approx(0.25)


# Two bootstraps with other random numbers agree up to the noise of a 2.5% quantile of 10,000 resamples: its standard
# error is sqrt(0.025 * 0.975 / 10,000) / 0.058 (the normal density there), 2.7% of the statistic's standard deviation
# or 0.7% of the interval's width. Both sides have it, so 4 standard errors of the difference are 4% of the width.
# Widened for few units the quantile is further out and noisier: 1.4% at 20 conversations, 3.8% for the difference.
NOISE = 0.04


@pytest.mark.parametrize(("n", "seed"), [(20, 1), (108, 2), (400, 3)])
def test_a_lift_agrees_with_scipy(n: int, seed: int) -> None:
    baseline, candidate = example(n, seed)

    def relative_gain(b: Any, c: Any, axis: int) -> Any:
        return c.mean(axis=axis) / b.mean(axis=axis) - 1

    theirs = scipy.stats.bootstrap(
        (baseline, candidate),
        relative_gain,
        paired=True,
        method="percentile",
        confidence_level=1 - 2 * tail(0.95, n),
        n_resamples=10_000,
        rng=seed,
    ).confidence_interval
    ours = lift_of(baseline, candidate, resamples=10_000)
    tolerance = NOISE * (theirs.high - theirs.low)
    assert bounds(ours) == pytest.approx((theirs.low, theirs.high), abs=tolerance)


@pytest.mark.parametrize(("n", "seed"), [(20, 1), (108, 2)])
def test_a_mean_agrees_with_scipy(n: int, seed: int) -> None:
    values, _ = example(n, seed)
    theirs = scipy.stats.bootstrap(
        (values,), np.mean, method="percentile", confidence_level=1 - 2 * tail(0.975, n), n_resamples=10_000, rng=seed
    ).confidence_interval
    mean, low, high = mean_of(values, comparisons=2)
    assert mean == pytest.approx(np.mean(values))
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=NOISE * (theirs.high - theirs.low))


@pytest.mark.parametrize("n", [5, 12, 108])
def test_a_mean_of_normal_data_has_students_interval(n: int) -> None:
    values = scipy.stats.norm(0.3, 0.05).ppf((np.arange(n) + 0.5) / n)
    theirs = scipy.stats.t(n - 1, values.mean(), values.std(ddof=1) / math.sqrt(n)).interval(0.95)
    _, low, high = mean_of(values.tolist(), seed=0)
    # Few values have shorter tails than a normal distribution, and their resampled means, too.
    assert (low, high) == pytest.approx(theirs, abs=(0.12 if n == 5 else 0.06) * (theirs[1] - theirs[0]))


def test_differences_and_surplus_are_bounded_by_the_same_resamples() -> None:
    baseline, candidate = example(108, 4)
    ours = lift_of(baseline, candidate, target=0.25)
    gains = np.subtract(candidate, baseline)
    surplus = np.subtract(candidate, 1.25 * np.array(baseline))
    assert ours.difference == pytest.approx(gains.mean())
    for name, values in (("difference", gains), ("surplus", surplus)):
        _, low, high = mean_of(values.tolist(), seed=0, resamples=500)
        assert (getattr(ours, f"{name}_low"), getattr(ours, f"{name}_high")) == pytest.approx((low, high))


def test_a_p_is_that_of_the_randomization_test() -> None:
    baseline, candidate = example(40, 5)
    generator = np.random.default_rng(0)
    near = [value + generator.normal(0.005, 0.03) for value in baseline]
    theirs = scipy.stats.permutation_test(
        (near, baseline),
        lambda x, y, axis: (x - y).mean(axis=axis),
        permutation_type="samples",
        n_resamples=10_000,
        rng=1,
    ).pvalue
    assert lift_of(baseline, near, resamples=10_000).p == pytest.approx(theirs, abs=0.03)
    assert lift_of(baseline, candidate).p == pytest.approx(1 / 501)
    assert lift_of(baseline, baseline).p == 1
    assert lift_of(baseline, candidate).p_holm is None


def test_pairing_narrows_the_interval_of_correlated_systems() -> None:
    baseline = example(108, 4)[0]
    candidate = [value * 1.5 + 0.001 * (row % 3) for row, value in enumerate(baseline)]
    assert 5 * width(lift_of(baseline, candidate)) < width(lift_of(baseline, candidate[::-1]))


def test_several_candidates_widen_the_interval_and_the_method_says_so() -> None:
    baseline, candidate = example(108, 5)
    one, three = lift_of(baseline, candidate, resamples=10_000), lift_of(baseline, candidate, comparisons=3)
    assert bounds(three)[0] < bounds(one)[0]
    assert bounds(three)[1] > bounds(one)[1]
    assert one.method == (
        "95% interval by a paired percentile bootstrap, widened for few units "
        "(10,000 resamples of 108 conversations, seed 0)"
    )
    assert three.method == (
        "98.33% interval by a paired percentile bootstrap, widened for few units "
        "(500 resamples of 108 conversations, seed 0); 95% for 3 candidates together (Bonferroni)"
    )


# ---------------------------------------------------------------------------------------------------------- real scores

RESULT = Path(__file__).resolve().parents[2] / "baselines" / "interval-coverage.jsonl"


@pytest.mark.parametrize(
    "population", populations(), ids=lambda population: f"{population.dataset}-{population.metric}"
)
def test_a_lower_bound_is_wrong_in_at_most_4_percent_of_1000_experiments(population: Population) -> None:
    experiments = population.drawn(110)
    shares = wrong(lifts(population, *experiments, resamples=1_000), population.lift)
    assert shares["lower_wrong"] <= 0.04
    assert shares["upper_wrong"] <= 0.04


def test_the_committed_study_holds_what_is_said_of_it() -> None:
    rows = [json.loads(line) for line in RESULT.read_text(encoding="utf-8").splitlines()]
    ours = [row for row in rows if row.get("method") == "stats.lift" and row["n"] == 110]
    assert {(row["dataset"], row["metric"]) for row in ours} == {
        (population.dataset, population.metric) for population in populations()
    }
    assert max(row["lower_wrong"] for row in ours) <= 0.04
    share = {row["resampled"]: row["lower_wrong"] for row in rows if row["what"] == "clusters"}
    assert share["clusters"] <= 0.04 < share["conversations"]
    # 1,000 experiments: a share of 80% has a standard error of 1.3%.
    assert [row["verified"] for row in rows if row["what"] == "power"] == pytest.approx([0.8] * len(ours), abs=0.05)
    failing = [row for row in rows if row["what"] == "total failures"]
    assert {(row["n"], row["rate"]) for row in failing} == set(product((30, 110), FAILURES))
    assert max(row["lower_wrong"] for row in failing) <= 0.04
    assert max(row["wrong_and_unnoticed"] for row in failing) <= 0.03
    families = [row for row in rows if row["what"] == "looks"]
    assert [row["looks"] for row in families] == 2 * list(LOOKS)
    assert max(row["some_verified_shared_level"] for row in families) <= 0.04
    assert max(row["some_verified"] for row in families) > 0.25


# --------------------------------------------------------------------------------------------------------- properties


@given(steady, st.floats(1e-3, 1e3))
@settings(max_examples=40, deadline=None)
def test_scaling_both_systems_leaves_the_lift_alone(pair: tuple[Values, Values], factor: float) -> None:
    baseline, candidate = pair
    plain = lift_of(baseline, candidate)
    scaled = lift_of([factor * value for value in baseline], [factor * value for value in candidate])
    for name in ("lift", "low", "high", "detectable"):
        assert getattr(scaled, name) == pytest.approx(getattr(plain, name), abs=1e-9)


@given(pairs)
@settings(max_examples=40, deadline=None)
def test_a_system_has_no_lift_over_itself(pair: tuple[Values, Values]) -> None:
    itself = lift_of(pair[0], pair[0])
    assert (itself.lift, itself.difference_low, itself.difference_high, itself.p) == (0, 0, 0, 1)
    assert (itself.low, itself.high) == ((0, 0) if itself.decides == "ratio" else (None, None))


@given(steady, st.floats(-0.9, 3))
@settings(max_examples=40, deadline=None)
def test_an_even_gain_has_an_interval_without_width(pair: tuple[Values, Values], gain: float) -> None:
    even = lift_of(pair[0], [(1 + gain) * value for value in pair[0]])
    assert (even.lift, *bounds(even)) == pytest.approx((gain, gain, gain), abs=1e-9)


@given(pairs)
@settings(max_examples=40, deadline=None)
def test_bounds_are_in_order_and_within_what_resampling_can_reach(pair: tuple[Values, Values]) -> None:
    ours = lift_of(*pair)
    assert ours.difference_low is not None
    assert ours.difference_high is not None
    gains = [candidate - baseline for baseline, candidate in zip(*pair, strict=True)]
    assert min(gains) - 1e-9 <= ours.difference_low <= ours.difference_high <= max(gains) + 1e-9
    if ours.decides == "ratio":
        ratios = [candidate / baseline - 1 for baseline, candidate in zip(*pair, strict=True)]
        assert min(ratios) - 1e-9 <= bounds(ours)[0] <= bounds(ours)[1] <= max(ratios) + 1e-9


@given(steady, st.floats(-0.5, 3))
@settings(max_examples=40, deadline=None)
def test_both_ways_of_judging_the_target_agree(pair: tuple[Values, Values], target: float) -> None:
    ours = lift_of(*pair, target=target)
    assert ours.surplus_low is not None
    assert ours.surplus_high is not None
    low, high = bounds(ours)
    # Quantiles lie between two resamples, and a straight line between them is another for a ratio than for a surplus.
    assume(min(abs(low - target), abs(high - target)) > 0.05)
    assert (low > target) == (ours.surplus_low > 0)
    assert (high < target) == (ours.surplus_high < 0)


@given(steady, st.integers(2, 20))
@settings(max_examples=30, deadline=None)
def test_more_candidates_never_narrow_the_interval(pair: tuple[Values, Values], comparisons: int) -> None:
    one, several = lift_of(*pair), lift_of(*pair, comparisons=comparisons)
    assert bounds(several)[0] <= bounds(one)[0]
    assert bounds(several)[1] >= bounds(one)[1]
    assert several.detectable is not None
    assert one.detectable is not None
    assert several.detectable >= one.detectable


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_conversations_moves_bounds_by_resampling_noise_only(seed: int) -> None:
    baseline, candidate = example(108, seed)
    one = lift_of(baseline, candidate, resamples=10_000)
    order = np.argsort(baseline)
    other = lift_of([baseline[at] for at in order], [candidate[at] for at in order], resamples=10_000)
    assert other.lift == pytest.approx(one.lift)
    assert bounds(other) == pytest.approx(bounds(one), abs=NOISE * width(one))


def test_a_seed_decides_the_bounds() -> None:
    baseline, candidate = example(30, 7)
    assert lift_of(baseline, candidate, seed=0) == lift_of(baseline, candidate, seed=0)
    assert lift_of(baseline, candidate, seed=0).low != lift_of(baseline, candidate, seed=1).low


# ------------------------------------------------------------------------------------------------------------ clusters


def test_clusters_of_one_are_no_clusters() -> None:
    baseline, candidate = example(40, 8)
    labels = [f"customer {number}" for number in range(40)]
    assert lift_of(baseline, candidate, clusters=labels) == lift_of(baseline, candidate)
    assert mean_of(baseline, seed=0, clusters=labels) == mean_of(baseline, seed=0)
    three = baseline, [0.0] * 40, candidate
    assert position_of(*three, seed=0, clusters=labels) == position_of(*three, seed=0)


@given(steady, st.integers(2, 4))
@settings(max_examples=30, deadline=None)
def test_repeating_each_conversation_within_its_cluster_adds_no_evidence(
    pair: tuple[Values, Values], times: int
) -> None:
    labels = [str(number) for number in range(len(pair[0]))]
    once = lift_of(*pair, clusters=labels)
    repeated = lift_of(pair[0] * times, pair[1] * times, clusters=labels * times)
    assert figures(repeated) == pytest.approx(figures(once), abs=1e-9)
    assert repeated.p == pytest.approx(once.p)
    assert (repeated.n, repeated.units) == (times * once.n, once.units)


def test_a_repeated_conversation_counts_as_evidence_only_where_clusters_are_not_named() -> None:
    baseline, candidate = example(30, 9)
    labels = [str(number) for number in range(30)] * 4
    clustered = lift_of(baseline * 4, candidate * 4, clusters=labels)
    assert width(lift_of(baseline * 4, candidate * 4)) < 0.6 * width(clustered)
    assert clustered.method == (
        "95% interval by a paired percentile bootstrap, widened for few units "
        "(500 resamples of 30 clusters of 120 conversations, seed 0)"
    )


# ----------------------------------------------------------------------------------------------------------- stability


def test_where_the_baseline_is_too_unstable_to_divide_by_the_surplus_decides() -> None:
    baseline, candidate = [0.0] * 15 + [0.4] * 5, [0.5, 0.6, 0.7, 0.8] * 5
    ours = lift_of(baseline, candidate)
    assert ours.decides == "surplus"
    assert (ours.low, ours.high) == (None, None)
    assert ours.lift == pytest.approx(5.5)
    assert ours.surplus_low is not None
    assert 0.3 < ours.surplus_low < 0.65 - 1.4 * 0.1
    assert "too unstable to divide by: candidate - (1 + target) x baseline decides" in ours.method


@pytest.mark.parametrize(("spread", "decides"), [(0.08, "ratio"), (0.12, "surplus")])
def test_the_ratio_decides_up_to_a_coefficient_of_variation_of_a_tenth(spread: float, decides: str) -> None:
    # Two values as often: their standard deviation is the distance from the mean, that of the mean a tenth of it.
    baseline = [0.2 * (1 + 10 * spread * sign) for sign in (-1, 1)] * 50
    assert lift_of(baseline, [0.3, 0.4] * 50).decides == decides


@pytest.mark.parametrize("baseline", [[0.0, 0.5] * 3, [-0.4, 0.5, 0.5] * 2])
def test_a_baseline_that_resampling_brings_to_zero_is_not_divided_by(baseline: Values) -> None:
    ours = lift_of(baseline, [0.4] * len(baseline))
    assert (ours.decides, ours.low, ours.high) == ("surplus", None, None)


# --------------------------------------------------------------------------------------------------------------- power


def test_what_is_detectable_lies_above_the_target_and_nearer_to_it_with_more_conversations() -> None:
    few, many = (lift_of(*example(n, 10)) for n in (50, 800))
    assert few.detectable is not None
    assert many.detectable is not None
    assert 0.4 < many.detectable < few.detectable
    # A standard error falls with the square root: a sixteenth of the conversations, four times the error.
    assert few.detectable - 0.4 == pytest.approx(4 * (many.detectable - 0.4), rel=0.25)


def test_as_many_conversations_are_needed_as_there_are_where_the_lift_is_just_detectable() -> None:
    baseline, candidate = example(108, 11)
    target = 0.0
    for _ in range(30):  # The error depends a little on the target.
        found = lift_of(baseline, candidate, target=target)
        assert found.lift is not None
        assert found.detectable is not None
        target += found.lift - found.detectable
    assert lift_of(baseline, candidate, target=target).needed in (108, 109)


def test_the_larger_the_distance_from_the_target_the_fewer_conversations_are_needed() -> None:
    baseline, candidate = example(108, 12)
    needed = [lift_of(baseline, candidate, target=target).needed for target in (0.6, 0.4, 0.2, 0.0)]
    known = [number for number in needed if number is not None]
    assert needed == sorted(known, reverse=True)
    assert len(set(needed)) == 4


def test_a_lift_that_is_the_target_is_settled_by_no_number_of_conversations() -> None:
    baseline, candidate = example(108, 13)
    gain = lift_of(baseline, candidate).lift
    assert gain is not None
    assert lift_of(baseline, candidate, target=gain).needed is None
    assert lift_of(baseline, candidate, target=gain - 1e-4).needed is None  # Some million.


# --------------------------------------------------------------------------------------------------------------- seeds


def trainings(shift: float, seeds: int = 5) -> tuple[Values, list[Values]]:
    baseline, candidate = example(108, 14)
    shifts = shift * np.linspace(-1, 1, seeds)
    return baseline, [(np.array(candidate) + one).tolist() for one in shifts]


def over_seeds(baseline: Values, candidates: list[Values], **options: Any) -> Lift:
    return lift_of(baseline, *candidates, **{"resamples": 10_000, **options})


def test_seeds_that_agree_have_the_interval_of_a_single_one() -> None:
    baseline, candidates = trainings(0)
    ours, single = over_seeds(baseline, candidates), lift_of(baseline, candidates[0], resamples=10_000)
    assert figures(ours) == pytest.approx(figures(single))
    assert ours.needed == single.needed
    assert ours.method == (
        "95% interval by a paired percentile bootstrap, widened for few units, seeds and conversations resampled "
        "together (10,000 resamples of 5 seeds and 108 conversations, seed 0)"
    )


def test_seeds_that_differ_widen_the_interval_about_the_same_lift() -> None:
    alike, apart = (over_seeds(*trainings(shift)) for shift in (0.005, 0.05))
    assert apart.lift == pytest.approx(alike.lift)
    assert width(apart) > 1.5 * width(alike)


def test_where_seeds_are_all_that_differs_the_interval_is_students_over_seeds() -> None:
    baseline, _ = example(108, 15)
    gains = scipy.stats.norm(0.6, 0.1).ppf((np.arange(12) + 0.5) / 12)
    ours = over_seeds(baseline, [[(1 + gain) * value for value in baseline] for gain in gains])
    theirs = scipy.stats.t(11, np.mean(gains), scipy.stats.sem(gains)).interval(0.95)
    assert bounds(ours) == pytest.approx(theirs, abs=0.06 * (theirs[1] - theirs[0]))


def test_more_conversations_do_not_settle_what_seeds_leave_open() -> None:
    alike, apart = (over_seeds(*trainings(shift), target=0.7) for shift in (0.0, 0.2))
    assert alike.needed is not None
    assert apart.needed is None


def test_as_many_seeds_as_conversations_are_drawn_independently_of_them() -> None:
    # Drawn alike, a hard conversation would come with the seed of the same number, and its gain twice.
    generator = np.random.default_rng(0)
    shifts = generator.normal(0, 0.05, 30)
    baseline = [0.2] * 30
    by_both = [(0.3 + shifts + one).tolist() for one in shifts]
    _, low, high = mean_of((shifts / 0.2).tolist(), seed=0)
    assert low is not None
    assert high is not None
    assert width(over_seeds(baseline, by_both)) == pytest.approx(math.sqrt(2) * (high - low), rel=0.08)


def test_a_missing_value_of_any_seed_closes_the_lift() -> None:
    baseline, candidates = trainings(0.01)
    candidates[3][5] = math.nan
    closed = result_of(baseline, *candidates)
    assert isinstance(closed, NoLift)
    assert "no number for 1 of 108 conversations of the candidate" in closed.reason


# ------------------------------------------------------------------------------------------------------ fail closed


@pytest.mark.parametrize(
    ("baseline", "candidate", "reason"),
    [
        ([0.2, None], [0.3, 0.4], "no number for 1 of 2 conversations of the baseline"),
        ([0.2, 0.3], [math.nan, 0.4], "no number for 1 of 2 conversations of the candidate"),
        ([0.2, 0.3], [math.inf, math.nan], "no number for 2 of 2 conversations of the candidate"),
        ([0.2, 0.3, 0.1], [0.3, 0.4], "baseline has 3 values and the candidate 2"),
        ([], [], "an interval needs at least 5 conversations, and there are 0"),
        ([0.2], [0.3], "an interval needs at least 5 conversations, and there is 1"),
        ([0.2, 0.3] * 2, [0.3, 0.4] * 2, "an interval needs at least 5 conversations, and there are 4"),
        ([0.0] * 6, [0.3, 0.4] * 3, "the baseline's mean is 0"),
        ([-0.3, -0.1] * 3, [0.3, 0.4] * 3, "the baseline's mean is -0.2"),
    ],
)
def test_there_is_no_lift_without_sound_numbers(baseline: Values, candidate: Values, reason: str) -> None:
    closed = result_of(baseline, candidate)
    assert isinstance(closed, NoLift)
    assert reason in closed.reason
    assert closed.level == 0.95


@pytest.mark.parametrize(("customers", "words"), [(1, "are of 1"), (4, "are of 4")])
def test_a_few_customers_are_no_sample_however_many_conversations_they_had(customers: int, words: str) -> None:
    labels = [f"customer {number % customers}" for number in range(40)]
    baseline, candidate = example(40, 16)
    closed = result_of(baseline, candidate, clusters=labels)
    assert isinstance(closed, NoLift)
    assert closed.reason == f"an interval needs at least 5 clusters, and the 40 conversations {words}"
    assert closed.units == customers
    assert mean_of(baseline, clusters=labels) == (pytest.approx(np.mean(baseline)), None, None)
    assert position_of(candidate, baseline, [1.0] * 40, clusters=labels).problem == closed.reason
    assert p_of(np.subtract(candidate, baseline).tolist(), clusters=labels) is None


@given(st.lists(st.floats(0.1, 1), min_size=1, max_size=9))
@settings(max_examples=40, deadline=None)
def test_every_figure_has_an_interval_from_five_conversations_on(values: Values) -> None:
    enough = len(values) >= 5
    assert isinstance(result_of(values, values), Lift) == enough
    assert (mean_of(values, resamples=50).low is not None) == enough
    assert (position_of(values, [0.0] * len(values), [1.0] * len(values), resamples=50).low is not None) == enough
    assert (p_of(values) is not None) == enough


@pytest.mark.parametrize("n", range(LEAST_UNITS, 12))
def test_a_95_percent_bound_is_not_the_most_extreme_value(n: int) -> None:
    assert tail(0.95, n) > n**-n
    assert tail(0.95, 4) < 4**-4


def p_of(differences: Sequence[float], clusters: Sequence[str] | None = None) -> float | None:
    how, ids = bootstrap(len(differences), clusters)
    return how.test(differences, ids)


@pytest.mark.parametrize("times", [2, 3])  # Too few conversations, or a baseline of 0.
def test_a_lift_that_cannot_be_had_still_shows_both_means(times: int) -> None:
    closed = result_of([0.0] * 2 * times, [0.3, 0.4] * times)
    assert isinstance(closed, NoLift)
    assert (closed.baseline, closed.candidate) == pytest.approx((0, 0.35))


@pytest.mark.parametrize("target", [math.nan, math.inf])
def test_a_target_that_is_not_finite_is_a_fault_of_the_caller(target: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        lift_of([0.2, 0.3], [0.3, 0.4], target=target)


@pytest.mark.parametrize(
    ("values", "expected"), [([], (None, None, None)), ([0.3] * 4, (0.3, None, None)), ([0.25] * 9, (0.25, 0.25, 0.25))]
)
def test_means_of_few_or_equal_values(values: Values, expected: tuple[float | None, ...]) -> None:
    assert mean_of(values, seed=0) == expected


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_mean_of_what_is_not_finite_is_a_fault_of_the_caller(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        mean_of([0.1, value], seed=0)


@pytest.mark.parametrize(
    ("share", "shown"), [(0.95, "95%"), (1 - 0.05 / 3, "98.33%"), (0.975, "97.5%"), (1.0, "100%"), (0.0, "0%")]
)
def test_percent(share: float, shown: str) -> None:
    assert percent(share) == shown


def test_lifts_together_are_those_one_by_one() -> None:
    generator = np.random.default_rng(0)
    before, after, other = (column.tolist() for column in generator.uniform(0.1, 0.9, (3, 40)))
    clusters = {f"c{number}": f"k{number % 15}" for number in range(40)}
    how = Bootstrap(seed=3, clusters=clusters, resamples=300)
    columns: list[tuple[Sequence[float | None], list[Sequence[float | None]]]] = [
        (before, [after]),
        (before, [[None, *other[1:]]]),
        (before, [other, after]),
        (before[:25], [after[:25]]),
        (before, [after]),
        ([0.0] * 40, [after]),
    ]
    requests = [
        LiftRequest(baseline=one, candidates=others, **ABOUT, ids=list(clusters)[: len(one)]) for one, others in columns
    ]
    alone = [how.lift(one.baseline, *one.candidates, **ABOUT, ids=one.ids) for one in requests]
    assert how.lifts(requests) == alone
    assert [type(lift) for lift in alone] == [Lift, NoLift, Lift, Lift, Lift, NoLift]
    assert how.lifts([]) == []


# ------------------------------------------------------------------------------------------------------------ positions


def test_a_position_is_a_ratio_of_differences_of_means() -> None:
    found = position_of([0.2, 0.4] * 3, [0.1, 0.3] * 3, [0.5, 0.7] * 3, seed=0)
    assert found == (pytest.approx(0.25), pytest.approx(0.25), pytest.approx(0.25), "")


@given(pairs, st.floats(0.1, 5), st.floats(-2, 2))
@settings(max_examples=30)
def test_a_position_does_not_depend_on_the_scale(columns: tuple[Values, Values], factor: float, shift: float) -> None:
    floor, values = columns
    ceiling = [value + 1 for value in floor]
    before = position_of(values, floor, ceiling, seed=1, resamples=200)

    def changed(factor: float, shift: float) -> PositionInterval:
        moved = [[factor * value + shift for value in column] for column in (values, floor, ceiling)]
        return position_of(moved[0], moved[1], moved[2], seed=1, resamples=200)

    assert changed(factor, shift)[:3] == pytest.approx(before[:3], rel=1e-6, abs=1e-6)
    # Where lower is better everything is mirrored, and the place is the same.
    assert changed(-1, 0)[:3] == pytest.approx(before[:3])


@pytest.mark.parametrize(
    ("floor", "ceiling", "words"),
    [
        ([0.1, 0.5] * 3, [0.1, 0.5] * 3, "stand apart"),
        ([0.1, 0.9] * 3, [0.5, 0.5] * 3, "stand apart"),
        ([0.1], [0.5], "at least 5"),
    ],
)
def test_without_a_scale_there_is_no_position(floor: Values, ceiling: Values, words: str) -> None:
    found = position_of([0.3] * len(floor), floor, ceiling, seed=0)
    assert found.value is None
    assert words in found.problem
