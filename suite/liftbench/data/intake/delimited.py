"""Reads the rows of delimited text in a given dialect, and does not let a quotation mark swallow rows in silence."""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterator
from enum import Enum
from typing import Any, NamedTuple

from msgspec import Struct

from ...errors import UsageError
from .values import shape

EXCEL_DELIMITER = "sep="
"""A first line `sep=;` tells Excel the delimiter and is not a header."""
PLAIN_MARKS = "quotation marks are read as ordinary characters"
LINES_IN_NOTES = 5
UNCLOSED = "a quotation mark is never closed"
_PLACEHOLDER = "\ue000"


class Problem(Enum):
    """What is odd about a row; `NOT_ROWS` are left out, the others are used."""

    ALONE = "quotation marks that are never closed, read as part of the text; else they would have swallowed rows"
    INNER = "quoted cells with quotation marks inside that are not doubled; these are read as part of the text"
    LOOSE = "quoted cells with text after the closing quotation mark"
    MAY_HOLD_ROWS = "quoted cells with lines that may be rows, as after a quotation mark that is not closed"
    HOLDS_ROWS = "quoted cells with lines that look like rows, as after a quotation mark that is not closed"
    TORN = "a row with a quotation mark that is never closed"
    REPEATED_HEADER = "the header again"


NOT_ROWS = (Problem.HOLDS_ROWS, Problem.TORN, Problem.REPEATED_HEADER)


class Seen(NamedTuple):
    """What a column holds in the first rows, by which a line inside a cell is recognized as a row."""

    values: frozenset[str]
    shapes: frozenset[str]

    @staticmethod
    def add(values: set[str], shapes: set[str], field: str) -> None:
        """Remember a field in two growing sets."""
        if 0 < len(field) <= 40 and ": " not in field:
            values.add(field)
            if "9" in (written := shape(field)):
                shapes.add(written)

    def like(self, field: str) -> bool:
        """Whether the column had the same value, or one with digits in the same places."""
        # A turn of a transcript (`[10:15] Agent: …`) is not a row.
        return field in self.values or (len(field) <= 40 and ": " not in field and shape(field) in self.shapes)


class Dialect(Struct, frozen=True, kw_only=True):
    """How a delimited file is written."""

    delimiter: str
    quote: str = '"'
    """Empty if quotation marks are ordinary characters."""
    escape: str = ""
    padding: int = 0
    """How many empty cells each row has beyond the header's."""
    seen: tuple[Seen, ...] = ()

    @property
    def options(self) -> dict[str, Any]:
        """The arguments for `csv.reader`."""
        quoting = csv.QUOTE_MINIMAL if self.quote else csv.QUOTE_NONE
        return {
            "delimiter": self.delimiter,
            "quotechar": self.quote or None,
            "quoting": quoting,
            "escapechar": self.escape or None,
        }


class Record(NamedTuple):
    """The cells of a row, which may be over several lines."""

    line: int
    """The line on which it begins, from 1."""
    fields: list[str]
    problem: Problem | None = None
    rows: int = 0
    """How many rows may be inside of it."""
    escaped: bool = False
    """Whether a quotation mark follows a backslash, and none is doubled."""


