"""How numbers are written: with as many digits as they need, and unknown where there is none."""

from __future__ import annotations

import doctest

import pytest

from liftbench.report import numbers
from liftbench.statistics.lift import LiftResult

from ..support.build import make_lift


def test_the_examples_in_the_module_hold() -> None:
    tried = doctest.testmod(numbers)
    assert tried.attempted > 0
    assert tried.failed == 0


@pytest.mark.parametrize(
    ("judged", "gain", "interval"),
    [
        (make_lift(0.7242, 0.58, 0.881), "+72%", "+58% to +88%"),
        (make_lift(-0.05, -0.12, 0.031), "-5%", "-12% to +3%"),
        (make_lift(0.45, 0.3996, 0.5), "+45.00%", "+39.96% to +50.00%"),
        (make_lift(0.45, None, None), "+45%", "of the difference +0.040 to +0.140"),
        (make_lift(None, None, None), "unknown", "unknown"),
    ],
)
def test_a_lift_shows_on_which_side_of_the_target_its_bounds_are(judged: LiftResult, gain: str, interval: str) -> None:
    assert (numbers.format_lift(judged, 0.4), numbers.format_lift_interval(judged, 0.4)) == (gain, interval)
    assert numbers.describe_level(judged) == "95% interval"


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (numbers.format_score(float("nan")), "unknown"),
        (numbers.format_score_interval(0.3312, 0.37), "0.331 to 0.370"),
        (numbers.format_score_interval(None, 0.37), "unknown"),
        (numbers.format_difference(None), "unknown"),
        (numbers.format_difference(-0.12), "-0.120"),
        (numbers.format_count(160_000), "160,000"),
        (numbers.format_count(None), "unknown"),
        (numbers.format_duration(None), "unknown"),
        (numbers.format_duration(59.99), "1 min"),
        (numbers.format_duration(3599), "59 min 59 s"),
        (numbers.format_bytes(4_294_967_296), "4.3 GB"),
        (numbers.format_bytes(None), "unknown"),
        (numbers.format_speed(600, 10.0), "60 tokens/s"),
        (numbers.format_speed(600, 0.0), "unknown"),
        (numbers.format_speed(None, 10.0), "unknown"),
        (numbers.format_target(-0.1), "-10%"),
    ],
)
def test_other_numbers(shown: str, expected: str) -> None:
    assert shown == expected
