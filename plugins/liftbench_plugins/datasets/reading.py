"""Code that the data set loaders share: JSON Lines rows with their places, and names, files and order of splits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from liftbench.plugin_api import BAD_JSON, Conversation, UsageError

T = TypeVar("T")

Readers = Mapping[str, Callable[[], list[Conversation]]]
"""Split → the function that reads it."""

SPLITS = {"val": "validation", "valid": "validation", "dev": "validation"}
"""Other names of splits → the suite's names."""


def split_name(name: str) -> str:
    """`validation` for `val`, `Valid` and `dev`; any other name in lower case."""
    return SPLITS.get(name.casefold(), name.casefold())


def each_row(path: Path, kind: type[T]) -> Iterator[tuple[str, T]]:
    """The rows of a JSON Lines file, each with its place (`FILE, line N`).

    Raises `UsageError` with file, line and reason for a malformed line.
    """
    decoder = msgspec.json.Decoder(kind)
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            where = f"{path}, line {number}"
            try:
                yield where, decoder.decode(line)
            except BAD_JSON as error:
                raise UsageError(f"{where}: {error}") from error


def by_split(paths: Iterable[Path], name: Callable[[Path], str]) -> dict[str, Path]:
    """Split → its file. Raises `UsageError` if two files hold the same split."""
    found: dict[str, Path] = {}
    for path in paths:
        split = name(path)
        if split in found:
            raise UsageError(f"{found[split]} and {path.name} both hold the split {split!r}", "Keep one of them.")
        found[split] = path
    return found


def sort_splits(splits: Iterable[str]) -> list[str]:
    """Sort splits: train, validation, test, then any others."""
    usual: Sequence[str] = ("train", "validation", "test")
    return sorted(splits, key=lambda split: (usual.index(split) if split in usual else len(usual), split))
