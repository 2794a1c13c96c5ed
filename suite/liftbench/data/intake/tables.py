"""Reads the rows of delimited text, JSON Lines and Parquet, one at a time, so that memory does not grow.

What the columns mean is decided elsewhere (see `columns`). A row that cannot be read becomes a row with a fault.
"""

from __future__ import annotations

import codecs
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from ...errors import UsageError, require_packages
from .delimited import NOT_ROWS, Dialect, Problem, Records
from .dialects import find_dialect
from .encodings import find_encoding, open_bytes, open_text
from .json_text import NotJson, decode_json

SUFFIXES = {
    "delimited": (".csv", ".tsv", ".csv.gz", ".tsv.gz"),
    "lines": (".jsonl", ".ndjson", ".json", ".jsonl.gz", ".ndjson.gz", ".json.gz"),
    "parquet": (".parquet", ".pq"),
    "text": (".txt", ".vtt", ".srt"),
}
TEXT_COLUMNS = ("id", "transcript")
"""The columns of a file that is one transcript; the id is the file's name."""
ARRAY_BYTES = 64 * 2**20
"""The largest JSON array that is read, because an array has to be in memory as a whole."""
SNIFFED_CHARACTERS = 2**18
BATCH_ROWS = 1024


class Row(Struct, frozen=True, kw_only=True):
    """One row of a table."""

    number: int
    """The line on which the row begins in a text file, else the number of the row; from 1."""
    values: dict[str, Any]
    """Column → value: text in delimited files, else any value that the format has, nested lists included."""
    source: str = ""
    """Name of the file."""
    file: str = ""
    """Path of the file, which distinguishes files of one name."""
    fault: str | None = None
    """Why the row cannot be used; then it has no values."""
    remark: str | None = None
    """What is odd about a row that can be used."""
    read: int = 0
    """Bytes of the file that have been read so far."""

    @property
    def place(self) -> str:
        """`file:number`, for messages."""
        return f"{self.source}:{self.number}" if self.source else str(self.number)


class Table(Struct, frozen=True, kw_only=True):
    """A file, and how to read it."""

    path: Path
    form: Literal["delimited", "lines", "array", "parquet", "text"]
    encoding: str = "utf-8-sig"
    dialect: Dialect | None = None
    """How a delimited file is written."""
    notes: tuple[str, ...] = ()
    """What a user should know about how the file was read."""

    def rows(self) -> Iterator[Row]:
        """The rows, in the file's order.

        Raises `UsageError` for a file that cannot be read to its end, a column without a name, and a repeated name.
        """
        read = {
            "delimited": _read_delimited,
            "lines": _read_lines,
            "array": _read_array,
            "parquet": _read_parquet,
            "text": _read_text,
        }[self.form]
        with _explain_read_errors(self.path):
            yield from read(self)


def open_table(path: Path, encoding: str | None = None) -> Table:
    """Find out how to read a file: from its suffix, and from all of its text for the encoding and the quotation marks.

    A given `encoding` is checked instead of found. Raises `UsageError` for an unknown suffix, a file that cannot be
    read, an encoding that does not fit, and a JSON array that is too large.
    """
    form = next((form for form, suffixes in SUFFIXES.items() if path.name.lower().endswith(suffixes)), None)
    with _explain_read_errors(path):
        if form == "delimited":
            return _open_delimited(path, encoding)
        if form == "lines":
            return _open_lines(path, encoding)
        if form == "parquet":
            path.open("rb").close()
            if encoding is not None:
                raise UsageError(f"--encoding: {path} is a Parquet file, which has no encoding", "Leave it out.")
            return Table(path=path, form="parquet")
        if form == "text":
            found, notes = find_encoding(path, encoding)
            return Table(path=path, form="text", encoding=found, notes=notes)
    known = ", ".join(suffix for suffixes in SUFFIXES.values() for suffix in suffixes)
    raise UsageError(f"{path}: could not detect the file's format", f"Use {known}; save a spreadsheet as CSV.")


@contextmanager
def _explain_read_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, zlib.error) as error:
        # gzip raises an OSError without strerror; a missing file has one.
        raise UsageError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error


# ------------------------------------------------------------------------------------------------- delimited text


def _open_delimited(path: Path, given: str | None) -> Table:
    encoding, notes = find_encoding(path, given)

    def lines() -> Iterator[str]:
        with open_text(path, encoding) as (text, _):
            yield from text

    with open_text(path, encoding) as (text, _):
        sample = text.read(SNIFFED_CHARACTERS).removeprefix("\ufeff").replace("\0", "")
    try:
        dialect, more = find_dialect(sample, path.name, lines)
    except UsageError as error:
        raise error.within(str(path)) from error
    return Table(path=path, form="delimited", encoding=encoding, dialect=dialect, notes=(*notes, *more))


