"""How work reports to people while it runs: through messages and progress bars that the caller hands in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple

from ..progress import Progress, no_progress

Say = Callable[[str], None]
"""Takes a message of one or more lines."""

Bars = Callable[[Sequence[tuple[str, str]]], AbstractContextManager[Sequence[Progress]]]
"""One display for stages that follow each other: a `Progress` for each title and unit (`conversations`, `steps`)."""


def say_nothing(message: str) -> None:
    """Drop a message."""


@contextmanager
def no_bars(stages: Sequence[tuple[str, str]]) -> Iterator[Sequence[Progress]]:
    """Show no progress."""
    yield [no_progress] * len(stages)


class Feedback(NamedTuple):
    """Where messages and progress go; by default nowhere."""

    say: Say = say_nothing
    bars: Bars = no_bars


SILENT = Feedback()


def feedback_to(progress: Progress | None, say: Say | None) -> Feedback:
    """Feedback to two plain functions; every stage reports to the same `progress`."""

    @contextmanager
    def bars(stages: Sequence[tuple[str, str]]) -> Iterator[Sequence[Progress]]:
        yield [progress or no_progress] * len(stages)

    return Feedback(say or say_nothing, bars)
