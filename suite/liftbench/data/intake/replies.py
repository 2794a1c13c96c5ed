"""Links the messages of a table in which each names the one that it answers, and gives each thread an id."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from .identity import is_scientific
from .paths import text_at
from .spool import Spool
from .tables import Row
from .tally import Tally


class Replies(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The paths of the ids by which messages name each other."""

    id: str
    """The message's own id."""
    parent: str
    """The id of the message that it answers."""
    children: str = ""
    """The ids of its answers, separated by commas; they count for answers that do not name the message themselves."""


class Threads(Spool):
    """Messages that name each other, of which memory holds some 30 bytes each."""

    def __init__(self, replies: Replies, tally: Tally) -> None:
        super().__init__(
            "message (number INTEGER PRIMARY KEY, id TEXT, parent TEXT, row BLOB)",
            "child (id TEXT, parent INTEGER)",
            cache_mb=32,
        )
        self._replies = replies
        self._tally = tally

    def add(self, messages: Iterable[tuple[Row, dict[str, Any]]]) -> None:
        """Store rows to hand on, each with the values of the row that it was made from.

        Raises `RunFailed` if the disk is full.
        """
        with self._filling():
            for number, (row, values) in enumerate(messages, start=1):
                id_ = plain_id(text_at(values, self._replies.id))
                if (fault := _fault_of(id_)) and not row.fault:
                    row = replace(row, values={}, fault=fault)
                parent = plain_id(text_at(values, self._replies.parent))
                self._file.execute(
                    "INSERT INTO message VALUES (?, ?, ?, ?)",
                    (number, None if row.fault else id_, parent or None, _encoder.encode(row)),
                )
                children = text_at(values, self._replies.children) if self._replies.children else ""
                named = [(child, number) for child in map(plain_id, children.split(",")) if child]
                self._file.executemany("INSERT INTO child VALUES (?, ?)", named)
            self._file.execute("CREATE INDEX ids ON message (id)")

    def rows(self, column: str, company: str) -> Iterator[Row]:
        """The rows, with the id of their thread's first message in a column; `company` names that of the company.

        Each comes after the one that it answers, so that equal times do not swap a question and its answer.
        """
        first, depth = _climb(self._parents())
        companies: dict[str, int] = {}
        met = array("i", bytes(4 * len(first)))
        # (messages,): numbers of the messages, those without a parent first
        order = np.argsort(np.frombuffer(depth, dtype=np.int32)[1:], kind="stable") + 1
        for number in map(int, order):
            [packed] = self._file.execute("SELECT row FROM message WHERE number = ?", (number,)).fetchone()
            row = _decoder.decode(packed)
            [id_] = self._file.execute("SELECT id FROM message WHERE number = ?", (first[number],)).fetchone()
            yield row if row.fault else replace(row, values={**row.values, column: id_})
            if speaking := row.values.get(company):
                code = companies.setdefault(speaking, len(companies) + 1)
                before, met[first[number]] = met[first[number]], -1
                if before in (0, code):
                    met[first[number]] = code
                elif before > 0:
                    self._tally.remark("conversations with several companies; the first one counts", id_ or "")

    def _parents(self) -> array[int]:
        """Number of a message → that of the message that it answers, or 0."""
        [(messages,)] = self._file.execute("SELECT count(*) FROM message")
        parents = array("i", bytes(4 * (messages + 1)))
        named = "SELECT a.number, b.number FROM message a JOIN message b ON b.id = a.parent"
        naming = "SELECT message.number, child.parent FROM child JOIN message ON message.id = child.id"
        for query in (named, naming):
            for number, parent in self._file.execute(query):
                if not parents[number] and number != parent:
                    parents[number] = parent
        for id_, others in self._file.execute("SELECT id, count(*) - 1 FROM message GROUP BY id HAVING count(*) > 1"):
            for _ in range(others if id_ else 0):
                self._tally.remark("messages with the id of an earlier one", id_)
        for number, id_ in self._file.execute(
            "SELECT number, id FROM message WHERE parent IS NOT NULL AND id IS NOT NULL"
        ):
            if not parents[number]:
                self._tally.remark(
                    "replies to a message that is not in the file; each begins a conversation", id_ or ""
                )
        return parents


def plain_id(text: str) -> str:
    """An id as text: pandas writes a column with gaps as floats, `12.0` and `nan`."""
    text = re.sub(r"(?<=\d)\.0$", "", text.strip())
    return "" if text.casefold() in ("nan", "none", "null") else text


def _fault_of(id_: str) -> str | None:
    if is_scientific(id_):
        # Several messages have it, and replies to one would be linked to all.
        return "a message id that a spreadsheet has rounded (such as 9.25E+17); export ids as text"
    return None if id_ else "no message id"


def _climb(parents: array[int]) -> tuple[array[int], array[int]]:
    """Number of a message → that of its thread's first message, and how many replies lie between the two."""
    first, depth = (array("i", bytes(4 * len(parents))) for _ in range(2))
    for start in range(1, len(parents)):
        path = []
        number = start
        while not first[number]:
            first[number] = -1
            path.append(number)
            number = parents[number]
            # A circle of replies has no first message; the one that was met first counts.
            if not number or first[number] == -1:
                break
        top, below = (first[number], depth[number]) if number and first[number] > 0 else (path[-1], -1)
        for number in reversed(path):
            below += 1
            first[number], depth[number] = top, below
    return first, depth


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Row)
