"""Gathers the messages of each conversation from all over a table, in a temporary SQLite file to save memory."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import msgspec
from msgspec import Struct

from ...errors import RunFailed
from ...records.conversation import Conversation, Scalar, Turn
from ..similarity.clusters import CLUSTER
from .clocks import Clock, clock_for
from .tally import Tally

TIMES_LOOKED_AT = 400


class Message(Struct, frozen=True, kw_only=True):
    """One row of a table: a message, and what the row says about its conversation."""

    conversation: str
    role: str
    text: str
    """Empty if the row holds only references."""
    time: str
    references: tuple[str, ...]
    metadata: dict[str, Scalar]
    place: str


class Messages:
    """A temporary file of messages. While it is open, memory holds only the ids of conversations."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._numbers: dict[str, int] = {}
        self._folder = tempfile.TemporaryDirectory(prefix="liftbench-")
        self._file = sqlite3.connect(Path(self._folder.name) / "messages", isolation_level=None)
        # The file does not outlive the process, so it needs no journal and no waiting for the disk.
        self._file.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -16384;")
        self._file.execute("CREATE TABLE message (conversation INTEGER, time TEXT, message BLOB)")

    def __enter__(self) -> Messages:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._folder.cleanup()

    def add(self, messages: Iterable[Message]) -> None:
        """Store messages, in the order of their rows. Raises `RunFailed` if the disk is full."""
        try:
            self._file.execute("BEGIN")
            self._file.executemany("INSERT INTO message VALUES (?, ?, ?)", map(self._pack, messages))
            self._file.execute("COMMIT")
            self._file.execute("CREATE INDEX place ON message (conversation)")
        except sqlite3.Error as error:
            raise RunFailed(
                f"cannot keep the messages in {self._folder.name}: {error}", "Set TMPDIR to a folder with more space."
            ) from error
        self._tally.gathered = len(self._numbers)

    def conversations(self) -> Iterator[Conversation]:
        """The conversations, in the order of their first rows; their messages are sorted by time, else by row."""
        clock, doubt = clock_for(self._times())
        if doubt:
            self._tally.remark(doubt)
        rows = self._file.execute("SELECT conversation, message FROM message ORDER BY conversation, rowid")
        for _, group in groupby(rows, key=itemgetter(0)):
            yield self._conversation([_decoder.decode(packed) for _, packed in group], clock)

    def _pack(self, message: Message) -> tuple[int, str | None, bytes]:
        number = self._numbers.setdefault(message.conversation, len(self._numbers))
        return number, message.time or None, _encoder.encode(message)

    def _times(self) -> list[str]:
        # Samples come from the whole file, because its first rows may have no day above 12.
        [(rows,)] = self._file.execute("SELECT count(*) FROM message")
        step = max(1, rows // TIMES_LOOKED_AT)
        found = self._file.execute("SELECT time FROM message WHERE rowid % ? = 0 AND time IS NOT NULL", (step,))
        return [time for (time,) in found]

    def _conversation(self, messages: Sequence[Message], clock: Clock) -> Conversation:
        seen: set[tuple[str, str, str]] = set()
        turns = []
        for message in self._sort([message for message in messages if message.text], clock):
            key = (message.time, message.role, message.text)
            if message.time and key in seen:
                self._tally.leave_out("row", "the same message at the same time as an earlier row", message.place)
                continue
            seen.add(key)
            turns.append(Turn(role=message.role, text=message.text))
        self._tally.rows_used += len(turns) + sum(not message.text for message in messages)
        return Conversation(
            id=messages[0].conversation,
            turns=tuple(turns),
            references=tuple(dict.fromkeys(text for message in messages for text in message.references)),
            metadata=self._metadata(messages),
        )

    def _metadata(self, messages: Sequence[Message]) -> dict[str, Scalar]:
        """The first value of each field, because many exports name the customer only in the customer's own rows."""
        found: dict[str, Scalar] = {}
        for message in messages:
            found = {**message.metadata, **found}
            if message.metadata.get(CLUSTER, found.get(CLUSTER)) != found.get(CLUSTER):
                self._tally.remark("conversations with several customers; the first one counts", message.conversation)
        return found

    def _sort(self, messages: list[Message], clock: Clock) -> list[Message]:
        if not any(message.time for message in messages):
            return messages
        timed = [(clock(message.time), message) for message in messages]
        odd = next((message for time, message in timed if time is None), None)
        if odd is not None:
            self._tally.remark(
                "conversations with a missing or unreadable time; their messages stay in the order of the rows",
                odd.place,
            )
            return messages
        return [message for _, message in sorted(timed, key=itemgetter(0))]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Message)
