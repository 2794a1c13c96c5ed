"""Reads the rows of delimited text, JSON Lines and Parquet, one at a time, so that memory does not grow.

What the columns mean is decided elsewhere (see `columns`). A row that cannot be read becomes a row with a fault.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any, Literal, cast

import msgspec
from msgspec import Struct

from ...errors import UsageError, require_packages

DELIMITERS = ",;\t|"
EXCEL_DELIMITER = "sep="
"""A first line `sep=;` tells Excel the delimiter and is not a header."""
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
FIELD_CHARACTERS = 16 * 2**20
SNIFFED_BYTES = 2**18
SNIFFED_ROWS = 50
BATCH_ROWS = 1024

_END = "\0end of file\0"


class Row(Struct, frozen=True, kw_only=True):
    """One row of a table."""

    number: int
    """The line on which the row begins in a text file, else the number of the row; from 1."""
    values: dict[str, Any]
    """Column → value: text in delimited files, else any value that the format has, nested lists included."""
    source: str = ""
    """Name of the file."""
    fault: str | None = None
    """Why the row cannot be used; then it has no values."""
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
    encoding: str = "utf-8"
    delimiter: str = ""
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


def open_table(path: Path) -> Table:
    """Find out how to read a file: from its suffix, its first bytes and, for the encoding of delimited text, all of it.

    Raises `UsageError` for an unknown suffix, a file that cannot be read, and a JSON array that is too large.
    """
    form = next((form for form, suffixes in SUFFIXES.items() if path.name.lower().endswith(suffixes)), None)
    with _explain_read_errors(path):
        if form == "delimited":
            return _open_delimited(path)
        if form == "lines":
            return _open_lines(path)
        if form == "parquet":
            path.open("rb").close()
            return Table(path=path, form="parquet")
        if form == "text":
            encoding, notes = _encoding(path)
            return Table(path=path, form="text", encoding=encoding, notes=notes)
    known = ", ".join(suffix for suffixes in SUFFIXES.values() for suffix in suffixes)
    raise UsageError(f"{path}: could not detect the file's format", f"Use {known}; save a spreadsheet as CSV.")


@contextmanager
def _explain_read_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, zlib.error) as error:
        # gzip raises an OSError without strerror; a missing file has one.
        raise UsageError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error


@contextmanager
def _open_bytes(path: Path) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """The unpacked bytes of a file, and the file itself, whose position says how much has been read."""
    with path.open("rb") as raw:
        if path.suffix.lower() == ".gz":
            with gzip.open(raw) as unpacked:
                yield cast(IO[bytes], unpacked), raw
        else:
            yield raw, raw


# ------------------------------------------------------------------------------------------------- delimited text


def _open_delimited(path: Path) -> Table:
    encoding, notes = _encoding(path)
    with _open_bytes(path) as (stream, _):
        text = codecs.getincrementaldecoder(encoding)("replace").decode(stream.read(SNIFFED_BYTES))
    if not text.strip():
        raise UsageError(f"{path}: the file is empty")
    return Table(path=path, form="delimited", encoding=encoding, delimiter=_delimiter(text), notes=notes)


def _encoding(path: Path) -> tuple[str, tuple[str, ...]]:
    # The whole file is read, because its first umlaut may be on the last line.
    decoder = codecs.getincrementaldecoder("utf-8")()
    with _open_bytes(path) as (stream, _):
        chunk = stream.read(2**20)
        if chunk.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16", ()
        try:
            while chunk:
                decoder.decode(chunk)
                chunk = stream.read(2**20)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            text = chunk.decode("utf-8", "replace")
            broken = text.count("\ufffd")
            if sum(not character.isascii() for character in text) > 2 * broken:
                return "utf-8-sig", (f"{path.name}: UTF-8 with broken bytes, which were replaced by \ufffd",)
            return "cp1252", (f"{path.name}: not UTF-8; read as Windows-1252 (cp1252)",)
    return "utf-8-sig", ()


def _delimiter(text: str) -> str:
    # After an unclosed quotation mark, one field takes the rest of the file; the limit protects the memory.
    csv.field_size_limit(max(csv.field_size_limit(), FIELD_CHARACTERS))
    first = text.partition("\n")[0].strip()
    if first[:4].lower() == EXCEL_DELIMITER and len(first) == 5:
        return first[4]

    def fit(delimiter: str) -> tuple[float, int]:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        try:
            rows = list(islice(filter(None, reader), SNIFFED_ROWS))
        except csv.Error:
            return 0.0, 0
        width = len(rows[0])
        alike = sum(len(row) == width for row in rows) / len(rows)
        return (alike if width > 1 else 0.0, width)

    return max(DELIMITERS, key=fit)


def _read_delimited(table: Table) -> Iterator[Row]:
    with _open_bytes(table.path) as (stream, raw):
        # newline="" lets csv itself distinguish the end of a row from a line break within quotation marks.
        text = io.TextIOWrapper(stream, table.encoding, errors="replace", newline="")
        reader = csv.reader(_append_end(text), delimiter=table.delimiter)
        header: list[str] = []
        line = 1
        while True:
            try:
                fields = next(reader)
            except csv.Error as error:
                raise UsageError(
                    f"{table.path}, line {line}: {error}", "Check whether a quotation mark is never closed."
                ) from error
            if fields == [_END]:
                break
            if fields and fields[-1].endswith(_END):
                raise UsageError(f"{table.path}, line {line}: a quotation mark is never closed")
            if not header:
                header = _header(fields, table.path, line)
            elif fields:
                yield _row(header, fields, line, table.path.name, raw.tell())
            line = reader.line_num + 1


def _append_end(lines: Iterator[str]) -> Iterator[str]:
    # csv silently closes an open quotation at the end of the file; an extra last row reveals it.
    yield from lines
    yield _END


def _header(fields: list[str], path: Path, line: int) -> list[str]:
    if not any(fields) or fields[0].lower().startswith(EXCEL_DELIMITER):
        return []
    names = [field.strip() for field in fields]
    if "" in names:
        raise UsageError(
            f"{path}, line {line}: column {names.index('') + 1} has no name", "The first line must name the columns."
        )
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise UsageError(f"{path}, line {line}: two columns are called {repeated!r}", "Rename one of them.")
    return names


def _row(header: list[str], fields: list[str], line: int, source: str, read: int) -> Row:
    if len(fields) != len(header):
        # The fault has no numbers of this row, because rows with equal faults are counted together.
        which = "fewer" if len(fields) < len(header) else "more"
        return Row(number=line, values={}, source=source, read=read, fault=f"{which} fields than the header names")
    return Row(number=line, values=dict(zip(header, fields, strict=True)), source=source, read=read)


# -------------------------------------------------------------------------------------------------- JSON, Parquet


def _open_lines(path: Path) -> Table:
    with _open_bytes(path) as (stream, _):
        start = stream.read(SNIFFED_BYTES).removeprefix(codecs.BOM_UTF8).lstrip()
        if not start:
            raise UsageError(f"{path}: the file is empty")
        if not start.startswith(b"["):
            return Table(path=path, form="lines")
        size = len(start)
        while size <= ARRAY_BYTES and (chunk := stream.read(2**20)):
            size += len(chunk)
    if size > ARRAY_BYTES:
        raise UsageError(
            f"{path}: the JSON array is larger than the limit of {ARRAY_BYTES // 2**20} MB",
            "Convert it to JSON Lines, an object a line, with `jq -c '.[]'`.",
        )
    return Table(path=path, form="array", notes=(f"{path.name}: a JSON array, read into memory whole",))


def _read_lines(table: Table) -> Iterator[Row]:
    with _open_bytes(table.path) as (stream, raw):
        for number, line in enumerate(stream, start=1):
            stripped = line.removeprefix(codecs.BOM_UTF8).strip()
            if not stripped:
                continue
            try:
                value = msgspec.json.decode(stripped)
            except (msgspec.DecodeError, UnicodeDecodeError):
                value = None
            yield _json_row(value, number, table.path.name, raw.tell())


def _read_array(table: Table) -> Iterator[Row]:
    with _open_bytes(table.path) as (stream, raw):
        try:
            values = msgspec.json.decode(stream.read().removeprefix(codecs.BOM_UTF8), type=list[Any])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UsageError(f"{table.path}: {error}") from error
        for number, value in enumerate(values, start=1):
            yield _json_row(value, number, table.path.name, raw.tell())


def _json_row(value: Any, number: int, source: str, read: int) -> Row:
    if isinstance(value, dict):
        return Row(number=number, values=value, source=source, read=read)
    return Row(number=number, values={}, source=source, read=read, fault="not a JSON object")


def _read_text(table: Table) -> Iterator[Row]:
    """The whole file as one row, a transcript: its columns are `TEXT_COLUMNS`."""
    text = table.path.read_text(table.encoding, errors="replace")
    if not text.strip():
        raise UsageError(f"{table.path}: the file is empty")
    values = dict(zip(TEXT_COLUMNS, (table.path.stem, text), strict=True))
    yield Row(number=1, values=values, source=table.path.name, read=len(text))


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
                    yield Row(number=number, values=values, source=table.path.name, read=size * number // total)
    except (pyarrow.ArrowException, NotImplementedError) as error:
        raise UsageError(f"{table.path}: not a readable Parquet file ({error})") from error
