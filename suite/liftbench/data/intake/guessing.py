"""Guesses what columns hold, from their names and their first rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from msgspec.structs import replace

from .columns import Columns, plain_name
from .listed import fit, messages_in, names_speakers
from .marks import general_mark_columns, is_public_flag, mark_columns
from .names import (
    CUSTOMERS,
    IDS,
    MESSAGES,
    NOT_MESSAGES,
    NOTES,
    SPEAKER_IDS,
    SPEAKERS,
    SUMMARIES,
    TEXTS,
    TIMES,
    TRAINING_ROWS,
    TRANSCRIPTS,
)
from .people import People
from .speakers import YES, Speakers
from .tables import Row
from .training_rows import transcript_in_task
from .transcripts import transcript_turns
from .values import decoded, list_in, words

LIKE_MESSAGES = 0.5
"""The least share of objects with a speaker and a text in a list of messages."""

NOTHING_GIVEN = Columns()


def guess(names: Sequence[str], rows: Sequence[Row], given: Columns = NOTHING_GIVEN) -> Columns:
    """Fill in the fields of `given` that are None; a field stays None if no column, or more than one, may be meant.

    `names` are all columns, `rows` the first few rows. Names are compared without case, spaces and punctuation.
    """
    table = _Sample(names, rows, given.names)
    columns = given
    if not (given.text or given.speaker or given.transcript or given.messages):
        columns = replace(columns, messages=table.take(table.lists(given)))
        if columns.messages is None:
            columns = replace(columns, transcript=table.take(table.transcripts()))
        if columns.messages is None and columns.transcript is None:
            task, answer = table.training_rows(Speakers(given))
            references = given.references or table.take_all(answer)
            columns = replace(columns, transcript=table.take(task), references=references)
    by_message = not (columns.transcript or columns.messages)
    if by_message:
        columns = replace(
            columns,
            text=columns.text or table.take(_only(table.find_filled(TEXTS))),
            speaker=columns.speaker or table.take(table.speakers(given)),
            time=columns.time or table.take(table.find_filled(TIMES)),
        )
    columns = replace(
        columns, id=columns.id or table.take(_only(table.shared_ids()) if by_message else table.own_ids())
    )
    if by_message:
        columns = replace(columns, internal=(*(given.internal or ()), *table.take_marks(columns.id)) or None)
    return replace(
        columns,
        references=columns.references or table.take_all(table.summaries()),
        cluster=columns.cluster or table.take(table.find_filled(CUSTOMERS)),
    )


def kind_of(values: Sequence[Any]) -> Literal["messages", "transcript", "text"]:
    """What a column of values that are not empty holds: lists of messages, (mostly) turns in lines, or other text."""
    if values and all(map(messages_in, values)) and any(map(names_speakers, values)):
        return "messages"
    lists = [list_in(value) for value in values]
    texts = [
        "\n".join(map(words, items)) if items else words(value) for value, items in zip(values, lists, strict=True)
    ]
    has_turns = sum(len(transcript_turns(text) or ()) > 1 for text in texts)
    return "transcript" if has_turns > len(values) / 2 else "text"


def _is_known(name: str, value: Any, speakers: Speakers) -> bool:
    return bool(People(speakers).side([(name, value)]))


def _is_prose(value: Any) -> bool:
    texts = list_in(value)
    return len(words(value).split()) > 2 if texts is None else bool(texts) and any(map(words, texts))


def _only(names: list[str]) -> list[str]:
    return names if len(names) == 1 else []


class _Sample:
    """The columns without a meaning yet, and their first values. Its methods return the likeliest columns first."""

    def __init__(self, names: Sequence[str], rows: Sequence[Row], taken: Sequence[str]) -> None:
        cells = {name: [row.values.get(name) for row in rows] for name in names}
        self._values = {
            name: [value for value in values if words(value) or decoded(value)] for name, values in cells.items()
        }
        self._rows = [row.values for row in rows]
        self._free = [name for name in names if name not in taken]

    def take(self, names: list[str]) -> str | None:
        """Take the first of some columns; returns None if there are none."""
        return next(iter(self.take_all(names[:1])), None)

    def take_all(self, names: list[str]) -> tuple[str, ...]:
        self._free = [name for name in self._free if name not in names]
        return tuple(names)

    def find(self, known: Sequence[str]) -> list[str]:
        """The columns with one of the names."""
        return [name for plain in known for name in self._free if plain_name(name) == plain]

    def find_filled(self, known: Sequence[str]) -> list[str]:
        """The columns with one of the names that hold a value; if none does, all columns with one of the names."""
        found = self.find(known)
        return [name for name in found if self._values[name]] or found

    def lists(self, given: Columns) -> list[str]:
        """Columns that hold lists of messages, whatever their names are: those that look most like it come first."""
        named = self.find_filled(MESSAGES)
        others = [name for name in self._free if plain_name(name) not in NOT_MESSAGES]
        names = [name for name in dict.fromkeys((*named, *others)) if kind_of(self._values[name]) == "messages"]
        fits = {name: max(fit(messages_in(value) or [], given) for value in self._values[name]) for name in names}
        fitting = [name for name in names if fits[name] >= LIKE_MESSAGES]
        return sorted(fitting, key=lambda name: -fits[name]) or [name for name in names if name in named]

    def training_rows(self, speakers: Speakers) -> tuple[list[str], list[str]]:
        """The columns of a task with a transcript, and of its answer; or nothing."""
        for task, answer in TRAINING_ROWS:
            tasks, answers = self.find_filled((task,)), self._prose(self.find((answer,)))
            if tasks and answers and self._hold_transcripts(tasks[0], speakers):
                return tasks[:1], answers[:1]
        return [], []

    def _hold_transcripts(self, name: str, speakers: Speakers) -> bool:
        values = self._values[name]
        return sum(transcript_in_task(words(value), speakers) is not None for value in values) > len(values) / 2

    def take_marks(self, id_: str | None) -> tuple[str, ...]:
        """Take the columns with marks of internal notes. A `type` that never differs within a conversation is none."""
        general = [name for name in general_mark_columns(self._free) if not self._is_of_conversations(name, id_)]
        found = self.take_all([name for name in self._free if name in (*mark_columns(self._free), *general)])
        # Where a column only ever says yes or nothing (a ticked box), nothing means no.
        ticked = (name for name in found if is_public_flag(name) and self._is_ticked(name))
        return (*(f"{name}=" for name in ticked), *found)

    def _is_ticked(self, name: str) -> bool:
        return bool(self._values[name]) and all(words(value).casefold() in YES for value in self._values[name])

    def _is_of_conversations(self, name: str, id_: str | None) -> bool:
        values: dict[str, list[str]] = {}
        for row in self._rows:
            values.setdefault(words(row.get(id_ or "")), []).append(words(row.get(name)).casefold())
        groups = list(values.values())
        alike = all(len(set(group)) == 1 for group in groups)
        return alike and len({group[0] for group in groups}) > 1 and any(len(group) > 1 for group in groups)

    def transcripts(self) -> list[str]:
        # A message may quote the header of an e-mail (`From: …`), which looks like turns.
        known = TRANSCRIPTS if self.find_filled(SPEAKERS) else (*TRANSCRIPTS, *TEXTS)
        return [name for name in self.find_filled(known) if kind_of(self._values[name]) == "transcript"]

    def speakers(self, given: Columns) -> list[str]:
        """The column with the largest share of values that name a role; if no value does, the only column, if any."""
        named = self.find_filled(SPEAKERS) or (self.find_filled(SPEAKER_IDS)[:1] if self.find(CUSTOMERS) else [])
        shares = {name: self._share_known(name, given) for name in named}
        best = max(shares.values(), default=0.0)
        return [name for name in named if shares[name] == best] if best else _only(named)

    def _share_known(self, name: str, given: Columns) -> float:
        speakers = Speakers(replace(given, speaker=name))
        values = self._values[name]
        return sum(_is_known(name, value, speakers) for value in values) / max(1, len(values))

    def summaries(self) -> list[str]:
        return self._prose(self.find(SUMMARIES)) or self._prose(self.find_filled(NOTES))[:1]

    def _prose(self, names: list[str]) -> list[str]:
        # In a help desk's export, `Reference` may be a number and `Resolution` one of a few words.
        return [name for name in names if all(map(_is_prose, self._values[name][:9]))]

    def shared_ids(self) -> list[str]:
        """Columns with conversation ids. `id` counts only if values repeat, because it may be the message's id."""
        named = self.find_filled(IDS[:-1])
        return named or [name for name in self.find_filled(IDS[-1:]) if not self._all_distinct(name)]

    def own_ids(self) -> list[str]:
        return [name for name in self.find_filled(IDS) if self._all_distinct(name)]

    def _all_distinct(self, name: str) -> bool:
        values = list(map(words, self._values[name]))
        return len(set(values)) == len(values)
