"""Work on many candidates by several processes, which share the memory of this one."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any, TypeVar

from ..errors import RunFailed
from ..runs.environment import usable_cores

T = TypeVar("T")
R = TypeVar("R")

LARGE = 50_000
"""Texts from which on several processes are worth their start, and the memory that each writes to."""

_work: list[tuple[Callable[[Any], Any], Sequence[Any]]] = []
"""What the processes find in memory when they begin: runs are too large to be sent."""


def spread(work: Callable[[T], R], items: Sequence[T], texts: int) -> list[R]:
    """`work` on each item, in order; in a process for each processor where the items have many texts in all.

    The first is done here, so that what all of them need is in memory before. What `work` changes in memory is lost,
    and its result has to be pickled. There is one process only where the system cannot fork, and where torch was
    loaded, whose threads would be missing in the others.
    """
    processes = min(len(items) - 1, usable_cores())
    if texts < LARGE or processes < 2 or not can_fork():
        return [work(item) for item in items]
    first, rest = work(items[0]), items[1:]
    _work.append((work, rest))
    try:
        with ProcessPoolExecutor(processes, mp_context=get_context("fork")) as pool:
            return [first, *pool.map(_do, range(len(rest)))]
    except BrokenProcessPool as error:
        raise RunFailed(
            "a process of the comparison was killed (the system does this if memory is full)",
            "Compare fewer candidates at a time.",
        ) from error
    finally:
        _work.pop()


def can_fork() -> bool:
    """Whether a process can be forked, with everything that it needs."""
    return hasattr(os, "fork") and "torch" not in sys.modules


def _do(place: int) -> Any:
    work, items = _work[-1]
    return work(items[place])
