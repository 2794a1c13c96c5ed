"""Builds conversations from rows by their columns. A tally counts every row that is left out, with the reason."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from math import isfinite
from typing import Any

import msgspec

from ...records.conversation import Conversation, Scalar, Turn
from ..cleaning import clean
from ..jsonl import turns_of
from ..similarity.clusters import CLUSTER
from .columns import Columns, check_form
from .gathering import Message, Messages
from .speakers import UNSPOKEN, Speakers
from .tables import Row
from .tally import Tally

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


class _Unusable(Exception):
    """The reason why a value is not a conversation."""


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
        except _Unusable as error:
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
    """(speaker, text) pairs from a transcript or a list of messages. Raises `_Unusable`."""
    said = list_in(value)
    if said is None and columns.messages:
        raise _Unusable("no list of messages")
    if said is None:
        return _said_in_text(words(value), speakers, tally)
    if said and all(isinstance(message, str) for message in said):
        return _said_in_text("\n".join(said), speakers, tally)
    if not all(isinstance(message, Mapping) for message in said):
        raise _Unusable("the messages are not objects")
    found = [(_speaker(message), _content(message, tally)) for message in said]
    if any(text and not speaker for speaker, text in found) and columns.others is None:
        raise _Unusable(f"a message without {', '.join(SPEAKER_KEYS[:-1])} or {SPEAKER_KEYS[-1]}")
    found = [(speaker, text) for speaker, text in found if text]
    if not found:
        raise _Unusable("no messages")
    return found


def _said_in_text(text: str, speakers: Speakers, tally: Tally) -> list[tuple[str, str]]:
    if not text:
        raise _Unusable("no transcript")
    said = transcript_turns(text)
    if said is None:
        raise _Unusable("the transcript's first line names no speaker")
    roles = {name: speakers.known(name) for name, _ in said}
    if None not in roles.values() or not {"customer", "agent"} <= set(roles.values()) or roles[said[0][0]] is None:
        return said
    # Both sides are named by role, so another word before a colon (`PS: …`) is not a third speaker.
    for name in (name for name, role in roles.items() if role is None):
        tally.remark("transcripts with a word before a colon that is read as text, not as a third speaker", name)
    return transcript_turns(text, lambda name: roles[name] is not None) or said


def transcript_turns(text: str, speaks: Callable[[str], bool] = lambda _: True) -> list[tuple[str, str]] | None:
    """(speaker, text) pairs as from `turns_of`; line breaks may also be written as `<br>` or as a literal `\\n`."""
    text = re.sub(r"<br\s*/?>", "\n", text, flags=re.IGNORECASE)
    if "\n" not in text:
        text = text.replace("\\r\\n", "\n").replace("\\n", "\n")
    return turns_of(text, speaks)


def list_in(value: Any) -> list[Any] | None:
    """The list in a value: the value itself, JSON, a Python literal, or the `messages` of a JSON object; else None."""
    if isinstance(value, list | tuple):
        return list(value)
    text = words(value)
    if not text.startswith(("[", "{")):
        return None
    for read in (msgspec.json.decode, ast.literal_eval):
        # `literal_eval` reads lists as pandas writes them.
        try:
            decoded = read(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        if isinstance(decoded, dict):
            decoded = decoded.get("messages", decoded.get("turns"))
        return decoded if isinstance(decoded, list) else None
    return None


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


def words(value: Any) -> str:
    """A value as stripped text: a whole float loses its `.0`; None, NaN and lists become the empty text."""
    if isinstance(value, str):
        return value.strip()
    if value is None or value != value or isinstance(value, list | tuple | dict):
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").strip()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


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
        elif (kept := _scalar(value)) not in (None, ""):
            metadata[name] = kept
    if customer := _customer(row.values.get(columns.cluster or "")):
        metadata[CLUSTER] = customer
    return metadata


def _customer(value: Any) -> str:
    """What identifies a customer; of an object (`{"id": 7, "email": …}`) the first of `CUSTOMER_KEYS` with a value."""
    if isinstance(value, Mapping):
        return next(filter(None, (words(value.get(key)) for key in CUSTOMER_KEYS)), "")
    return words(value)


def _scalar(value: Any) -> Scalar:
    # Other JSON readers hold integers in 64 bits, so a larger one is kept as text.
    if isinstance(value, bool) or (isinstance(value, int) and abs(value) < 2**63):
        return value
    if isinstance(value, float) and isfinite(value):
        return value
    return words(value)
