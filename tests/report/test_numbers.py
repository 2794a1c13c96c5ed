"""How numbers are written: with as many digits as they need, and unknown where there is none."""

from __future__ import annotations

import doctest

import pytest

from liftbench.report import numbers
from liftbench.statistics.lift import Lift


def lift(value: float | None, low: float | None, high: float | None) -> Lift:
    method = "95% interval by a paired percentile bootstrap (10,000 resamples, seed 0)"
    return Lift(
        metric="rougeL",
        signature="s",
        baseline=0.2,
        candidate=0.3,
        lift=value,
        low=low,
        high=high,
        n=108,
        method=method,
    )


def test_the_examples_in_the_module_hold() -> None:
    tried = doctest.testmod(numbers)
    assert tried.attempted > 0
    assert tried.failed == 0


@pytest.mark.parametrize(
    ("judged", "gain", "interval"),
    [
        (lift(0.7242, 0.58, 0.881), "+72%", "+58% to +88%"),
        (lift(-0.05, -0.12, 0.031), "-5%", "-12% to +3%"),
        (lift(0.45, 0.3996, 0.5), "+45.00%", "+39.96% to +50.00%"),
        (lift(0.45, None, None), "+45%", "unknown"),
        (lift(None, None, None), "unknown", "unknown"),
    ],
)
def test_a_lift_shows_on_which_side_of_the_target_its_bounds_are(judged: Lift, gain: str, interval: str) -> None:
    assert (numbers.lift(judged, 0.4), numbers.lift_interval(judged, 0.4)) == (gain, interval)
    assert numbers.level(judged) == "95% interval"


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (numbers.score(float("nan")), "unknown"),
        (numbers.score_interval(0.3312, 0.37), "0.331 to 0.370"),
        (numbers.score_interval(None, 0.37), "unknown"),
        (numbers.difference(None), "unknown"),
        (numbers.difference(-0.12), "-0.120"),
        (numbers.count(160_000), "160,000"),
        (numbers.count(None), "unknown"),
        (numbers.duration(None), "unknown"),
        (numbers.duration(59.99), "1 min"),
        (numbers.duration(3599), "1 h 0 min"),
        (numbers.size(4_294_967_296), "4.3 GB"),
        (numbers.size(None), "unknown"),
        (numbers.per_second(600, 10.0), "60 tokens/s"),
        (numbers.per_second(600, 0.0), "unknown"),
        (numbers.per_second(None, 10.0), "unknown"),
        (numbers.target(-0.1), "-10%"),
    ],
)
def test_other_numbers(shown: str, expected: str) -> None:
    assert shown == expected
