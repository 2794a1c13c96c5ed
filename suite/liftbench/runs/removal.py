"""Deleting runs, and what they take on the disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from ..errors import UsageError
from ..files import writing
from .directory import Run
from .lock import hold_lock, run_lock


def disk_use(folder: Path) -> int:
    """The bytes of all files in a folder; 0 where it does not exist. A link counts, what it leads to does not."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_symlink() or path.is_file())


def require_inside(folder: Path, runs: Path) -> None:
    """Raise `UsageError` unless a run lies in the folder of the runs itself."""
    if folder.is_symlink() or folder.resolve().parent != runs.resolve():
        raise UsageError(f"{folder} is not in {runs}, so it is not deleted", "Name its folder with --runs.")


def dependents(run: Run, others: Iterable[Run]) -> list[str]:
    """The ids of runs whose adapter or texts came from a run."""
    return [one.id for one in others if one.manifest.parent == run.id and one.id != run.id]


def delete_run(folder: Path, runs: Path, key: str | None) -> None:
    """Delete a run's folder. `key` is the run's, None for one that cannot be read.

    The folder loses its name first, so that a kill in between leaves no half of a run. Raises `RunFailed` where another
    process works on the run.
    """
    require_inside(folder, runs)
    if key is None:
        _delete(folder)
        return
    with hold_lock(run_lock(runs, key), f"{folder.name}, so it is not deleted", "Wait until it is done, or stop it."):
        _delete(folder)


def _delete(folder: Path) -> None:
    doomed = folder.with_name(f".{folder.name}.deleted")
    with writing(folder):
        shutil.rmtree(doomed, ignore_errors=True)  # left by a process that was killed
        folder.rename(doomed)
        shutil.rmtree(doomed)
