"""Typed records as JSON and JSON Lines, written atomically or appended, and read with errors that name the place."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec

from .errors import NotWritten, UsageError

T = TypeVar("T")

BAD_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What reading damaged or hostile JSON raises: of another form, no UTF-8, or with brackets in brackets without end."""

BLOCK = 1 << 16
"""Bytes that are read at a time where the end of a file is searched."""


class InvalidValue(NamedTuple):
    """What msgspec says about a value that does not fit its type."""

    path: str
    """The path to the value: `metrics.names[0]`; empty for the whole record."""
    reason: str

    @property
    def words(self) -> str:
        """The reason for people who do not program: `must be a whole number >= 1`."""
        expected, _, got = self.reason.partition(", got ")
        if not expected.startswith("Expected `"):
            return self.reason
        return f"must be {_name_types(expected.removeprefix('Expected '))}{f', not {_name_types(got)}' if got else ''}"


TYPES = {"int": "a whole number", "float": "a number", "str": "text", "bool": "true or false", "array": "a list"}
TYPES |= {"object": "a table", "date": "a date", "datetime": "a date"}
"""What a recipe's reader calls the types of msgspec."""


def _name_types(text: str) -> str:
    """A text with types in backticks, in words: `` `int | null` >= 1 `` becomes `a whole number >= 1`."""
    types, _, rest = text.removeprefix("`").partition("`")
    return " or ".join(TYPES.get(one, one) for one in types.split(" | ") if one != "null") + rest


def invalid_value(error: msgspec.ValidationError) -> InvalidValue:
    """Where a conversion failed, and why.

    msgspec puts both in one message (``Expected `int`, got `str` - at `$.train.limit` ``) and has no other interface.
    """
    reason, _, place = str(error).partition(" - at `$")
    return InvalidValue(place.rstrip("`").removeprefix("."), reason)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn the error of a full or read-only disk into a clear one; what was written before stays."""
    try:
        yield
    except OSError as error:
        raise NotWritten(
            f"cannot write {path}: {error.strerror or error}",
            "Free some space or choose another folder, then run the same command again.",
        ) from error


def write_atomic(path: Path, value: Any) -> None:
    """Replace a JSON file so that readers see the old or the new one, never a part, even after a crash."""
    _replace(path, [msgspec.json.format(msgspec.json.encode(value), indent=2), b"\n"])


def write_bytes(path: Path, data: bytes) -> None:
    """Replace a file atomically."""
    _replace(path, [data])


def write_text(path: Path, text: str) -> None:
    """Replace a text file atomically."""
    _replace(path, [text.encode()])


@contextmanager
def write_folder(folder: Path) -> Iterator[Path]:
    """An empty folder to write into, which takes the place of `folder` at the end: a part of it is never there.

    After an error, or a kill before the end, what was in `folder` before is still there.
    """
    folder = folder.resolve()
    staging = folder.with_name(f".{folder.name}.part")
    with writing(folder):
        shutil.rmtree(staging, ignore_errors=True)  # left by a process that was killed
        staging.mkdir(parents=True)
    try:
        yield staging
        with writing(folder):
            shutil.rmtree(folder, ignore_errors=True)
            staging.rename(folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def write_lines(path: Path, rows: Iterable[Any]) -> None:
    """Replace a JSON Lines file atomically; memory holds one row at a time."""
    _replace(path, encode_lines(rows))


def append_lines(path: Path, rows: Iterable[Any]) -> None:
    """Append rows in one write that has reached the disk when this returns.

    Where that fails, what had been written of the rows is removed, so that the file ends with a whole line.
    """
    data = b"".join(encode_lines(rows))
    # Without a buffer, which would write the rest of the rows when it is closed, after they were removed.
    with writing(path), path.open("ab", buffering=0) as out:
        before = out.seek(0, os.SEEK_END)
        try:
            _write_all(out, data)
            os.fsync(out.fileno())
        except OSError:
            out.truncate(before)
            raise


def recover_lines(path: Path, kind: type[T]) -> list[T]:
    """The complete rows of a JSON Lines file that a kill may have cut; a cut end is removed from the file."""
    if not path.exists():
        return []
    cut_end(path)
    return read_lines(path, kind)


def cut_end(path: Path) -> None:
    """Remove from a JSON Lines file the end that a kill cut: what follows the last whole line."""
    with path.open("rb") as file:
        size = start = file.seek(0, os.SEEK_END)
        whole = 0
        while start and not whole:
            start = max(0, start - BLOCK)
            file.seek(start)
            place = file.read(BLOCK).rfind(b"\n")
            whole = start + place + 1 if place >= 0 else 0
    if whole < size:
        with writing(path), path.open("r+b") as file:
            file.truncate(whole)


def read_record(path: Path, kind: type[T]) -> T:
    """A record of a run directory. Raises `UsageError` where the file is missing or damaged."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError as error:
        raise UsageError(f"run {path.parent.name} is incomplete: it has no {path.name}") from error
    except (OSError, *BAD_JSON) as error:
        raise UsageError(f"{path} is damaged: {error}") from error


def read_lines(path: Path, kind: type[T]) -> list[T]:
    """The records of a JSON Lines file of a run directory. Raises `UsageError` with the line where one is damaged."""
    return list(each_line(path, kind))


def each_line(path: Path, kind: type[T]) -> Iterator[T]:
    """The same records, one at a time."""
    decoder = msgspec.json.Decoder(kind)
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                try:
                    yield decoder.decode(line)
                except BAD_JSON as error:
                    raise UsageError(f"{path}, line {number}, is damaged: {error}") from error
    except FileNotFoundError as error:
        raise UsageError(f"run {path.parent.name} is incomplete: it has no {path.name}") from error


def digest(*parts: object) -> str:
    """sha256 over the canonical JSON of some values, with dicts sorted by key."""
    return hashlib.sha256(canonical_json(parts)).hexdigest()


def canonical_json(value: object) -> bytes:
    """JSON with dicts sorted by key: equal values give equal bytes."""
    return msgspec.json.encode(msgspec.to_builtins(value), order="sorted")


def file_sha256(path: Path) -> str:
    """Hex digest of a file's contents, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def encode_lines(rows: Iterable[Any]) -> Iterator[bytes]:
    """Each row as a line."""
    return (msgspec.json.encode(row) + b"\n" for row in rows)


def _write_all(out: io.FileIO, data: bytes) -> None:
    """Write all of the data: a disk that fills up takes a part of it before it reports an error."""
    left = memoryview(data)
    while left:
        left = left[out.write(left) or 0 :]


def _replace(path: Path, parts: Iterable[bytes]) -> None:
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
        try:
            with temporary.open("wb") as out:
                out.writelines(parts)
                out.flush()
                os.fsync(out.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
