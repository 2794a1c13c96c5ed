"""Builds conversations from rows by their columns. A tally counts every row that is left out, with the reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from ...records.conversation import Conversation, Scalar, Turn
from ..cleaning import clean
from ..similarity.clusters import CLUSTER
from .columns import Columns, check_form
from .gathering import Message, Messages
from .speakers import UNSPOKEN, Speakers
from .tables import Row
from .tally import Tally
from .transcripts import Unusable, said_in_text
from .values import list_in, scalar, words

SPEAKER_KEYS = ("role", "speaker", "from", "author", "sender")
CUSTOMER_KEYS = ("id", "email", "phone", "name")
TEXT_KEYS = ("content", "text", "message", "body", "value")


def conversations(rows: Iterable[Row], columns: Columns, tally: Tally | None = None) -> Iterator[Conversation]:
    """The conversations in the rows, not cleaned, in the order of their first rows.

    The rows of a conversation need not be adjacent: messages are kept in a temporary file, and memory holds only ids.
    `tally` counts what is left out. Raises `UsageError` for columns that exclude each other or are missing, and
    `UnclearSpeakers` at the end for speakers who may be customers or agents.
    """
    check_form(columns)
    read = _of_messages if columns.text else _of_rows
    return read(rows, columns, Speakers(columns), Tally() if tally is None else tally)


def clean_conversations(found: Iterable[Conversation], tally: Tally) -> Iterator[Conversation]:
    """Clean conversations; those without words are left out and counted in `tally`."""
    for conversation in found:
        done = clean(conversation)
        if not done.turns:
            tally.leave_out("conversation", "no words in it", conversation.id)
            continue
        done = msgspec.structs.replace(done, references=tuple(filter(None, done.references)))
        tally.count_conversation(done)
        yield done


# ------------------------------------------------------------------------------------------------ a row, a message


def _of_messages(rows: Iterable[Row], columns: Columns, speakers: Speakers, tally: Tally) -> Iterator[Conversation]:
    with Messages(tally) as gathered:
        gathered.add(_messages(rows, columns, speakers, tally))
        speakers.check(tally)
        yield from gathered.conversations()


def _messages(rows: Iterable[Row], columns: Columns, speakers: Speakers, tally: Tally) -> Iterator[Message]:
    for row in _usable(rows, tally):
        id_, text, speaker = (_cell(row, name) for name in (columns.id, columns.text, columns.speaker))
        references = _references(row, columns)
        if not id_:
            tally.leave_out("row", "no conversation id", row.place)
        elif not text and not references:
            tally.leave_out("row", "no text", row.place)
        elif text and not speaker:
            tally.leave_out("row", "no speaker", row.place)
        elif (role := speakers.role(speaker) if text else "") in UNSPOKEN:
            tally.leave_out("row", f"said by {speaker}", row.place)
        elif role is not None:
            yield Message(
                conversation=id_,
                role=role,
                text=text,
                time=_cell(row, columns.time),
                references=references,
                metadata=_metadata(row, columns, columns.keep or (), tally),
                place=row.place,
            )


# ------------------------------------------------------------------------------------------- a row, a conversation


def _of_rows(rows: Iterable[Row], columns: Columns, speakers: Speakers, tally: Tally) -> Iterator[Conversation]:
    column = columns.messages or columns.transcript or ""
    named = set(columns.names)
    seen: set[str] = set()
    for row in _usable(rows, tally):
        id_ = _cell(row, columns.id) or f"row-{tally.rows}"
        if id_ in seen:
            tally.leave_out("row", "an id that an earlier row has", row.place)
            continue
        try:
            said = _said_in(row.values.get(column), columns, speakers, tally)
        except Unusable as error:
            tally.leave_out("row", str(error), row.place)
            continue
        seen.add(id_)
        tally.rows_used += 1
        turns = [(speakers.role(speaker), text) for speaker, text in said]
        for role, _ in turns:
            if role in UNSPOKEN:
                tally.leave_out("message", f"said by {role}", id_)
        keep = [name for name in row.values if name not in named] if columns.keep is None else columns.keep
        yield Conversation(
            id=id_,
            turns=tuple(Turn(role=role, text=text) for role, text in turns if role and role not in UNSPOKEN),
            references=_references(row, columns),
            metadata=_metadata(row, columns, keep, tally),
        )
    speakers.check(tally)


def _said_in(value: Any, columns: Columns, speakers: Speakers, tally: Tally) -> list[tuple[str, str]]:
    """(speaker, text) pairs from a transcript or a list of messages. Raises `Unusable`."""
    said = list_in(value)
    if said is None and columns.messages:
        raise Unusable("no list of messages")
    if said is None:
        return said_in_text(words(value), speakers, tally)
    if said and all(isinstance(message, str) for message in said):
        return said_in_text("\n".join(said), speakers, tally)
    if not all(isinstance(message, Mapping) for message in said):
        raise Unusable("the messages are not objects")
    found = [(_speaker(message), _content(message, tally)) for message in said]
    if any(text and not speaker for speaker, text in found) and columns.others in (None, "names"):
        raise Unusable(f"a message without {', '.join(SPEAKER_KEYS[:-1])} or {SPEAKER_KEYS[-1]}")
    found = [(speaker, text) for speaker, text in found if text]
    if not found:
        raise Unusable("no messages")
    return found


def _speaker(message: Mapping[str, Any]) -> str:
    value = next((message[key] for key in SPEAKER_KEYS if message.get(key) is not None), None)
    if isinstance(value, Mapping):
        value = value.get("role") or value.get("name")
    return words(value)


def _content(message: Mapping[str, Any], tally: Tally) -> str:
    value = next((message[key] for key in TEXT_KEYS if message.get(key) is not None), None)
    if isinstance(value, Mapping):
        value = value.get("parts")
    if not isinstance(value, list):
        return words(value)
    parts = [words(part.get("text")) if isinstance(part, Mapping) else words(part) for part in value]
    if not all(parts):
        tally.remark("parts of messages that are not text (pictures, files), left out")
    return "\n".join(filter(None, parts))


# ---------------------------------------------------------------------------------------------------------- values


def _usable(rows: Iterable[Row], tally: Tally) -> Iterator[Row]:
    for row in rows:
        tally.rows += 1
        if row.fault:
            tally.leave_out("row", row.fault, row.place)
        elif not any(words(value) or (value and isinstance(value, list | dict)) for value in row.values.values()):
            tally.leave_out("row", "empty", row.place)
        else:
            yield row


def _cell(row: Row, column: str | None) -> str:
    return "" if column is None else words(row.values.get(column))


def _references(row: Row, columns: Columns) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for name in columns.references:
        value = row.values.get(name)
        texts = value if isinstance(value, list | tuple) else list_in(value) if words(value)[:1] == "[" else None
        found |= dict.fromkeys(filter(None, map(words, [value] if texts is None else texts)))
    return tuple(found)


def _metadata(row: Row, columns: Columns, keep: Iterable[str], tally: Tally) -> dict[str, Scalar]:
    metadata: dict[str, Scalar] = {}
    for name in keep:
        value = row.values.get(name)
        if isinstance(value, list | tuple | dict):
            tally.remark("columns of nested values, left out", name)
        elif (kept := scalar(value)) not in (None, ""):
            metadata[name] = kept
    if customer := _customer(row.values.get(columns.cluster or "")):
        metadata[CLUSTER] = customer
    return metadata


def _customer(value: Any) -> str:
    """What identifies a customer; of an object (`{"id": 7, "email": …}`) the first of `CUSTOMER_KEYS` with a value."""
    if isinstance(value, Mapping):
        return next(filter(None, (words(value.get(key)) for key in CUSTOMER_KEYS)), "")
    return words(value)
