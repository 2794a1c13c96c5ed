"""Records that stay on disk, each read when it is asked for, so that memory does not grow with them.

A few thousand are kept as a list: they take little, and reading them again takes time.
"""

from __future__ import annotations

import os
import tempfile
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeVar, overload

import msgspec

from .files import each_line, encode_lines, writing

FEW = 20_000
"""Records that are kept in memory. As many conversations of 160 words, with two summaries, take 60 MB."""


class Record(Protocol):
    """A record with an id."""

    @property
    def id(self) -> str: ...


T = TypeVar("T")
V = TypeVar("V")
R = TypeVar("R", bound=Record)


class StoredRows(Sequence[T]):
    """The rows of a JSON Lines file that stays open; memory holds where each begins, 8 bytes a row."""

    def __init__(self, file: BinaryIO, kind: type[T], starts: array[int]) -> None:
        self._file = file
        self._decoder = msgspec.json.Decoder(kind)
        self._starts = starts
        """Where each row begins, and where the last one ends."""

    def __len__(self) -> int:
        return len(self._starts) - 1

    @overload
    def __getitem__(self, place: int) -> T: ...
    @overload
    def __getitem__(self, place: slice) -> list[T]: ...
    def __getitem__(self, place: int | slice) -> T | list[T]:
        if isinstance(place, slice):
            return [self[number] for number in range(*place.indices(len(self)))]
        number = range(len(self))[place]
        start = self._starts[number]
        return self._decoder.decode(os.pread(self._file.fileno(), self._starts[number + 1] - start, start))

    def __iter__(self) -> Iterator[T]:
        return map(self.__getitem__, range(len(self)))


class Mapped(Mapping[str, V]):
    """What a function makes of each value of a mapping, when it is asked for."""

    def __init__(self, rows: Mapping[str, T], make: Callable[[T], V]) -> None:
        self._rows: Mapping[str, Any] = rows
        self._make: Callable[[Any], V] = make

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __contains__(self, id_: object) -> bool:
        return id_ in self._rows

    def __getitem__(self, id_: str) -> V:
        return self._make(self._rows[id_])


class Selected(Sequence[R]):
    """Some of the rows of a mapping, in the order of their ids."""

    def __init__(self, rows: Mapping[str, R], ids: Sequence[str]) -> None:
        self._rows, self._ids = rows, ids

    def __len__(self) -> int:
        return len(self._ids)

    @overload
    def __getitem__(self, place: int) -> R: ...
    @overload
    def __getitem__(self, place: slice) -> list[R]: ...
    def __getitem__(self, place: int | slice) -> R | list[R]:
        if isinstance(place, slice):
            return [self._rows[id_] for id_ in self._ids[place]]
        return self._rows[self._ids[place]]

    def __iter__(self) -> Iterator[R]:
        return map(self._rows.__getitem__, self._ids)


def hold(rows: Iterable[T], kind: type[T]) -> Sequence[T]:
    """The rows in memory or, where they are more than `FEW`, in a temporary file that no other process sees.

    Raises `NotWritten` where the folder for temporary files is full.
    """
    rows = iter(rows)
    first = list(islice(rows, FEW + 1))
    if len(first) <= FEW:
        return first
    starts = array("q", [0])
    with writing(Path(tempfile.gettempdir())):
        file = tempfile.TemporaryFile(prefix="liftbench-")  # noqa: SIM115 - it is open as long as its rows are used
        for line in encode_lines(chain(first, rows)):
            file.write(line)
            starts.append(starts[-1] + len(line))
        file.flush()
    return StoredRows(file, kind, starts)


def read_rows(path: Path, kind: type[T], number: int) -> Sequence[T]:
    """The rows of a file, which are checked now, and kept in memory where about `number` of them are few.

    Raises `UsageError` as `read_lines` does.
    """
    if number <= FEW:
        return list(each_line(path, kind))
    for _ in each_line(path, kind):
        pass
    file = path.open("rb")
    starts = array("q", [0])
    for line in file:
        starts.append(starts[-1] + len(line))
    return StoredRows(file, kind, starts)


def make_each(rows: Sequence[R], make: Callable[[R], V]) -> Mapping[str, V]:
    """Id → what a function makes of the row: now, or each time that it is asked for where the rows are on disk."""
    if isinstance(rows, StoredRows):
        return Mapped(by_id(rows), make)
    return {row.id: make(row) for row in rows}


def by_id(rows: Sequence[R], wanted: Iterable[str] | None = None) -> Mapping[str, R]:
    """Rows by their ids, of several with one id the last; only those with a wanted id."""
    some = None if wanted is None else frozenset(wanted)
    if isinstance(rows, StoredRows):
        places = {row.id: place for place, row in enumerate(rows)}
        return Mapped({id_: at for id_, at in places.items() if some is None or id_ in some}, rows.__getitem__)
    return {row.id: row for row in rows if some is None or row.id in some}
