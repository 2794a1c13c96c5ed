"""Guesses what columns hold, from their names and their first rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from msgspec.structs import replace

from .columns import Columns, plain_name
from .speakers import Speakers
from .tables import Row
from .transcripts import transcript_turns
from .values import list_in, words

_KINDS = ("conversation", "dialogue", "dialog", "thread", "ticket", "case", "chat", "session", "call", "interaction")

IDS = (
    *(f"{kind}{end}" for kind in _KINDS for end in ("id", "number", "no", "key", "ref", "")),
    *("issueid", "requestid", "fname", "id"),
)
SPEAKERS = (
    *("speaker", "role", "speakerrole", "senderrole", "authorrole", "sendertype", "authortype", "usertype"),
    *("participantrole", "direction", "inbound", "isinbound", "incoming", "isincoming", "outbound", "isoutbound"),
    *("outgoing", "iscustomer", "fromcustomer", "isagent", "fromagent", "isstaff", "sender", "sendername", "author"),
    *("authorname", "from", "fromname", "participant", "party", "user", "username", "who"),
)
TEXTS = (
    *("text", "message", "body", "content", "messagetext", "messagebody", "messagecontent", "plainbody", "utterance"),
    *("comment", "msg", "tweet"),
)
TIMES = (
    *("createdat", "timestamp", "sentat", "created", "datetime", "senttime", "createdtime", "messagetime", "createdon"),
    *("date", "time", "sequence", "seq", "order", "position", "turn", "turnid", "turnnumber", "messagenumber"),
)
TRANSCRIPTS = ("transcript", "transcription", "conversation", "dialogue", "dialog", "chat", "chatlog", "log", "history")
MESSAGES = ("messages", "turns", "utterances", "conversation", "conversations", "dialogue", "dialog", "history", "chat")
SUMMARIES = (
    *(f"{kind}summary" for kind in (*_KINDS, "resolution", "closing", "human", "agent")),
    *("summary", "summaries", "reference", "references", "abstract", "humansummary", "goldsummary", "abstractive"),
    *(f"{name}{number}" for name in ("summary", "reference") for number in range(1, 10)),
)
NOTES = (
    "resolutionnotes",
    "closingnote",
    "resolutionnote",
    "wrapupnote",
    "agentnotes",
    "closingnotes",
    "wrapupnotes",
    "wrapup",
    "notes",
    "resolution",
)
"""Names of columns that hold summaries only if no column is named as a summary."""
CUSTOMERS = (
    *("customerid", "requesterid", "clientid", "accountid", "contactid", "customer", "requester", "client"),
    *("customeremail", "requesteremail", "customername"),
)

NOTHING_GIVEN = Columns()


def guess(names: Sequence[str], rows: Sequence[Row], given: Columns = NOTHING_GIVEN) -> Columns:
    """Fill in the fields of `given` that are None; a field stays None if no column, or more than one, may be meant.

    `names` are all columns, `rows` the first few rows. Names are compared without case, spaces and punctuation.
    """
    table = _Sample(names, rows, given.names)
    columns = given
    if not (given.text or given.speaker or given.transcript or given.messages):
        columns = replace(columns, messages=table.take(table.lists()))
        if columns.messages is None:
            columns = replace(columns, transcript=table.take(table.transcripts()))
    by_message = not (columns.transcript or columns.messages)
    if by_message:
        columns = replace(
            columns,
            text=columns.text or table.take(_only(table.find_filled(TEXTS))),
            speaker=columns.speaker or table.take(table.speakers(given)),
            time=columns.time or table.take(table.find_filled(TIMES)),
        )
    return replace(
        columns,
        id=columns.id or table.take(_only(table.shared_ids()) if by_message else table.own_ids()),
        references=columns.references or table.take_all(table.summaries()),
        cluster=columns.cluster or table.take(table.find_filled(CUSTOMERS)),
    )


def kind_of(values: Sequence[Any]) -> Literal["messages", "transcript", "text"]:
    """What a column of values that are not empty holds: lists of messages, (mostly) turns in lines, or other text."""
    lists = [list_in(value) for value in values]
    if values and all(items and all(isinstance(item, Mapping) for item in items) for items in lists):
        return "messages"
    texts = [
        "\n".join(map(words, items)) if items else words(value) for value, items in zip(values, lists, strict=True)
    ]
    has_turns = sum(len(transcript_turns(text) or ()) > 1 for text in texts)
    return "transcript" if has_turns > len(values) / 2 else "text"


def _only(names: list[str]) -> list[str]:
    return names if len(names) == 1 else []


class _Sample:
    """The columns without a meaning yet, and their first values. Its methods return the likeliest columns first."""

    def __init__(self, names: Sequence[str], rows: Sequence[Row], taken: Sequence[str]) -> None:
        cells = {name: [row.values.get(name) for row in rows] for name in names}
        self._values = {
            name: [value for value in values if words(value) or list_in(value)] for name, values in cells.items()
        }
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

    def lists(self) -> list[str]:
        """Columns that hold lists of messages, whatever their names are."""
        names = dict.fromkeys((*self.find_filled(MESSAGES), *self._free))
        return [name for name in names if kind_of(self._values[name]) == "messages"]

    def transcripts(self) -> list[str]:
        # A message may quote the header of an e-mail (`From: …`), which looks like turns.
        known = TRANSCRIPTS if self.find_filled(SPEAKERS) else (*TRANSCRIPTS, *TEXTS)
        return [name for name in self.find_filled(known) if kind_of(self._values[name]) == "transcript"]

    def speakers(self, given: Columns) -> list[str]:
        """The column with the largest share of values that name a role; if no value does, the only column, if any."""
        named = self.find_filled(SPEAKERS)
        shares = {name: self._share_known(name, given) for name in named}
        best = max(shares.values(), default=0.0)
        return [name for name in named if shares[name] == best] if best else _only(named)

    def _share_known(self, name: str, given: Columns) -> float:
        speakers = Speakers(replace(given, speaker=name))
        values = self._values[name]
        return sum(speakers.known(words(value)) is not None for value in values) / max(1, len(values))

    def summaries(self) -> list[str]:
        return self._prose(self.find(SUMMARIES)) or self._prose(self.find_filled(NOTES))[:1]

    def _prose(self, names: list[str]) -> list[str]:
        # In a help desk's export, `Reference` may be a number and `Resolution` one of a few words.
        return [name for name in names if all(len(words(v).split()) > 2 or list_in(v) for v in self._values[name][:9])]

    def shared_ids(self) -> list[str]:
        """Columns with conversation ids. `id` counts only if values repeat, because it may be the message's id."""
        named = self.find_filled(IDS[:-1])
        return named or [name for name in self.find_filled(IDS[-1:]) if not self._all_distinct(name)]

    def own_ids(self) -> list[str]:
        return [name for name in self.find_filled(IDS) if self._all_distinct(name)]

    def _all_distinct(self, name: str) -> bool:
        values = list(map(words, self._values[name]))
        return len(set(values)) == len(values)
