"""A progress bar with rate and time left on standard error; occasional lines if that is not a terminal."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar
from rich.text import Text

from ..progress import Progress
from .output import error_console

if TYPE_CHECKING:
    from rich.console import Console

SECONDS_BETWEEN_LINES = 30.0


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
        yield [_Lines(console, title, unit) for title, unit in stages]
        return
    bars = Bar(
        TextColumn("{task.fields[title]}{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
        speed_estimate_period=120,
    )
    for title, unit in stages:
        bars.add_task("", total=None, start=False, title=title and f"{title}  ", unit=unit)
    try:
        yield [partial(_show, bars, task.id) for task in bars.tasks]
    finally:
        bars.stop()


def _show(bars: Bar, task: TaskID, done: int, total: int, message: str) -> None:
    bars.start()
    if bars.tasks[task].total is None:
        # The rate must not count work that was done before a resume.
        bars.reset(task, total=total, completed=done)
    bars.update(task, completed=done, total=total, description=message)


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        unit: str = task.fields["unit"]
        if not task.speed:
            return Text(f"- {unit}/s")
        if task.speed < 0.5:
            return Text(f"{1 / task.speed:.1f} s/{unit.removesuffix('s')}")
        return Text(f"{task.speed:.1f} {unit}/s")


class _Lines:
    def __init__(self, console: Console, title: str, unit: str) -> None:
        self._console = console
        self._title = title and f"{title}: "
        self._unit = unit
        self._begun: tuple[float, int] | None = None
        self._last = 0.0

    def __call__(self, done: int, total: int, message: str) -> None:
        now = time.monotonic()
        if self._begun is None:
            self._begun = (now, done)
        if done < total and now - self._last < SECONDS_BETWEEN_LINES:
            return
        self._last = now
        started, before = self._begun
        line = f"{self._title}{message}: {done}/{total} {self._unit}"
        if done > before and now > started:
            rate = (done - before) / (now - started)
            line += f", {rate:.2f}/s, {(total - done) / rate:.0f} s left"
        self._console.print(line, highlight=False, markup=False)
