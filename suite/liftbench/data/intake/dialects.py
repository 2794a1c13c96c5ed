"""Finds out how a delimited file is written: its delimiter, its quotation marks and its escape character.

The whole file is read once as RFC 4180 has it (`"…"`, with `""` for a quotation mark). Only if some rows do not fit are
other ways tried; the one in which fewest rows do not fit is taken, and the user is told.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from itertools import islice
from math import inf

from msgspec.structs import replace

from .delimited import EXCEL_DELIMITER, LINES_IN_NOTES, PLAIN_MARKS, Dialect, Problem, Record, Records, Seen

DELIMITERS = ",;\t|"
FIELD_CHARACTERS = 16 * 2**20
SNIFFED_ROWS = 50

Open = Callable[[], Iterator[str]]
"""Opens the file again and returns its lines."""


def find_dialect(sample: str, name: str, lines: Open) -> tuple[Dialect, tuple[str, ...]]:
    """The dialect of a file that begins with `sample`, and notes about the rows that it fits badly.

    Raises `UsageError` for a quotation mark that is never closed, unless the file can be read without quotation marks.
    """
    # After an unclosed quotation mark, one field takes the rest of the file; the limit protects the memory.
    csv.field_size_limit(max(csv.field_size_limit(), FIELD_CHARACTERS))
    usual = Dialect(delimiter=_delimiter(sample))
    usual = replace(usual, seen=_seen(sample, usual))
    best = _Survey(usual, lines, inf)
    if best.cost:
        for other in _others(best):
            survey = _Survey(other, lines, best.cost)
            # With other quotation marks or none, or where the usual reading ends at one, nearly all rows have to fit.
            demanding = best.fault is not None or other.quote != usual.quote
            if survey.cost < best.cost and not (demanding and survey.cost > survey.rows / 100):
                best = survey
    if best.fault is not None:
        raise best.fault
    return best.dialect, tuple(f"{name}: {note}" for note in best.notes())


def _delimiter(text: str) -> str:
    first = text.partition("\n")[0].strip()
    if first[:4].lower() == EXCEL_DELIMITER and len(first) == 5:
        return first[4]

    def fit(delimiter: str) -> tuple[float, int]:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        try:
            rows = list(islice(filter(None, reader), SNIFFED_ROWS))
        except csv.Error:
            return 0.0, 0
        width = len(rows[0]) if rows else 0
        alike = sum(len(row) == width for row in rows) / max(1, len(rows))
        return (alike if width > 1 else 0.0, width)

    return max(DELIMITERS, key=fit)


def _seen(sample: str, dialect: Dialect) -> tuple[Seen, ...]:
    """What the columns hold, from the rows of the sample that are one line."""
    reader = csv.reader(io.StringIO(sample, newline=""), **dialect.options)
    columns: list[tuple[set[str], set[str]]] = []
    before = 0
    try:
        for number, fields in enumerate(islice(filter(None, reader), 20 * SNIFFED_ROWS)):
            if not number:
                columns = [(set(), set()) for _ in fields]
            elif reader.line_num == before + 1 and len(fields) == len(columns):
                for (values, shapes), field in zip(columns, fields, strict=True):
                    Seen.add(values, shapes, field)
            before = reader.line_num
    except csv.Error:
        pass
    return tuple(Seen(frozenset(values), frozenset(shapes)) for values, shapes in columns)


def _others(usual: _Survey) -> Iterator[Dialect]:
    delimiter, seen = usual.dialect.delimiter, usual.dialect.seen
    yield Dialect(delimiter=delimiter, seen=seen, escape="\\")
    if not _wrapped(usual.header, '"'):
        yield Dialect(delimiter=delimiter, seen=seen, quote="")
        yield Dialect(delimiter=delimiter, seen=seen, quote="", escape="\\")
    yield Dialect(delimiter=delimiter, seen=seen, quote="'")
    yield Dialect(delimiter=delimiter, seen=seen, quote="'", escape="\\")


def _wrapped(fields: list[str], quote: str) -> bool:
    return bool(fields) and all(len(field) > 1 and field[0] == field[-1] == quote for field in fields)


class _Survey:
    """Reads a file in one dialect and counts the rows that do not fit; it stops where another dialect is better."""

    def __init__(self, dialect: Dialect, lines: Open, limit: float) -> None:
        self.dialect = dialect
        self.cost: float = 0
        self.header: list[str] = []
        self.fault: Exception | None = None
        self._problems: dict[Problem, tuple[int, list[str]]] = {}
        records = Records(lines(), dialect)
        self.rows = padded = wrapped = 0
        padding: int | None = None
        for record in records:
            if not self.header:
                self.header = record.fields
                # Single quotation marks do not disturb the reading, but they are not part of the columns' names.
                self.cost += 0.5 * (dialect.quote == '"' and _wrapped(record.fields, "'"))
                continue
            if record.problem is not Problem.REPEATED_HEADER:
                self.rows += 1
                extra = len(record.fields) - len(self.header)
                if (
                    extra > 0
                    and not any(record.fields[-extra:])
                    and padding in (None, extra)
                    and self.header[-1].strip()
                ):
                    padding = extra
                    padded += 1
                wrapped += not dialect.quote and any(_wrapped([field], '"') for field in record.fields)
                self._count(record, records.fits(record.fields))
            if self.cost - padded >= limit:
                self.cost = limit
                return
        self.fault = records.fault
        if padded and padded == self.rows:
            self.cost -= padded
            self.dialect = replace(dialect, padding=padding or 0)
        if self.fault or 2 * wrapped > self.rows:
            self.cost = inf
        self._zero_characters = records.zero_characters

    def _count(self, record: Record, fits: bool) -> None:
        doubled = not self.dialect.quote and any(
            _wrapped([field], '"') and '""' in field[1:-1] for field in record.fields
        )
        if record.problem is not None:
            count, places = self._problems.get(record.problem, (0, []))
            rows = f" with {record.rows} {'row' if record.rows == 1 else 'rows'}" if record.rows else ""
            if len(places) < LINES_IN_NOTES:
                places.append(f"line {record.line}{rows}")
            self._problems[record.problem] = (count + 1, places)
        # A `\"` in a cell without marks around it disturbs nothing, but is hardly meant.
        self.cost += 1.0 if record.problem or not fits or doubled else 0.25 * record.escaped

    def notes(self) -> Iterator[str]:
        if self.dialect.escape:
            yield "the backslash is read as the escape character, because more rows fit so"
        if not self.dialect.quote:
            yield f"{PLAIN_MARKS}, because more rows fit so"
        if self.dialect.quote == "'":
            yield "single quotation marks are read as quotation marks, because more rows fit so"
        for problem, (count, places) in self._problems.items():
            more = ", …" if count > len(places) else ""
            yield f"{problem.value}: {count} ({', '.join(places)}{more})"
        if self._zero_characters:
            yield f"characters with the code zero, left out: {self._zero_characters}"
