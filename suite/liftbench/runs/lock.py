"""Locks on work that one process does at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ..errors import RunFailed
from ..files import writing


def run_lock(runs: Path, key: str) -> Path:
    """The lock file of the run with a key."""
    return runs / f".{key[:16]}.lock"


@contextmanager
def hold_lock(path: Path, work: str, fix: str = "Wait until it is done, or choose another --runs.") -> Iterator[None]:
    """Hold a lock file, whose folder is made if it is missing.

    Raises `RunFailed` if another process holds it; `work` says on what (`this run`).
    """
    with writing(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path)
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise RunFailed(f"another process is working on {work}", fix) from error
    try:
        yield
    finally:
        lock.release()
