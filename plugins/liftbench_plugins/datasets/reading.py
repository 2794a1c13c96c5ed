"""What the loaders do alike: rows of JSON Lines with their line numbers, the names of splits, and ids seen twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from liftbench.plugin_api import Conversation, UsageError

T = TypeVar("T")

Readers = Mapping[str, Callable[[], list[Conversation]]]
"""Split → what reads it."""

SPLITS = {"val": "validation", "valid": "validation", "dev": "validation"}
"""What others call our splits."""


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
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise UsageError(f"{where}: {error}") from error


def by_split(paths: Iterable[Path], name: Callable[[Path], str]) -> dict[str, Path]:
    """Split → its file. Raises `UsageError` where two files hold one split."""
    found: dict[str, Path] = {}
    for path in paths:
        split = name(path)
        if split in found:
            raise UsageError(f"{found[split]} and {path.name} both hold the split {split!r}", "Keep one of them.")
        found[split] = path
    return found


def sort_splits(splits: Iterable[str]) -> list[str]:
    """Splits as people name them: train, validation, test, then any others."""
    usual: Sequence[str] = ("train", "validation", "test")
    return sorted(splits, key=lambda split: (usual.index(split) if split in usual else len(usual), split))