def _read_delimited(table: Table) -> Iterator[Row]:
    with open_text(table.path, table.encoding) as (text, raw):
        records = Records(text, table.dialect or Dialect(delimiter=","))
        header: list[str] = []
        for record in records:
            if not header:
                header = _header(record.fields, table.path, record.line)
                continue
            fault = None
            if record.problem in NOT_ROWS:
                fault = record.problem.value
            elif not records.fits(record.fields):
                # The fault has no numbers of this row, because rows with equal faults are counted together.
                fault = f"{'fewer' if len(record.fields) < len(header) else 'more'} fields than the header names"
            if record.problem is Problem.REPEATED_HEADER and len(record.fields) >= len(header):
                # Where exports were joined, the columns may go on in another order, or with others besides.
                first = {name.casefold(): name for name in header}
                again = _header(record.fields, table.path, record.line)
                header = [first.get(name.casefold(), name) for name in again]
            values = {} if fault else dict(zip(header, record.fields, strict=False))
            yield _row(table, record.line, values, fault=fault, read=raw.tell())
        if records.fault is not None:
            raise records.fault.within(str(table.path))


def _header(fields: list[str], path: Path, line: int) -> list[str]:
    names = [field.strip() for field in fields]
    while names and not names[-1]:
        names.pop()
    if "" in names:
        raise UsageError(
            f"{path}, line {line}: column {names.index('') + 1} has no name", "The first line must name the columns."
        )
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise UsageError(f"{path}, line {line}: two columns are called {repeated!r}", "Rename one of them.")
    return names


def _row(table: Table, number: int, values: dict[str, Any], **more: Any) -> Row:
    return Row(number=number, values=values, source=table.path.name, file=str(table.path), **more)


# -------------------------------------------------------------------------------------------------- JSON, Parquet


def _open_lines(path: Path, given: str | None) -> Table:
    encoding, notes = find_encoding(path, given)
    with open_text(path, encoding) as (text, _):
        if not text.read(SNIFFED_CHARACTERS).lstrip("\ufeff \t\r\n").startswith("["):
            return Table(path=path, form="lines", encoding=encoding, notes=notes)
    with open_bytes(path) as (stream, _):
        size = 0
        while size <= ARRAY_BYTES and (chunk := stream.read(2**20)):
            size += len(chunk)
    if size > ARRAY_BYTES:
        raise UsageError(
            f"{path}: the JSON array is larger than the limit of {ARRAY_BYTES // 2**20} MB",
            "Convert it to JSON Lines, an object a line, with `jq -c '.[]'`.",
        )
    whole = f"{path.name}: a JSON array, read into memory whole"
    return Table(path=path, form="array", encoding=encoding, notes=(*notes, whole))


def _read_lines(table: Table) -> Iterator[Row]:
    for number, line, read in _lines(table):
        stripped = line.removeprefix(codecs.BOM_UTF8).strip()
        if not stripped:
            continue
        try:
            value, remark = decode_json(stripped)
        except NotJson as error:
            yield _row(table, number, {}, fault=f"not a JSON object: {error.reason}", read=read)
        else:
            yield _json_row(table, value, number, read, remark)


def _lines(table: Table) -> Iterator[tuple[int, bytes, int]]:
    """Number, text in UTF-8, and the bytes read so far."""
    if table.encoding == "utf-8-sig":
        with open_bytes(table.path) as (stream, raw):
            for number, line in enumerate(stream, start=1):
                yield number, line, raw.tell()
        return
    with open_text(table.path, table.encoding, newline="\n") as (text, raw):
        for number, words in enumerate(text, start=1):
            yield number, words.encode("utf-8", "replace"), raw.tell()


def _read_array(table: Table) -> Iterator[Row]:
    with open_text(table.path, table.encoding) as (text, raw):
        try:
            values, remark = decode_json(text.read().lstrip("\ufeff").encode("utf-8", "replace"))
        except NotJson as error:
            raise UsageError(f"{table.path}: not JSON: {error}") from error
        for number, value in enumerate(values if isinstance(values, list) else [values], start=1):
            yield _json_row(table, value, number, raw.tell(), remark if number == 1 else None)


def _json_row(table: Table, value: Any, number: int, read: int, remark: str | None) -> Row:
    if isinstance(value, dict):
        return _row(table, number, value, read=read, remark=remark)
    return _row(table, number, {}, fault="not a JSON object", read=read)


def _read_text(table: Table) -> Iterator[Row]:
    """The whole file as one row, a transcript: its columns are `TEXT_COLUMNS`."""
    with open_text(table.path, table.encoding) as (stream, raw):
        text = stream.read()
        if not text.strip():
            raise UsageError(f"{table.path}: the file is empty")
        yield _row(table, 1, dict(zip(TEXT_COLUMNS, (table.path.stem, text), strict=True)), read=raw.tell())


def _read_parquet(table: Table) -> Iterator[Row]:
    require_packages(["pyarrow"], f"the Parquet file {table.path.name}", "liftbench[data]")
    import pyarrow
    from pyarrow import parquet

    try:
        # With pre-buffering, a whole row group would be in memory.
        with parquet.ParquetFile(table.path, pre_buffer=False, buffer_size=2**16) as file:
            size, total = table.path.stat().st_size, file.metadata.num_rows
            number = 0
            for batch in file.iter_batches(batch_size=BATCH_ROWS, use_threads=False):
                for values in batch.to_pylist():
                    number += 1
                    yield _row(table, number, values, read=size * number // total)
    except (pyarrow.ArrowException, NotImplementedError) as error:
        raise UsageError(f"{table.path}: not a readable Parquet file ({error})") from error
