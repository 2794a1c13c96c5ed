"""DialogStudio's TweetSumm as the `datasets` library saves it: JSON Lines, Parquet, or a folder of Arrow files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from liftbench.plugin_api import BAD_JSON, Conversation, UsageError, require_packages

from .reading import Readers, each_row, split_name
from .tweetsumm_dialogstudio import Dialog, to_conversation

ID = "original dialog id"
"""A column of these rows, and of no other form of TweetSumm."""
NESTED = ("original dialog info", "log")
"""Columns that are saved as JSON in a text."""


def saved_splits(files: Sequence[Path], place: Path) -> Readers:
    """Split → the function that reads its rows; empty if the place holds no saved rows."""
    found: dict[str, list[Path]] = {}
    for path in (*files, *(place.glob("*.arrow")), *(place.glob("*/*.arrow"))):
        if path.suffix.lower() in (".parquet", ".arrow", ".jsonl") and ID in _columns(path):
            found.setdefault(_split(path, place), []).append(path)
    return {split: partial(_read, sorted(set(paths))) for split, paths in found.items()}


def _split(path: Path, place: Path) -> str:
    """The split that a file's folder or name says: `train/data-00000-of-00001.arrow`, `val-00000-of-00001.parquet`."""
    if path.parent != place:
        return split_name(path.parent.name)
    state = path.parent / "state.json"
    if path.suffix == ".arrow" and state.is_file():
        return split_name(json.loads(state.read_text("utf-8")).get("_split") or "train")
    known = (split_name(word) for word in re.split(r"[^a-zA-Z]+", path.stem))
    return next((word for word in known if word in ("train", "validation", "test")), "train")


def _columns(path: Path) -> set[str]:
    if path.suffix.lower() == ".jsonl":
        with path.open("rb") as lines:
            return {ID} if ID.encode() in lines.readline() else set()
    return set(_table(path).schema.names)


def _table(path: Path) -> Any:
    """The table of a Parquet or Arrow file; Arrow files are mapped, not read."""
    require_packages(["pyarrow"], f"{path.name}", "liftbench[data]")
    import pyarrow
    from pyarrow import ipc, parquet

    try:
        if path.suffix.lower() == ".parquet":
            return parquet.read_table(path)
        mapped = pyarrow.memory_map(str(path))
        try:
            return ipc.open_stream(mapped).read_all()
        except pyarrow.ArrowInvalid:
            return ipc.open_file(mapped).read_all()
    except (pyarrow.ArrowException, OSError) as error:
        raise UsageError(f"{path}: cannot be read ({error})") from error


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    if path.suffix.lower() == ".jsonl":
        yield from each_row(path, dict[str, Any])
    else:
        for number, row in enumerate(_table(path).to_pylist(), start=1):
            yield f"{path}, row {number}", row


def _read(paths: Sequence[Path]) -> list[Conversation]:
    """The conversations of one split; those without an abstractive summary are left out."""
    found: dict[str, Conversation] = {}
    for path in paths:
        for where, row in _rows(path):
            try:
                conversation = to_conversation(msgspec.convert(_unpack(row), Dialog))
            except BAD_JSON as error:
                raise UsageError(f"{where}: {error}") from error
            if found.setdefault(conversation.id, conversation) != conversation:
                raise UsageError(f"{where}: another row has a different conversation with the id {conversation.id!r}")
    return [one for one in found.values() if one.references]


def _unpack(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with its nested JSON decoded, without empty values, its log a list of exchanges."""
    new = {
        key: msgspec.json.decode(value) if key in NESTED and isinstance(value, str) else value
        for key, value in row.items()
    }
    if isinstance(log := new.get("log"), Mapping):  # older versions of the library save a list of objects by columns
        new["log"] = [dict(zip(log, values, strict=True)) for values in zip(*log.values(), strict=True)]
    new["log"] = [{k: v for k, v in exchange.items() if v is not None} for exchange in new.get("log") or ()]
    return new
