"""What long work shows: few lines where there is no terminal, with pace and time left in words; a bar on one."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from liftbench.cli import progress
from liftbench.cli.progress import Lines
from liftbench.progress import Pace

from ..test_progress import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=200)


def printed(console: Console) -> list[str]:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_short_work_prints_nothing(clock: Clock, console: Console) -> None:
    shown = Lines(console, "scoring", "conversations", clock)
    for done in range(10):
        clock.now += 0.9
        shown(done + 1, 10, "generating on cpu")
    assert printed(console) == []


def test_slow_steps_are_told_as_time_for_each(clock: Clock, console: Console) -> None:
    shown = Lines(console, "training", "steps", clock)
    shown(0, 0, "loading the model")
    clock.now += 12
    shown.tick()
    shown(0, 22, "training")
    for done in range(2):
        clock.now += 240
        shown(done + 1, 22, "loss 2.31")
    assert printed(console) == [
        "training: loading the model: 12 s so far",
        "training: loss 2.31: 1/22 steps, 4 min/step, about 1 h 25 min left",
        "training: loss 2.31: 2/22 steps, 4 min/step, about 1 h 20 min left",
    ]


def test_a_line_is_due_each_tenth_and_each_minute(clock: Clock, console: Console) -> None:
    shown = Lines(console, "", "conversations", clock)
    shown(0, 1000, "generating")
    for second in range(1, 401):
        clock.now += 1
        if second <= 200:
            shown(5 * second, 1000, "generating")  # 20 s for a tenth
        else:
            shown.tick()
    lines = printed(console)
    assert lines[0] == "generating: 50/1,000 conversations, 5.0 conversations/s, about 3 min left"
    assert lines[-1] == "generating: 1,000/1,000 conversations, done in 3 min 20 s"
    assert 8 <= len(lines) <= 12


def test_a_long_step_says_each_minute_that_it_goes_on(clock: Clock, console: Console) -> None:
    shown = Lines(console, "", "steps", clock)
    shown(0, 4, "training")
    for _ in range(200):
        clock.now += 1
        shown.tick()
    assert printed(console) == [
        f"training: 0/4 steps, {taken} so far" for taken in ("10 s", "1 min 10 s", "2 min 10 s", "3 min 10 s")
    ]


def test_work_of_unknown_size_is_counted(clock: Clock, console: Console) -> None:
    shown = Lines(console, "", "conversations", clock)
    shown(0, 0, "summarizing")
    for done in range(6):
        clock.now += 2.5
        shown(done + 1, 0, "summarizing")
    assert printed(console) == ["summarizing: 4 conversations, 2.5 s/conversation"]


def test_a_bar_on_a_terminal_has_pace_and_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out = Terminal()
    console = Console(file=out, width=80, force_terminal=True, color_system=None)
    monkeypatch.setattr(progress, "error_console", lambda: console)
    clock = Clock()
    monkeypatch.setattr(progress, "Pace", lambda: Pace(clock))
    with progress.progress_bars([("training", "steps"), ("scoring", "conversations")]) as (steps, _):
        steps(0, 0, "loading [the] model")
        steps(0, 22, "training")
        for done in (1, 2):
            clock.now += 240
            steps(done, 22, "loss 2.31")
    shown = out.getvalue()
    assert "training  loss 2.31" in shown
    assert "2/22 steps" in shown
    assert "4 min/step" in shown
    assert "about 1 h 20 min left" in shown