class Records:
    """The records of a file in a dialect, without empty lines; the first one is the header.

    If a quotation mark is never closed, the iteration ends there, and `fault` is the error.
    """

    def __init__(self, lines: Iterator[str], dialect: Dialect) -> None:
        self.fault: UsageError | None = None
        self._dialect = dialect
        self._lines = _Lines(lines, dialect)
        self._reader = csv.reader(self._lines, strict=True, **dialect.options)
        self._header: list[str] = []
        self._names = 0
        self._name_set: set[str] = set()
        self._last = ""
        self._mended_to = 0

    @property
    def zero_characters(self) -> int:
        """How many characters with the code zero were left out so far."""
        return self._lines.zero_characters

    def __iter__(self) -> Iterator[Record]:
        while self.fault is None:
            line = self._lines.begin()
            try:
                fields = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                record = self._mend(line, str(error))
            else:
                record = self._look_inside(Record(line, fields, Problem.INNER if self._mended_to > line else None))
            if record is None or (not record.fields and record.problem is None):
                continue
            if not self._header:
                if not any(record.fields) or _names_delimiter(record.fields):
                    continue
                self._begin(record.fields)
            elif _names_delimiter(record.fields) or self._is_header(record.fields):
                record = record._replace(problem=Problem.REPEATED_HEADER)
                if len(record.fields) > len(self._header):
                    self._begin(record.fields)
            yield record._replace(escaped=True) if self._has_escapes() else record

    def _has_escapes(self) -> bool:
        quote = self._dialect.quote
        if not quote or self._dialect.escape:
            return False
        # A backslash may also be the last character of a quoted cell: `"C:\dir\",`.
        pattern = rf"\\{re.escape(quote)}(?![{re.escape(self._dialect.delimiter)}\r\n]|$)"
        return any("\\" in line and quote * 2 not in line and re.search(pattern, line) for line in self._lines.taken)

    def _begin(self, header: list[str]) -> None:
        self._header = header
        self._name_set = {_fold(name) for name in header if name.strip()}
        self._last = next((_fold(name) for name in reversed(header) if name.strip()), "")
        self._names = (
            max(number for number, name in enumerate(header, start=1) if name.strip()) if self._name_set else 0
        )

    def fits(self, fields: list[str]) -> bool:
        """Whether a row has a cell for each name, and beyond them only empty ones, as the header or all rows have."""
        names = self._names
        if len(fields) in (names, len(self._header), len(self._header) + self._dialect.padding):
            return not any(fields[names:])
        return False

    def _is_header(self, fields: list[str]) -> bool:
        """Whether a row is the header again: its columns in any order and case, and maybe others besides."""
        return (
            len(fields) >= self._names and self._last in map(_fold, fields) and self._name_set <= {*map(_fold, fields)}
        )

    def _look_inside(self, record: Record) -> Record | None:
        """The record; if lines of its cells look like rows, its first line alone or a record with that problem."""
        inner = self._lines.taken[1:]
        if not any(self._has_cells(line) for line in inner):
            return record
        first = self._without_last_mark(self._lines.taken[0])
        matches = [self._matches(line, first) for line in inner]
        rows = sum(number > 0 for number in matches)
        strong = max(1, 2 * len(self._header) // 3)
        if not rows:
            return record
        sure = sum(number >= strong for number in matches)
        if (first and sure == len(inner)) or (matches[0] >= strong and sure > 1):
            self._lines.push_back(inner)
            return Record(record.line, first or [], Problem.ALONE if first else Problem.TORN, rows)
        return record._replace(problem=Problem.HOLDS_ROWS if sure > 1 else Problem.MAY_HOLD_ROWS, rows=rows)

    def _mend(self, line: int, reason: str) -> Record | None:
        """The record for lines that `csv` refuses; None if they were changed and are to be read again."""
        taken = list(self._lines.taken)
        if "field" in reason:
            self.fault = self._unclosed(line, reason)
            return None
        at_end = "end of data" in reason
        if len(taken) == 1 and not at_end:
            return self._mend_line(line, taken[0])
        first, inner = self._without_last_mark(taken[0]), taken[1:]
        matches = [self._matches(other, first) > 0 for other in inner]
        if any(matches):
            # The cell ends at the first line that looks like a row.
            begin = matches.index(True)
            self._lines.push_back(inner[begin:])
            whole = first if begin == 0 else None
            return Record(line, whole or [], Problem.ALONE if whole else Problem.TORN, sum(matches))
        if first is not None and not inner:
            return Record(line, first, Problem.ALONE)
        doubled = [self._double_marks(other) for other in taken]
        end = line + len(taken)
        if doubled != taken and end > self._mended_to and not at_end:
            self._mended_to = end
            self._lines.push_back(doubled)
            return None
        if at_end:
            self.fault = self._unclosed(line, "")
            return None
        return Record(line, [], Problem.TORN)

    def _mend_line(self, line: int, text: str) -> Record:
        doubled = self._read_alone(self._double_marks(text))
        if doubled is not None and self._fits(doubled):
            return Record(line, doubled, Problem.INNER)
        if (first := self._without_last_mark(text)) is not None:
            return Record(line, first, Problem.LOOSE)
        return Record(line, next(csv.reader([text], **self._dialect.options)), Problem.LOOSE)

    def _unclosed(self, line: int, reason: str) -> UsageError:
        return UsageError(
            f"line {line}: {reason or UNCLOSED}", "Close it, double it if it is part of the text, or export again."
        )

    def _fits(self, fields: list[str]) -> bool:
        return not self._header or self.fits(fields)

    def _read_alone(self, line: str) -> list[str] | None:
        try:
            return next(csv.reader([line], strict=True, **self._dialect.options), None)
        except csv.Error:
            return None

    def _without_last_mark(self, line: str) -> list[str] | None:
        """A line's fields with its last quotation mark, or with all, as part of the text; None if they do not fit."""
        if not self._dialect.quote:
            return None
        left, _, right = line.rpartition(self._dialect.quote)
        fields = self._read_alone(f"{left}{_PLACEHOLDER}{right}")
        if fields is None or not self._fits(fields):
            fields = self._read_alone(line.replace(self._dialect.quote, _PLACEHOLDER))
        if fields is None or not self._fits(fields):
            return None
        return [field.replace(_PLACEHOLDER, self._dialect.quote) for field in fields]

    def _double_marks(self, line: str) -> str:
        quote, delimiter = re.escape(self._dialect.quote), re.escape(self._dialect.delimiter)
        pattern = rf"(?<=[^{delimiter}{quote}\r\n]){quote}(?=[^{delimiter}{quote}\r\n])"
        return re.sub(pattern, self._dialect.quote * 2, line)

    def _has_cells(self, line: str) -> bool:
        """Whether a line has delimiters enough for a row; in a table of one column nothing can be told."""
        return self._names > 1 and line.count(self._dialect.delimiter) >= self._names - 1

    def _matches(self, line: str, first: list[str] | None) -> int:
        """In how many columns a line would fit if it were a row; 0 if it is none."""
        if not self._has_cells(line):
            return 0
        fields = self._read_alone(line)
        if fields is None or not self._fits(fields):
            fields = self._without_last_mark(line)
        # Prose has a space after a comma.
        if fields is None or not self._fits(fields) or any(field[:1] == " " for field in fields[1:]):
            return 0
        known = self._dialect.seen
        if first:
            known = tuple(
                Seen(seen.values | {field}, seen.shapes | ({shape(field)} if "9" in shape(field) else set()))
                for seen, field in zip(known, first, strict=False)
            )
        return sum(seen.like(field) for seen, field in zip(known, fields, strict=False) if field)


class _Lines:
    """The lines of a file for `csv.reader`, with those of the current record, which can be given back."""

    def __init__(self, lines: Iterator[str], dialect: Dialect) -> None:
        self.taken: list[str] = []
        self.zero_characters = 0
        self._lines = lines
        self._again: deque[str] = deque()
        self._begun = 1
        delimiter, quote = re.escape(dialect.delimiter), re.escape(dialect.quote or '"')
        # A backslash before anything else is a backslash: `C:\temp`.
        self._backslash = (
            re.compile(rf"\\(\\|{quote}|{delimiter}|[\r\n])|\\") if dialect.escape and dialect.delimiter else None
        )

    def begin(self) -> int:
        """Begin a record; returns the number of its first line."""
        self._begun += len(self.taken)
        self.taken = []
        return self._begun

    def push_back(self, lines: list[str]) -> None:
        """Give back the last lines, changed or not, to be read again."""
        self._again.extendleft(reversed(lines))
        del self.taken[len(self.taken) - len(lines) :]

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if self._again:
            line = self._again.popleft()
        else:
            line = next(self._lines)
            # Files that were joined have byte order marks on the way.
            if line[:1] == "\ufeff":
                line = line[1:]
            if "\0" in line:
                self.zero_characters += line.count("\0")
                line = line.replace("\0", "")
            if self._backslash and "\\" in line:
                line = self._backslash.sub(lambda found: found[0] if found[1] else "\\\\", line)
        self.taken.append(line)
        return line


def _names_delimiter(fields: list[str]) -> bool:
    return bool(fields) and fields[0].lower().startswith(EXCEL_DELIMITER) and not any(fields[1:])


def _fold(name: str) -> str:
    return name.strip().casefold()
