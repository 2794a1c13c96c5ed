"""A progress bar with pace and time left on standard error; occasional lines if that is not a terminal."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from rich.progress import BarColumn, ProgressColumn, SpinnerColumn, Task, TaskID, TextColumn
from rich.progress import Progress as Bar
from rich.table import Column
from rich.text import Text

from ..progress import Pace, Progress
from ..text.phrases import exact_duration, rough_duration, unit_pace
from .output import error_console

if TYPE_CHECKING:
    from rich.console import Console

FIRST_LINE = 10.0
"""Seconds of work before the first line, where there is no terminal: what is done by then needs none."""

BAR = 16
"""Columns of a bar: few enough that pace and time left fit beside it in 80."""

SHARE_BETWEEN_LINES = 0.1
"""Another line is due when this share of the work has been done since the last one, and `FIRST_LINE` has passed."""

SECONDS_BETWEEN_LINES = 60.0
"""Another line is due after this time in any case."""


@contextmanager
def progress_bar(unit: str) -> Iterator[Progress]:
    """A `Progress` to hand to the harness or a trainer; `unit` is what is counted (`conversations`, `steps`)."""
    with progress_bars([("", unit)]) as (progress,):
        yield progress


@contextmanager
def progress_bars(stages: Sequence[tuple[str, str]]) -> Iterator[list[Progress]]:
    """One display for stages that follow each other: a `Progress` for each title and unit.

    Nothing is shown before a `Progress` is first called, so that work that is already done leaves no empty bar.
    """
    console = error_console()
    # Not `is_terminal`: that is what FORCE_COLOR says, and a bar would fill the log of a build with its frames.
    if not console.file.isatty() or console.is_dumb_terminal:
        with lines(console, stages) as shown:
            yield shown
        return
    bars = Bar(
        _Spinner(),
        TextColumn("{task.fields[title]}{task.description}", markup=False),
        BarColumn(bar_width=BAR),
        _Column(lambda task: counted(task.fields["pace"], task.fields["unit"])),
        _Column(lambda task: pace_of(task.fields["pace"], task.fields["unit"])),
        _Column(lambda task: left_of(task.fields["pace"]) or elapsed_of(task)),
        console=console,
    )
    for title, unit in stages:
        bars.add_task("", total=None, start=False, title=title and f"{title}  ", unit=unit, pace=Pace())
    try:
        yield [partial(_show, bars, task.id) for task in bars.tasks]
    finally:
        bars.stop()


def _show(bars: Bar, task: TaskID, done: int, total: int, message: str) -> None:
    bars.start()
    shown = next(one for one in bars.tasks if one.id == task)
    if not shown.started:
        bars.start_task(task)
    shown.fields["pace"].update(done, total)
    if not total and shown.total is not None:
        bars.reset(task, description=message, total=None)
    bars.update(task, completed=done, total=total or None, description=message)


class _Spinner(SpinnerColumn):
    """Turns beside the stage that is at work."""

    def render(self, task: Task) -> Text:
        at_work = task.started and not (task.total and task.completed >= task.total)
        return super().render(task) if at_work else Text(" ")  # type: ignore[return-value]  # frames are texts


class _Column(ProgressColumn):
    """Words about a task."""

    def __init__(self, words: Callable[[Task], str]) -> None:
        super().__init__(table_column=Column(no_wrap=True))
        self._words = words

    def render(self, task: Task) -> Text:
        return Text(self._words(task))


# ------------------------------------------------------------------------------------------------------------- in words


def counted(work: Pace, unit: str) -> str:
    """`12/57 steps`; without a known total `12 steps`, or nothing."""
    if work.total:
        return f"{work.done:,}/{work.total:,} {unit}"
    return f"{work.done:,} {unit}" if work.done else ""


def pace_of(work: Pace, unit: str) -> str:
    """`43 s/step`; empty as long as it is not known."""
    each = work.seconds_per_unit
    return "" if each is None else unit_pace(each, unit)


def elapsed_of(task: Task) -> str:
    """`12 s so far`, or `in 12 s` when all is done."""
    if task.elapsed is None:
        return ""
    taken = exact_duration(task.finished_time or task.elapsed)
    return f"in {taken}" if task.finished else f"{taken} so far"


def left_of(work: Pace) -> str:
    """`about 1 h 20 min left`; empty where that is not known or all is done."""
    seconds = work.left()
    return "" if seconds is None or work.done >= work.total else f"{rough_duration(seconds)} left"


# ------------------------------------------------------------------------------------------------------------ the lines


@contextmanager
def lines(console: Console, stages: Sequence[tuple[str, str]]) -> Iterator[list[Progress]]:
    """A `Progress` for each stage that prints a line now and then, also while a long step reports nothing."""
    shown = [Lines(console, title, unit) for title, unit in stages]
    over = threading.Event()

    def beat() -> None:
        while not over.wait(1.0):
            active = max(shown, key=lambda one: one.called)
            active.tick()

    beating = threading.Thread(target=beat, daemon=True)
    beating.start()
    try:
        yield list(shown)
    finally:
        over.set()
        beating.join()


class Lines:
    """A `Progress` that prints lines at sensible intervals."""

    def __init__(self, console: Console, title: str, unit: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._title = title and f"{title}: "
        self._unit = unit
        self._clock = clock
        self._pace = Pace(clock)
        self._message = ""
        self._lock = threading.Lock()
        self._began: float | None = None
        self._last: tuple[float, int] | None = None
        """When the last line was printed, and how much was done then."""
        self.called = -1.0
        """When it was last called; the stage that was called last is the one at work."""

    def __call__(self, done: int, total: int, message: str) -> None:
        with self._lock:
            self.called = self._clock()
            if self._began is None:
                self._began = self.called
            if self._last and (total != self._pace.total or done < self._pace.done):
                self._last = (self._last[0], done)
            self._pace.update(done, total)
            self._message = message
        self.tick()

    def tick(self) -> None:
        """Print a line if one is due."""
        with self._lock:
            if self._began is None or not self._is_due():
                return
            self._last = (self._clock(), self._pace.done)
            self._console.print(self._line(), highlight=False, markup=False, soft_wrap=True)

    def _is_due(self) -> bool:
        work, now = self._pace, self._clock()
        finished = 0 < work.total <= work.done
        if self._last is None:
            return not finished and self._began is not None and now - self._began >= FIRST_LINE
        at, done = self._last
        if finished:
            return done < work.done
        step = work.total and (work.done - done) / work.total >= SHARE_BETWEEN_LINES
        return now - at >= (FIRST_LINE if step else SECONDS_BETWEEN_LINES)

    def _line(self) -> str:
        work = self._pace
        elapsed = self._clock() - (self._began or 0.0)
        if 0 < work.total <= work.done:
            facts = [counted(work, self._unit), f"done in {exact_duration(elapsed)}"]
        else:
            known = [counted(work, self._unit), pace_of(work, self._unit), left_of(work)]
            facts = [one for one in known if one]
            if not work.seconds_per_unit:
                facts.append(f"{exact_duration(elapsed)} so far")
        return f"{self._title}{self._message}: {', '.join(facts)}"
