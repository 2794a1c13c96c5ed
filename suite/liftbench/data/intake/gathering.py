"""Gathers the messages of each conversation from all over a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter

import msgspec
from msgspec import Struct

from ...records.conversation import Conversation, Scalar, Turn
from ..similarity.clusters import CLUSTER
from .clocks import Clock
from .identity import APART, JOINED, check_ids, is_global, name_apart
from .ordering import Direction, by_time, in_rows
from .spool import Spool
from .tally import Tally

TIMES_LOOKED_AT = 400
ROWS_LOOKED_AT = 20_000
DAY_SECONDS = 86_400

TURNED = "conversations whose newest rows come first; messages of equal time were put in the opposite order"
REPEATED = "the same message at the same time as an earlier row"
KEPT_REPEATS = {
    "day": "the same message twice on a day, kept because the dates have no clock",
    "minute": "the same message twice within a minute, kept because the times have no seconds and others come between",
}


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
    file: str = ""
    """Path of the file, because ids and numbers may begin again in the next one."""


class Messages(Spool):
    """The messages of all conversations, of which memory holds only the ids."""

    def __init__(self, tally: Tally, *, join_files: bool = False) -> None:
        super().__init__("message (conversation INTEGER, file TEXT, time TEXT, message BLOB)", cache_mb=16)
        self._tally = tally
        self._join_files = join_files
        self._files: dict[str, dict[str, int]] = {}
        self._count = 0
        self._names: dict[int, str] = {}
        self._clock = Clock(())
        self._descends: dict[str, bool] = {}

    def add(self, messages: Iterable[Message]) -> None:
        """Store messages, in the order of their rows. Raises `RunFailed` if the disk is full."""
        with self._filling():
            self._file.executemany("INSERT INTO message VALUES (?, ?, ?, ?)", map(self._pack, messages))
            self._file.execute("CREATE INDEX place ON message (conversation)")
        self._clock = Clock(self._times())
        for doubt in self._clock.doubts:
            self._tally.remark(doubt)
        self._compare_files()
        self._descends = self._directions()
        [(self._tally.gathered,)] = self._file.execute("SELECT count(DISTINCT conversation) FROM message")

    def conversations(self) -> Iterator[Conversation]:
        """The conversations, in the order of their first rows; their messages are sorted by time, else by row."""
        rows = self._file.execute("SELECT conversation, message FROM message ORDER BY conversation, rowid")
        for number, group in groupby(rows, key=itemgetter(0)):
            yield self._conversation(number, [_decoder.decode(packed) for _, packed in group])
        for doubt in self._clock.late_doubts:
            self._tally.remark(doubt)

    def _pack(self, message: Message) -> tuple[int, str, str | None, bytes]:
        numbers = self._files.setdefault(message.file, {})
        number = numbers.setdefault(message.conversation, self._count)
        self._count += number == self._count
        return number, message.file, message.time or None, _encoder.encode(message)

    def _times(self) -> list[str]:
        # Samples come from the whole file, because its first rows may have no day above 12.
        [(rows,)] = self._file.execute("SELECT count(*) FROM message")
        step = max(1, rows // TIMES_LOOKED_AT)
        found = self._file.execute("SELECT time FROM message WHERE rowid % ? = 0 AND time IS NOT NULL", (step,))
        return [time for (time,) in found]

    def _directions(self) -> dict[str, bool]:
        """Which files begin with their newest rows, from a sample of the conversations."""
        [(rows,)] = self._file.execute("SELECT count(*) FROM message")
        found = self._file.execute(
            "SELECT conversation, file, time FROM message WHERE conversation % ? = 0 AND time IS NOT NULL"
            " ORDER BY file, conversation, rowid",
            (rows // ROWS_LOOKED_AT + 1,),
        )
        directions: dict[str, Direction] = {}
        for (_, file), group in groupby(found, key=itemgetter(0, 1)):
            directions.setdefault(file, Direction()).add(self._clock(time) for _, _, time in group)
        # A file in disorder has no direction.
        return {file: direction.falls > 4 * direction.rises for file, direction in directions.items()}

    # ------------------------------------------------------------------------------------------------ several files

    def _compare_files(self) -> None:
        """Join the conversations of one id in several files where they are plainly one; else give them names."""
        check_ids((id_ for numbers in self._files.values() for id_ in numbers), self._tally)
        files = list(self._files)
        for place, file in enumerate(files):
            shares = {other: self._share(other, file) for other in files[:place]}
            for id_, number in self._files[file].items():
                earlier = [other for other in files[:place] if id_ in self._files[other]]
                same = (other for other in earlier if self._is_same(id_, other, number, shares[other]))
                if (found := next(same, None)) is not None:
                    first = self._files[file][id_] = self._files[found][id_]
                    self._file.execute("UPDATE message SET conversation = ? WHERE conversation = ?", (first, number))
                    self._tally.remark(JOINED, id_)
                elif earlier:
                    self._names[number] = name_apart(id_, file, files)
                    self._names[self._files[earlier[0]][id_]] = name_apart(id_, earlier[0], files)
                    self._tally.remark(APART, id_)

    def _share(self, file: str, other: str) -> float:
        """Which part of a file's ids another file has, too."""
        small, large = sorted((self._files[file], self._files[other]), key=len)
        return sum(id_ in large for id_ in small) / max(1, len(small))

    def _is_same(self, id_: str, file: str, number: int, share: float) -> bool:
        return self._join_files or is_global(id_) or self._are_one(self._files[file][id_], number, share)

    def _are_one(self, first: int, second: int, share: float) -> bool:
        """Whether two parts are plainly one conversation: they overlap, or one goes on where the other ends."""
        parts = [self._part(first), self._part(second)]
        same = len({*parts[0]} & {*parts[1]})
        if self._clock.counts or not all(time for part in parts for time, _, _ in part):
            if same > 1:
                return True
        elif same and self._clock.unit != "day":
            return True
        times = [[self._clock(time) for time, _, _ in part] for part in parts]
        known = [sorted(time for time in part if time is not None) for part in times]
        if not all(known):
            return False
        (early, late), both = sorted(known), sorted(known[0] + known[1])
        if self._clock.counts:
            return early[-1] < late[0] and both == list(range(int(both[0]), int(both[0]) + len(both)))
        # Where two files have most ids in common, the ids count the conversations of each file.
        return share < 0.5 and late[0] - early[-1] < DAY_SECONDS

    def _part(self, number: int) -> list[tuple[str, str, str]]:
        rows = self._file.execute("SELECT message FROM message WHERE conversation = ?", (number,))
        return [
            (message.time, message.role, message.text) for message in (_decoder.decode(packed) for (packed,) in rows)
        ]

    # ---------------------------------------------------------------------------------------------- a conversation

    def _conversation(self, number: int, messages: Sequence[Message]) -> Conversation:
        turns = [
            Turn(role=m.role, text=m.text) for m in self._leave_out_repeats(self._sort([m for m in messages if m.text]))
        ]
        self._tally.rows_used += len(turns) + sum(not message.text for message in messages)
        return Conversation(
            id=self._names.get(number, messages[0].conversation),
            turns=tuple(turns),
            references=tuple(dict.fromkeys(text for message in messages for text in message.references)),
            metadata=self._metadata(messages),
        )

    def _leave_out_repeats(self, messages: Sequence[Message]) -> Iterator[Message]:
        """The messages without repeats: rows that were exported twice, not words that were said twice."""
        seen: dict[tuple[str, str, str], dict[str, int]] = {}
        before: tuple[str, str, str] | None = None
        for message in messages:
            key = (message.time, message.role, message.text)
            counts = seen.setdefault(key, {})
            said = counts.get(message.file, 0)
            counts[message.file] = said + 1
            elsewhere = max((count for file, count in counts.items() if file != message.file), default=0)
            unit = self._clock.unit
            repeated = elsewhere > said or (said and (unit == "exact" or (unit == "minute" and key == before)))
            before = key
            if message.time and repeated:
                self._tally.leave_out("row", REPEATED, message.place)
                continue
            if message.time and said:
                self._tally.remark(KEPT_REPEATS[unit], message.place)
            yield message

    def _metadata(self, messages: Sequence[Message]) -> dict[str, Scalar]:
        """The first value of each field, because many exports name the customer only in the customer's own rows."""
        found: dict[str, Scalar] = {}
        for message in messages:
            found = {**message.metadata, **found}
            if message.metadata.get(CLUSTER, found.get(CLUSTER)) != found.get(CLUSTER):
                self._tally.remark("conversations with several customers; the first one counts", message.conversation)
        return found

    def _sort(self, messages: Sequence[Message]) -> list[Message]:
        if not any(message.time for message in messages):
            return list(messages)
        times, files = [self._clock(message.time) for message in messages], [message.file for message in messages]
        places = by_time(times, files, self._clock, self._descends)
        if len(set(times)) < len(times) and in_rows(times, files, self._descends) != list(range(len(times))):
            self._tally.remark(TURNED, messages[0].conversation)
        if places is None:
            odd = next(message for time, message in zip(times, messages, strict=True) if time is None)
            places = in_rows(times, files, self._descends)
            remark = "conversations with a missing or unreadable time; their messages stay in the order of the rows"
            if places != list(range(len(times))):
                remark += ", turned so that the newest come last"
            self._tally.remark(remark, odd.place)
        return [messages[place] for place in places]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Message)
