"""What models of metrics said about texts, kept in the user's cache between runs.

A value is found by the model's weights, the way it is asked, the libraries and the text: by hashes, so the file has no
text. The last digits of a value depend on the batch in which it was computed, within the metric's tolerance; a value
that is kept stays the same for every later run.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import struct
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from liftbench.plugin_api import cache_folder, caching

LIMIT = 400_000_000
"""The most bytes of all values; the least recently used half goes where there is more."""

TABLE = (
    "CREATE TABLE IF NOT EXISTS known (key BLOB PRIMARY KEY, value BLOB NOT NULL, used INTEGER NOT NULL) WITHOUT ROWID"
)

USED = (
    "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, pragma_freelist_count, pragma_page_size"
)
"""The bytes of all that is in the file, known without reading it: never fewer than those of the values."""

AT_ONCE = 500
"""Keys of one query."""

Input = tuple[str, ...]
"""One text, or a pair."""

_NUMBER = struct.Struct("<d")


class Known:
    """Values of inputs, in memory and, unless caches are switched off, on disk.

    A file that cannot be read or written costs time, but no run: the values are then computed, and kept in memory.
    """

    def __init__(self, *about: str) -> None:
        """`about` is all that a value depends on beside the input."""
        self._about = hashlib.sha256("\0".join(about).encode()).digest()
        self._values: dict[Input, bytes] = {}
        self._path = cache_folder() / "encodings.sqlite" if caching() else None

    def __getitem__(self, one: Input) -> bytes:
        return self._values[one]

    def __contains__(self, one: Input) -> bool:
        return one in self._values

    def missing(self, inputs: Sequence[Input]) -> list[Input]:
        """The distinct inputs, in order, whose values are neither in memory nor on disk."""
        unread = [one for one in dict.fromkeys(inputs) if one not in self._values]
        if not unread:
            return []
        of_key = {self._key(one): one for one in unread}
        keys = list(of_key)
        with self._open() as file:
            for start in range(0, len(keys), AT_ONCE):
                if file is None:
                    break
                some = keys[start : start + AT_ONCE]
                marks = ",".join("?" * len(some))
                rows = file.execute(f"SELECT key, value FROM known WHERE key IN ({marks})", some).fetchall()
                self._values.update((of_key[key], value) for key, value in rows)
                file.execute(f"UPDATE known SET used = ? WHERE key IN ({marks})", [int(time.time()), *some])
        return [one for one in unread if one not in self._values]

    def add(self, inputs: Sequence[Input], values: Sequence[bytes]) -> None:
        """Keep the values of inputs."""
        if not inputs:
            return
        self._values.update(zip(inputs, values, strict=True))
        now = int(time.time())
        with self._open() as file:
            if file:
                rows = [(self._key(one), value, now) for one, value in zip(inputs, values, strict=True)]
                file.executemany("INSERT OR IGNORE INTO known VALUES (?, ?, ?)", rows)
                self._evict(file)

    def number(self, one: Input) -> float:
        """A value that `add_numbers` has kept."""
        return float(_NUMBER.unpack(self._values[one])[0])

    def add_numbers(self, inputs: Sequence[Input], numbers: Sequence[float]) -> None:
        """Keep numbers as the values of inputs."""
        self.add(inputs, [_NUMBER.pack(number) for number in numbers])

    @staticmethod
    def _evict(file: sqlite3.Connection) -> None:
        if file.execute(USED).fetchone()[0] <= LIMIT:
            return
        [[total, count]] = file.execute("SELECT coalesce(sum(length(value)), 0), count(*) FROM known")
        if total > LIMIT:
            file.execute("DELETE FROM known WHERE key IN (SELECT key FROM known ORDER BY used LIMIT ?)", [count // 2])

    def _key(self, one: Input) -> bytes:
        sums = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in one]
        return hashlib.sha256(b"".join([self._about, *sums])).digest()

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection | None]:
        """The file within a transaction, None where there is none; after an error, it is no longer used."""
        if self._path is None:
            yield None
            return
        try:
            file = _connect(self._path)
        except (OSError, sqlite3.Error):
            self._path = None
            yield None
            return
        try:
            with file:
                yield file
        except sqlite3.DatabaseError as error:
            # A damaged file is begun anew by the next command; a busy or full one is left alone.
            if not isinstance(error, sqlite3.OperationalError):
                with contextlib.suppress(OSError):
                    self._path.unlink(missing_ok=True)
            self._path = None
        finally:
            file.close()


def _connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    file = sqlite3.connect(path, timeout=10)
    try:
        file.execute(TABLE)
    except sqlite3.OperationalError:
        file.close()
        raise
    except sqlite3.DatabaseError:
        file.close()
        path.unlink(missing_ok=True)
        raise
    return file
