"""Reads the exports of help desks by declared mappings: their rows become rows of messages with the columns `COLUMNS`.

The desks themselves are plugins. Gathering, sorting and cleaning are the same as for any other table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from .columns import Columns, Role
from .paths import exists, find, objects_at, text_at
from .replies import Replies, Threads
from .tables import Row
from .tally import Tally
from .values import decoded

CONVERSATION, SPEAKER, TEXT, TIME, INTERNAL = "conversation", "speaker", "text", "time", "internal"
REFERENCES, CUSTOMER, COMPANY = "references", "customer", "company"

COLUMNS = Columns(
    id=CONVERSATION, speaker=SPEAKER, text=TEXT, time=TIME, references=(REFERENCES,), cluster=CUSTOMER, keep=()
)
"""What the columns of `message_rows` hold; `internal` is true for a note that the customer does not see."""

Object = Mapping[str, Any]


class Opening(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A conversation's first message, where it is not in the list with the others. Paths start at the record."""

    text: str
    """Its text; without one, there is no such message."""
    speaker: str = ""
    """Who says it."""
    role: Role | None = None
    """The role of a speaker whose value is none of the export's `roles`."""
    time: str = ""
    """Its time. Without one, the message comes first."""


class People(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A list of the people of a record, or of the object around it."""

    within: str
    """The path of the list; `id` and `role` start at one of its items."""
    id: str
    """The person's id, as in `person`."""
    role: str
    """The person's role."""


class Chatlog(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A conversation in one text, where regular expressions find the turns."""

    text: str
    """The path of the text."""
    turn: str
    """Finds the head of a turn, with the group `speaker`; the turn goes on to the next head."""
    event: str
    """Finds what nobody says."""
    agents: str
    """Finds the names of agents, in the group `speaker`; where it finds one, all others are customers."""


class Export(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One form in which a desk exports conversations. Each string is a path, such as `author.type|role`.

    A record is a conversation if `messages` or `chatlog` is given, else a message.
    """

    what: str
    """What a record is, in the plural, for messages: `tickets with their comments`."""
    source: str
    """Where the format is documented."""
    signature: tuple[str, ...]
    """What every record has, also where it is empty; `path=value` asks for a value. Only this desk has all of it."""
    records: tuple[str, ...] = ()
    """Where an object around the records holds their list, or the only one; a row without any is itself a record."""
    id: str
    """The conversation's id."""
    messages: str = ""
    """The list of the conversation's messages. Paths of `text`, `speaker`, `time` and the marks start at a message."""
    opening: Opening | None = None
    """The conversation's first message, where it is not in that list."""
    chatlog: Chatlog | None = None
    """The whole conversation in one text, instead of a list of messages."""
    replies: Replies | None = None
    """Messages that name each other instead of a conversation."""
    text: str = TEXT
    """The text of a message."""
    speaker: str = SPEAKER
    """Who says it; the first fallback whose value is one of `roles` counts."""
    roles: dict[str, Role] = {}
    """Value of the speaker, in lower case → role; other values are read as in any table."""
    person: str = ""
    """The id of a message's author, for exports that name no role with the message."""
    people: People | None = None
    """Where the roles of authors are listed."""
    requester: str = ""
    """The customer's id in the record: a person with this id is the customer, any other an agent."""
    time: str = ""
    """The time of a message."""
    internal: dict[str, tuple[str, ...]] = {}
    """Path → values of messages that the customer does not see, in lower case."""
    spoken: dict[str, tuple[str, ...]] = {}
    """Path → values of messages that somebody says; a message without a value there is one, too."""
    unspoken: dict[str, tuple[str, ...]] = {}
    """Path → values of messages that nobody says."""
    cut: dict[str, tuple[str, ...]] = {}
    """Path → values of messages that the export has cut off; they are kept, and told."""
    references: tuple[str, ...] = ()
    """Human summaries in the record."""
    customer: str = ""
    """What identifies the customer: in the record, or in the customer's messages where a record is a message."""
    company: str = ""
    """The company's account, in the agent's messages."""
    keep: tuple[str, ...] = ()
    """What of the record becomes metadata."""


class Desk(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A help desk, and the forms in which it exports conversations."""

    title: str
    """The desk's name, as people write it."""
    exports: tuple[Export, ...]
    """Its forms; a record is read by the first whose signature it has."""

    def recognize(self, rows: Sequence[Row]) -> tuple[Export, ...]:
        """The exports of rows that can only be this desk's: most have a signature, and somebody says something."""
        found = self.named(rows)
        if 2 * sum(export_of(row, found) is not None for row in rows) <= sum(bool(row.values) for row in rows):
            return ()
        read = (message.values for row in rows for message, _ in _read(row, found, Tally()))
        return found if any(values.get(TEXT) and values.get(SPEAKER) for values in read) else ()

    def named(self, rows: Sequence[Row]) -> tuple[Export, ...]:
        """The exports that some of the rows have the signature of."""
        found = (export_of(row, self.exports) for row in rows)
        return tuple({export.what: export for export in found if export}.values())


def export_of(row: Row, exports: Iterable[Export]) -> Export | None:
    """The first export whose signature a record in the row has."""
    for export in exports:
        if any(all(exists(record, path) for path in export.signature) for record in records_of(row, export)):
            return export
    return None


def records_of(row: Row, export: Export) -> Sequence[Object]:
    """The records in a row: those in a list within it, one object within it with what is around it, or the row."""
    for path in export.records:
        if found := objects_at(row.values, path):
            return found
        if isinstance(one := decoded(find(row.values, path)), Mapping):
            return [{**row.values, **one}]
    return [row.values]


def columns_of(exports: Sequence[Export]) -> Columns:
    """What the columns of `message_rows` hold."""
    kept = [name for export in exports for name in (*export.keep, *([COMPANY] if export.company else []))]
    return replace(COLUMNS, keep=tuple(dict.fromkeys(kept)))


def message_rows(rows: Iterable[Row], exports: Sequence[Export], tally: Tally) -> Iterator[Row]:
    """A row for each message in the rows of an export, with the columns of `columns_of`.

    A row that is not a message has a fault that says why. If there are several exports, each row is read by the first
    that it has the signature of.
    """
    if (replies := exports[0].replies) is None:
        yield from (found for row in rows for found, _ in _read(row, exports, tally))
        return
    with Threads(replies, tally) as threads:
        threads.add(found for row in rows for found in _read(row, exports, tally))
        yield from threads.rows(CONVERSATION, COMPANY)


def _read(row: Row, exports: Sequence[Export], tally: Tally) -> Iterator[tuple[Row, dict[str, Any]]]:
    if row.fault or not any(value not in (None, "") for value in row.values.values()):
        yield row, row.values
        return
    export = exports[0]
    if len(exports) > 1:
        export = export_of(row, exports) or export
    roles: dict[int, dict[str, str]] = {}
    for record in records_of(row, export):
        reader = _Record(record, row, export, tally, roles)
        for message in reader.messages():
            yield reader.read(message), row.values


class _Record:
    """Reads the messages of one record."""

    def __init__(
        self, record: Object, row: Row, export: Export, tally: Tally, roles: dict[int, dict[str, str]]
    ) -> None:
        self._record, self._row, self._export, self._tally = record, row, export, tally
        self._is_message = not (export.messages or export.chatlog)
        self._shared = {
            CONVERSATION: text_at(record, export.id) if export.id else "",
            REFERENCES: [text for path in export.references for text in _texts(self._look_up(path))],
            **{path: self._look_up(path) for path in export.keep},
        }
        if not self._is_message and export.customer:
            self._shared[CUSTOMER] = self._look_up(export.customer)
        people = self._look_up(export.people.within) if export.people else None
        # A list of people around the records is read once for all of them.
        if id(people) not in roles:
            roles[id(people)] = _roles_in(people, export.people)
        self._roles = roles[id(people)]

    def messages(self) -> Iterator[Object]:
        """The messages; an empty one if there are none."""
        export = self._export
        if self._is_message:
            yield self._record
            return
        found = _turns(text_at(self._record, export.chatlog.text), export.chatlog) if export.chatlog else []
        found = found or objects_at(self._record, export.messages)
        first = _opening(self._record, export, found)
        yield from [*first, *found] or [{}]

    def read(self, message: Object) -> Row:
        """The row of a message; it has a fault if nobody says it."""
        if not message:
            return replace(self._row, values={}, fault="a conversation without messages")
        if reason := self._unspoken(message):
            return replace(self._row, values={}, fault=f"not a message ({reason})")
        export = self._export
        text = text_at(message, export.text)
        internal = _matching(message, export.internal) is not None
        speaker = self._speaker(message, internal) if text else ""
        values: dict[str, Any] = {
            **self._shared,
            SPEAKER: speaker,
            TEXT: text,
            TIME: text_at(message, export.time) if export.time else "",
            INTERNAL: internal,
        }
        if cut := _matching(message, export.cut):
            self._tally.remark(f"messages that the export has cut off ({cut})", self._row.place)
        if self._is_message and export.customer and speaker == "customer":
            values[CUSTOMER] = find(message, export.customer)
        if (internal or not text) and not self._is_message:
            # Else the row would count as one that is there for its references, not as one that is left out.
            values[REFERENCES] = []
        if export.company and speaker == "agent":
            values[COMPANY] = text_at(message, export.company)
        return replace(self._row, values=values)

    def _unspoken(self, message: Object) -> str | None:
        export = self._export
        if _matching(message, export.internal):
            return None
        for path, values in export.spoken.items():
            value = text_at(message, path)
            if value and value.casefold() not in values:
                return f"{path}: {value}"
        return _matching(message, export.unspoken)

    def _speaker(self, message: Object, internal: bool) -> str:
        export = self._export
        named = [text_at(message, path) for path in export.speaker.split("|")] if export.speaker else []
        person = text_at(message, export.person) if export.person else ""
        named.append(self._roles.get(person, ""))
        known = (name.casefold() for name in (person, *named) if name.casefold() in export.roles)
        role = next((export.roles[name] for name in known), None)
        if role or any(named):
            return role or next(filter(None, named))
        requester = text_at(self._record, export.requester) if export.requester else ""
        if not requester or not person:
            return person
        if person == requester:
            return "customer"
        if not internal:
            self._tally.remark(
                "messages by another author than the requester, read as the agent's, because no role is given",
                self._row.place,
            )
        return "agent"

    def _look_up(self, path: str) -> Any:
        """The value in the record, else in the object around it."""
        found = find(self._record, path)
        return find(self._row.values, path) if found is None and self._record is not self._row.values else found


def _roles_in(found: Any, people: People | None) -> dict[str, str]:
    if people is None or not isinstance(found, list | tuple):
        return {}
    return {text_at(person, people.id): text_at(person, people.role) for person in found}


def _opening(record: Object, export: Export, others: Sequence[Object]) -> list[Object]:
    opening = export.opening
    text = text_at(record, opening.text) if opening else ""
    if not opening or not text:
        return []
    speaker = text_at(record, opening.speaker) if opening.speaker else ""
    role = export.roles.get(speaker.casefold()) or opening.role or speaker
    time = text_at(record, opening.time) if opening.time else ""
    if not time and export.time:
        # It has to have a time if the others have, or none of them could be sorted.
        time = min(filter(None, (text_at(other, export.time) for other in others)), key=_in_order, default="")
    first: dict[str, Any] = {}
    for path, value in ((export.text, text), (export.speaker, role), (export.time, time)):
        _put(first, path, value)
    return [first]


def _put(message: dict[str, Any], path: str, value: str) -> None:
    if path:
        message[path.partition("|")[0]] = value


def _in_order(time: str) -> tuple[float, str]:
    return (float(time), "") if re.fullmatch(r"\d+(\.\d+)?", time) else (0.0, time)


def _turns(text: str, log: Chatlog) -> list[Object]:
    agents = {match["speaker"].strip() for match in re.finditer(log.agents, text)}
    text = re.sub(log.event, " ", text)
    heads = list(re.finditer(log.turn, text))
    return [
        {SPEAKER: _side(head["speaker"].strip(), agents), TEXT: text[head.end() : end]}
        for head, end in zip(heads, [*(head.start() for head in heads[1:]), len(text)], strict=False)
    ]


def _side(speaker: str, agents: set[str]) -> str:
    if not agents:
        return speaker
    return "agent" if speaker in agents else "customer"


def _texts(value: Any) -> list[str]:
    found = value if isinstance(value, list | tuple) else [value]
    return [text for text in map(str, filter(None, found)) if text.strip()]


def _matching(message: Object, wanted: Mapping[str, tuple[str, ...]]) -> str | None:
    """`path: value` of the first path that has one of the values."""
    for path, values in wanted.items():
        if (value := text_at(message, path)).casefold() in values:
            return f"{path}: {value}"
    return None
