"""Keeps the messages of an import in a temporary SQLite file, because memory need not hold them."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from ...errors import RunFailed


class Spool:
    """Tables in a temporary file, which is deleted at the end of the `with` block."""

    def __init__(self, *tables: str, cache_mb: int) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="liftbench-")
        self._file = sqlite3.connect(Path(self._folder.name) / "messages", isolation_level=None)
        # The file does not outlive the process, so it needs no journal and no waiting for the disk.
        self._file.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")
        self._file.execute(f"PRAGMA cache_size = -{cache_mb * 1024}")
        for table in tables:
            self._file.execute(f"CREATE TABLE {table}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._folder.cleanup()

    @contextmanager
    def _filling(self) -> Iterator[None]:
        """A transaction that stores rows. Raises `RunFailed` if the disk is full."""
        try:
            self._file.execute("BEGIN")
            yield
            self._file.execute("COMMIT")
        except sqlite3.Error as error:
            raise RunFailed(
                f"cannot keep the messages in {self._folder.name}: {error}", "Set TMPDIR to a folder with more space."
            ) from error
