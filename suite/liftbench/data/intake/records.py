"""Opens JSON files whose records are not one a line: objects over many lines, and objects that wrap the records."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import IO, Any, cast

from msgspec.structs import asdict, replace

from ...errors import UsageError
from .columns import Columns, plain_name
from .guessing import LIKE_MESSAGES
from .listed import fit, messages_in
from .names import IDS, MESSAGE_TEXTS, MESSAGES, NOT_MESSAGES, OPENINGS, SUMMARIES, TRANSCRIPTS
from .paths import at
from .tables import ARRAY_BYTES, Row, Table
from .values import words

DEPTH = 3
LOOKED_AT = 5
MOSTLY_MESSAGES = 0.8

_GAP = re.compile(r"[\s,]*")


class NestedRecords(Table, frozen=True, kw_only=True):
    """A file whose records are found within its rows."""

    spread: bool = False
    """Whether the file holds JSON objects over many lines."""
    wrapper: str = ""
    """The path from a row to its list of records, or to its record; empty if rows are the records."""
    keyed: bool = False
    """Whether the file is one object, whose keys are the ids of the records."""

    def rows(self) -> Iterator[Row]:
        """The records, as rows; those of a list are numbered from 1."""
        rows = super().rows()
        if self.spread:
            rows = _spread_rows(next(rows), self.path, self.encoding)
        if self.keyed:
            return _name_records(rows)
        return _unwrap(rows, self.wrapper) if self.wrapper else rows


def open_records(table: Table) -> Table:
    """The table, or, where its rows are not the records, one that reads these; its notes say so.

    Raises `UsageError` if several lists in a wrapping object may be the records.
    """
    if table.form not in ("lines", "array"):
        return table
    first, second = _first_two(table.rows())
    spread = False
    if table.form == "lines" and first is not None and first.fault:
        first, second = _first_two(_spread_rows(first, table.path, table.encoding))
        spread = first is not None
    values = {} if first is None else first.values
    keyed = second is None and _are_keyed(values)
    wrapper = "" if keyed else _wrapper(values, table.path)
    if not spread and not keyed and not wrapper:
        return table
    notes = [*table.notes]
    if keyed:
        notes.append(f"{table.path.name}: one object, whose {len(values)} keys are read as the ids of conversations")
    if spread:
        notes.append(f"{table.path.name}: JSON objects over several lines, read into memory whole")
    if wrapper:
        notes.append(f"{table.path.name}: the records are read from {wrapper}")
    found = {"spread": spread, "wrapper": wrapper, "keyed": keyed, "notes": tuple(notes)}
    return NestedRecords(**{**asdict(table), **found})


def _first_two(rows: Iterator[Row]) -> tuple[Row | None, Row | None]:
    return next(rows, None), next(rows, None)


# ------------------------------------------------------------------------------------------ objects over many lines


def _spread_rows(line_row: Row, path: Path, encoding: str) -> Iterator[Row]:
    """The objects in a file, wherever its lines end; none if the first is broken or the file is too large.

    `line_row` is a row of the same file, for what rows say about it.
    """
    opened = gzip.open if path.suffix.lower() == ".gz" else open
    try:
        with cast(IO[bytes], opened(path, "rb")) as file:
            text = file.read(ARRAY_BYTES + 1).decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError:
        return
    if len(text) > ARRAY_BYTES:
        return
    decoder, place, line = json.JSONDecoder(), 0, 1
    size = path.stat().st_size
    while (start := _end_of_gap(text, place)) < len(text):
        line += text.count("\n", place, start)
        begin = replace(line_row, number=line, values={}, fault=None, read=size * start // len(text))
        try:
            value, place = decoder.raw_decode(text, start)
        except (ValueError, RecursionError) as error:
            if start:
                yield replace(begin, fault=f"not JSON to its end ({error})")
            return
        line += text.count("\n", start, place)
        yield replace(begin, values=value) if isinstance(value, dict) else replace(begin, fault="not a JSON object")


def _end_of_gap(text: str, place: int) -> int:
    gap = _GAP.match(text, place)
    return gap.end() if gap else place


# --------------------------------------------------------------------------------------------------------- wrappers


def _unwrap(rows: Iterator[Row], wrapper: str) -> Iterator[Row]:
    numbers = count(1)
    for row in rows:
        found = None if row.fault else at(row.values, wrapper)
        if isinstance(found, Mapping):
            outer = {key: value for key, value in row.values.items() if not isinstance(value, Mapping | list)}
            yield replace(row, values={**outer, **found})
        elif isinstance(found, list):
            for item in found:
                if isinstance(item, dict):
                    yield replace(row, number=next(numbers), values=item)
                else:
                    yield replace(row, number=next(numbers), values={}, fault="not a JSON object")
        else:
            yield replace(row, values={}, fault=row.fault or f"no list {wrapper}")


def _are_keyed(values: Mapping[str, Any]) -> bool:
    """Whether each key of an object leads to a conversation."""
    if len(values) < 2 or any(plain_name(key) in (*MESSAGES, *NOT_MESSAGES, *OPENINGS) for key in values):
        return False
    return all(
        _is_record(value) if isinstance(value, Mapping) else isinstance(value, list) and _is_record({"messages": value})
        for value in values.values()
    )


def _name_records(rows: Iterator[Row]) -> Iterator[Row]:
    for row in rows:
        for number, (key, value) in enumerate(row.values.items(), start=1):
            record = {**value} if isinstance(value, Mapping) else {"messages": value}
            yield replace(row, number=number, values={"id": key, **record})


def _wrapper(values: Mapping[str, Any], path: Path) -> str:
    nested = {key: value for key, value in values.items() if isinstance(value, Mapping | list)}
    if len(nested) == 1 and _wraps_record(values, *nested.values()):
        return next(iter(nested))
    if _is_record(values):
        return ""
    lists = dict(_lists(nested, DEPTH))
    found = {name: items for name, items in lists.items() if _are_records(items)}
    if not found and len(lists) == 1 and not _has_id(values):
        # Its records may be read with options.
        found = {name: items for name, items in lists.items() if all(map(_has_id, items[:LOOKED_AT]))}
    if len(found) > 1:
        named = ", ".join(f"{name} ({len(items)})" for name, items in found.items())
        raise UsageError(
            f"{path}: several lists in the object may be the conversations: {named}",
            f"Write one of them to a file: jq -c '.{next(iter(found))}[]' {path.name} > records.jsonl",
        )
    return next(iter(found), "")


def _lists(values: Mapping[str, Any], depth: int) -> Iterator[tuple[str, list[Mapping[str, Any]]]]:
    for key, value in values.items():
        if isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
            yield key, value
        elif isinstance(value, Mapping) and depth:
            yield from ((f"{key}.{name}", items) for name, items in _lists(value, depth - 1))


def _are_records(items: Sequence[Mapping[str, Any]]) -> bool:
    """Whether objects are conversations, or messages of several ones, instead of the messages of one."""
    if fit(items, Columns()) >= MOSTLY_MESSAGES:
        return _have_several_ids(items)
    return any(map(_is_record, items[:LOOKED_AT]))


def _is_record(values: Mapping[str, Any]) -> bool:
    """Whether an object holds the messages or the transcript of a conversation."""
    for key, value in values.items():
        if isinstance(value, str) and plain_name(key) in TRANSCRIPTS:
            return True
        if not isinstance(value, Mapping | list | tuple) or plain_name(key) in (*MESSAGE_TEXTS, *NOT_MESSAGES):
            continue
        messages = messages_in(value)
        # A list of records looks like messages where these have a speaker and a text beside their messages.
        if messages and fit(messages, Columns()) >= LIKE_MESSAGES and not _are_records(messages):
            return True
    return False


def _wraps_record(values: Mapping[str, Any], inner: Any) -> bool:
    if not isinstance(inner, Mapping) or not _is_record(inner):
        return False
    own = {plain_name(key) for key in inner}
    outer = {plain_name(key) for key, value in values.items() if value is not inner}
    return bool(own & {*IDS, *SUMMARIES}) and not outer & {*IDS[:-1], *SUMMARIES}


def _has_id(values: Mapping[str, Any]) -> bool:
    return any(plain_name(key) in IDS for key, value in values.items() if words(value))


def _have_several_ids(items: Sequence[Mapping[str, Any]]) -> bool:
    ids = [{plain_name(key): _id_in(value) for key, value in item.items()} for item in items]
    named = [name for name in IDS[:-1] if any(item.get(name) for item in ids)]
    return any(len({item.get(name) for item in ids}) > 1 for name in named)


def _id_in(value: Any) -> str:
    return words(value.get("id")) if isinstance(value, Mapping) else words(value)
