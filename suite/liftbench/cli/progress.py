"""A progress bar with rate and time left on standard error; a line now and then where that is no terminal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar
from rich.text import Text

from ..contracts import Progress

SECONDS_BETWEEN_LINES = 30.0


@contextmanager
def progress_bar(unit: str) -> Iterator[Progress]:
    """A `Progress` to hand to the harness or a trainer; `unit` is what is counted (`conversations`, `steps`)."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines(console, unit)
        return
    bar = Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(unit),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
        speed_estimate_period=120,
    )
    with bar:
        task = bar.add_task("starting", total=None)

        def show(done: int, total: int, message: str) -> None:
            if bar.tasks[task].total is None:
                # Work that was done before a resume must not count into the rate.
                bar.reset(task, total=total, completed=done)
            bar.update(task, completed=done, total=total, description=message)

        yield show


class _Rate(ProgressColumn):
    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        if not task.speed:
            return Text(f"- {self._unit}/s")
        if task.speed < 0.5:
            return Text(f"{1 / task.speed:.1f} s/{self._unit.removesuffix('s')}")
        return Text(f"{task.speed:.1f} {self._unit}/s")


class _Lines:
    def __init__(self, console: Console, unit: str) -> None:
        self._console = console
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
        line = f"{message}: {done}/{total} {self._unit}"
        if done > before and now > started:
            rate = (done - before) / (now - started)
            line += f", {rate:.2f}/s, {(total - done) / rate:.0f} s left"
        self._console.print(line, highlight=False, markup=False)
