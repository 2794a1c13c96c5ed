"""How far the shards of a run are, read from the predictions that their processes write, wherever they run."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from ..progress import Progress

SECONDS_BETWEEN_LOOKS = 1.0

BLOCK = 1 << 20


class ShardFolders:
    """The run folders of shards, known by their keys; each is made by another process."""

    def __init__(self, runs: Path, keys: Sequence[str], *, fresh: bool) -> None:
        self._runs = runs
        self._keys = list(keys)
        self._before = set(self._found()) if fresh else set()
        """Folders that do not count, because the shards are begun anew."""
        self._read: dict[Path, tuple[int, int]] = {}
        """Predictions → bytes read, and lines in them."""

    def newest(self) -> list[Path]:
        """The newest folder of each shard that has begun, in the order of the shards."""
        found = [one for one in self._found() if one not in self._before]
        return [own[-1] for key in self._keys if (own := [one for one in found if key[:8] in one.name])]

    def has_begun(self, index: int) -> bool:
        """Whether a shard has a folder."""
        return any(self._keys[index][:8] in one.name for one in self.newest())

    def done(self) -> int:
        """The texts of all shards so far."""
        return sum(self._lines(folder / "predictions.jsonl") for folder in self.newest())

    def _found(self) -> list[Path]:
        names = tuple(key[:8] for key in self._keys)
        folders = [one.parent for one in self._runs.glob("*/manifest.json")]
        return sorted(one for one in folders if any(f"-{name}" in one.name for name in names))

    def _lines(self, path: Path) -> int:
        """The lines of a file that only grows, reading what is new alone."""
        at, lines = self._read.get(path, (0, 0))
        with suppress(OSError):
            size = path.stat().st_size
            if size < at:  # a cut line was removed
                at, lines = 0, 0
            with path.open("rb") as file:
                file.seek(at)
                while block := file.read(BLOCK):
                    at, lines = at + len(block), lines + block.count(b"\n")
        self._read[path] = at, lines
        return lines


@contextmanager
def show_shards(folders: ShardFolders, total: int, progress: Progress) -> Iterator[None]:
    """Report the texts of all shards together while they are made."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(SECONDS_BETWEEN_LOOKS):
            progress(min(folders.done(), total), total, "generating in shards")

    progress(folders.done(), total, "starting workers")
    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    try:
        yield
        progress(min(folders.done(), total), total, "generated in shards")
    finally:
        over.set()
        looking.join()
