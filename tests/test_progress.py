"""Pace and time left: from recent units, without what was done before, and without a jump at every outlier."""

from __future__ import annotations

from itertools import pairwise

import pytest

from liftbench.progress import Pace


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def work(pace: Pace, clock: Clock, seconds: list[float], total: int, done: int = 0) -> None:
    """Do a unit in each of these times."""
    pace.update(done, total)
    for number, each in enumerate(seconds, start=done + 1):
        clock.now += each
        pace.update(number, total)


def test_nothing_is_known_before_the_first_unit_is_done(clock: Clock) -> None:
    pace = Pace(clock)
    pace.update(0, 57)
    clock.now += 90
    assert (pace.seconds_per_unit, pace.left()) == (None, None)


def test_the_rest_takes_as_long_as_what_was_done(clock: Clock) -> None:
    pace = Pace(clock)
    work(pace, clock, [40.0] * 7, 57)
    assert pace.seconds_per_unit == pytest.approx(40)
    assert pace.left() == pytest.approx(50 * 40)


def test_what_an_earlier_process_did_does_not_count(clock: Clock) -> None:
    pace = Pace(clock)
    work(pace, clock, [10.0] * 5, 100, done=90)
    assert pace.left() == pytest.approx(50)


def test_a_slow_start_and_a_pause_count_little(clock: Clock) -> None:
    pace = Pace(clock)
    work(pace, clock, [120.0, *[10.0] * 15, 900.0, *[10.0] * 3], 60)
    assert pace.seconds_per_unit == pytest.approx(10)


def test_a_machine_that_becomes_slower_is_followed(clock: Clock) -> None:
    pace = Pace(clock)
    work(pace, clock, [1.0] * 50 + [4.0] * Pace.RECENT, 500)
    assert pace.seconds_per_unit == pytest.approx(4)


def test_the_time_left_runs_down_evenly(clock: Clock) -> None:
    pace = Pace(clock)
    pace.update(0, 60)
    told = []
    for number in range(1, 60):
        clock.now += 9.4 if number % 2 else 10.6
        pace.update(number, 60)
        told.append(pace.left() or 0.0)
    assert all(after < before for before, after in pairwise(told[:-4])), told


def test_other_work_has_a_pace_of_its_own(clock: Clock) -> None:
    pace = Pace(clock)
    work(pace, clock, [1.0] * 10, 10)
    pace.update(0, 0)
    assert (pace.seconds_per_unit, pace.left()) == (None, None)
    work(pace, clock, [5.0] * 2, 4)
    assert pace.left() == pytest.approx(10)


def test_updates_in_quick_succession_are_taken_together(clock: Clock) -> None:
    pace = Pace(clock)
    work(pace, clock, [0.001] * 5000, 10_000)
    assert pace.seconds_per_unit == pytest.approx(0.001, rel=0.01)
    assert pace.left() == pytest.approx(5, abs=0.6)
