"""Data set folders: their files, and writing a new folder completely or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import UsageError
from ..files import writing
from .cards import CARD


def jsonl_files(folder: Path) -> list[Path]:
    """The `.jsonl` files in a folder, sorted by name. Raises `UsageError` if there are none."""
    if folder.is_file():
        raise UsageError(
            f"{folder} is a file, not a folder", f"`bench data import {folder} --to FOLDER` converts it to a folder."
        )
    if not folder.is_dir():
        raise UsageError(f"cannot read conversations from {folder}: the folder does not exist")
    files = sorted(folder.glob("*.jsonl"))
    if not files:
        raise UsageError(
            f"{folder} has no .jsonl file", "`bench data import` writes them from CSV, JSON Lines or Parquet files."
        )
    return files


def sibling(folder: Path, suffix: str) -> Path:
    """`<folder><suffix>` next to the folder: the default place of a new folder."""
    named = folder if folder.name not in ("", "..") else folder.resolve()
    return named.with_name(f"{named.name}{suffix}")


def count_lines(files: Iterable[Path]) -> int:
    """The number of lines in the files: an upper bound for the conversations, because lines may be empty."""
    total = 0
    for path in files:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                total += block.count(b"\n")
    return total


def require_free(target: Path, source: Path, *, replace: bool) -> None:
    """Raise `UsageError` if a new folder would overlap its source, or replace files that it must not replace.

    Even with `replace`, only a data set is replaced, so that a typing mistake cannot delete a home directory.
    """
    here, there = source.resolve(), target.resolve()
    if here == there or here in there.parents or there in here.parents:
        raise UsageError(
            f"the new folder {target} overlaps its source {source}",
            "Name another folder with --to.",
        )
    if not target.exists():
        return
    if not target.is_dir():
        raise UsageError(f"{target} is a file, not a folder", "Name a folder with --to.")
    names = [path.name for path in target.iterdir()]
    others = [name for name in names if name != CARD and not name.endswith(".jsonl")]
    if others:
        raise UsageError(
            f"{target} has files that are not part of a data set ({others[0]})", "Name another folder with --to."
        )
    if names and not replace:
        raise UsageError(f"{target} is not empty", "Replace it with --force, or name another folder with --to.")


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """A temporary folder to write into. It replaces the target at the end; after an error the target is unchanged."""
    path = target.resolve()
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    old = path.with_name(f"{scratch.name}.old")
    with writing(target):
        scratch.mkdir(parents=True)
        try:
            yield scratch
            if path.exists():
                path.rename(old)
            scratch.rename(path)
        finally:
            if old.exists() and not path.exists():
                old.rename(path)
            shutil.rmtree(scratch, ignore_errors=True)
            shutil.rmtree(old, ignore_errors=True)
