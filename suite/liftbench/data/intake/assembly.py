"""Builds conversations from rows by their columns. A tally counts every row that is left out, with the reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from ...records.conversation import Conversation, Scalar, Turn
from ..cleaning import clean
from ..similarity.clusters import CLUSTER
from .columns import Columns, check_form, plain_name
from .gathering import Message, Messages
from .identity import RowIds, check_id, is_missing
from .listed import Listed, messages_in
from .marks import Marks
from .names import TASKS
from .ordering import in_order
from .paths import at
from .people import People, customer_ids
from .speakers import Speakers, is_unspoken
from .speech import readable, spoken
from .tables import Row
from .tally import Tally
from .training_rows import holds_lines_of_speakers, transcript_in_task
from .transcripts import Unusable, said_in_text
from .values import list_in, scalar, words

CUSTOMER_KEYS = ("id", "email", "phone", "name")


def conversations(
    rows: Iterable[Row], columns: Columns, tally: Tally | None = None, *, join_files: bool = False
) -> Iterator[Conversation]:
    """The conversations in the rows, not cleaned, in the order of their first rows.

    The rows of a conversation need not be adjacent: messages are kept in a temporary file, and memory holds only ids.
    `tally` counts what is left out. `join_files` makes one conversation of equal ids in several files. Raises
    `UsageError` for columns that exclude each other or are missing, and `UnclearSpeakers` at the end for speakers who
    may be customers or agents.
    """
    check_form(columns)
    tally = Tally() if tally is None else tally
    if columns.text:
        return _of_messages(rows, columns, Speakers(columns), tally, join_files)
    return _of_rows(rows, columns, Speakers(columns), tally)


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


def _of_messages(
    rows: Iterable[Row], columns: Columns, speakers: Speakers, tally: Tally, join_files: bool
) -> Iterator[Conversation]:
    marks = Marks(columns)
    with Messages(tally, join_files=join_files) as gathered:
        gathered.add(_messages(rows, columns, speakers, marks, tally))
        marks.check(tally)
        speakers.check(tally)
        yield from gathered.conversations()


def _messages(
    rows: Iterable[Row], columns: Columns, speakers: Speakers, marks: Marks, tally: Tally
) -> Iterator[Message]:
    people, speaker_key = People(speakers), (columns.speaker or "").rpartition(".")[2]
    for row in _usable(rows, tally):
        id_, text = _cell(row, columns.id), _cell(row, columns.text)
        references = _references(row, columns, tally)
        if internal := marks.of_row(row.values, id_):
            # Its text was not said, but a summary beside it may be the conversation's.
            tally.leave_out("message" if references and id_ else "row", internal, row.place)
            if not references:
                continue
            text = ""
        text = spoken(text, tally, id_, keep_quotes=columns.keep_quotes)
        said_by = [(speaker_key, at(row.values, columns.speaker or ""))] if text else []
        speaker = people.name(said_by, customer_ids(row.values, columns))
        if not id_:
            tally.leave_out("row", "no conversation id", row.place)
        elif is_missing(id_):
            tally.leave_out("row", f"no conversation id ({id_} stands for a missing one)", row.place)
        elif not check_id(id_, at(row.values, columns.id or ""), row.place, tally):
            continue
        elif not text and not references:
            tally.leave_out("row", "no text", row.place)
        elif text and not speaker:
            tally.leave_out("row", "no speaker", row.place)
        elif is_unspoken(role := speakers.role(speaker) if text else ""):
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
                file=row.file,
            )


# ------------------------------------------------------------------------------------------- a row, a conversation


def _of_rows(rows: Iterable[Row], columns: Columns, speakers: Speakers, tally: Tally) -> Iterator[Conversation]:
    column = columns.messages or columns.transcript or ""
    named = {name for path in columns.names for name in (path, path.partition(".")[0])}
    listed = Listed(columns, speakers, tally)
    ids = RowIds(tally)
    for row in _usable(rows, tally):
        id_ = _cell(row, columns.id)
        if not id_ or is_missing(id_):
            id_ = f"row-{tally.rows}"
        try:
            said = _said_in(at(row.values, column), row, id_, columns, speakers, listed, tally)
        except Unusable as error:
            tally.leave_out("row", str(error), row.place)
            continue
        id_ = ids.take(id_, row.file, row.place) or ""
        if not id_:
            continue
        tally.rows_used += 1
        turns = [(speakers.role(speaker), text) for speaker, text in said]
        for role, _ in turns:
            if is_unspoken(role):
                tally.leave_out("message", f"said by {role}", id_)
        said_turns = tuple(Turn(role=role, text=text) for role, text in turns if role and not is_unspoken(role))
        references = _references(row, columns, tally)
        if columns.messages:
            said_turns, references = _read_task(said_turns, references, speakers, tally, id_)
        keep = [name for name in row.values if name not in named] if columns.keep is None else columns.keep
        yield Conversation(
            id=id_, turns=said_turns, references=references, metadata=_metadata(row, columns, keep, tally)
        )
    listed.check()
    speakers.check(tally)


def _said_in(
    value: Any, row: Row, id_: str, columns: Columns, speakers: Speakers, listed: Listed, tally: Tally
) -> list[tuple[str, str]]:
    """(speaker, text) pairs from a transcript or a list of messages. Raises `Unusable`."""
    messages = messages_in(value)
    if messages:
        if all(isinstance(message, Mapping) for message in messages):
            messages = in_order(messages, tally)
        return [(said.speaker, said.text) for said in listed.read(messages, row.values, id_)]
    said = list_in(value)
    if said is None and columns.messages:
        raise Unusable("no list of messages")
    if said is None and plain_name(columns.transcript or "") in TASKS:
        transcript = transcript_in_task(words(value), speakers)
        if transcript is not None:
            tally.remark(
                "rows for fine-tuning: the transcript is read from the task, without the instructions around it"
            )
            return transcript
    if said is None:
        return said_in_text(words(value), speakers, tally)
    if not said:
        raise Unusable("no messages")
    if not all(isinstance(message, str) for message in said):
        raise Unusable("the messages are not objects")
    return said_in_text("\n".join(said), speakers, tally)


def _read_task(
    turns: tuple[Turn, ...], references: tuple[str, ...], speakers: Speakers, tally: Tally, id_: str
) -> tuple[tuple[Turn, ...], tuple[str, ...]]:
    """The conversation and the summary in a row for fine-tuning: a task that holds a transcript, and its answer."""
    if [turn.role for turn in turns] != ["customer", "agent"]:
        return turns, references
    transcript = transcript_in_task(turns[0].text, speakers)
    if transcript is None and holds_lines_of_speakers(turns[0].text):
        tally.remark(
            "conversations whose first turn seems to hold a whole transcript, as in rows for fine-tuning; if it does, "
            "write the transcript and its summary into columns of their own",
            id_,
        )
    if transcript is None:
        return turns, references
    tally.remark(
        "rows for fine-tuning: the user's message holds a transcript, which was read as the conversation, and the "
        "assistant's answer as its summary"
    )
    read = ((speakers.known(name), text) for name, text in transcript)
    return tuple(Turn(role=role or "", text=text) for role, text in read), references or (turns[1].text,)


# ---------------------------------------------------------------------------------------------------------- values


def _usable(rows: Iterable[Row], tally: Tally) -> Iterator[Row]:
    for row in rows:
        tally.rows += 1
        if row.fault:
            tally.leave_out("row", row.fault, row.place)
            continue
        if row.remark:
            tally.remark(row.remark, row.place)
        if not any(words(value) or (value and isinstance(value, list | dict)) for value in row.values.values()):
            tally.leave_out("row", "empty", row.place)
        else:
            yield row


def _cell(row: Row, column: str | None) -> str:
    return "" if column is None else words(at(row.values, column))


def _references(row: Row, columns: Columns, tally: Tally) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for name in columns.references:
        value = at(row.values, name)
        texts = value if isinstance(value, list | tuple) else list_in(value) if words(value)[:1] == "[" else None
        said = (readable(words(text), tally) for text in ([value] if texts is None else texts))
        found |= dict.fromkeys(filter(None, said))
    return tuple(found)


def _metadata(row: Row, columns: Columns, keep: Iterable[str], tally: Tally) -> dict[str, Scalar]:
    metadata: dict[str, Scalar] = {}
    for name in keep:
        value = row.values.get(name)
        if isinstance(value, list | tuple | dict):
            tally.remark("columns of nested values, left out", name)
        elif (kept := scalar(value)) not in (None, ""):
            metadata[name] = kept
    if customer := _customer(at(row.values, columns.cluster or "")):
        metadata[CLUSTER] = customer
    return metadata


def _customer(value: Any) -> str:
    """What identifies a customer; of an object (`{"id": 7, "email": …}`) the first of `CUSTOMER_KEYS` with a value."""
    if isinstance(value, Mapping):
        return next(filter(None, (words(value.get(key)) for key in CUSTOMER_KEYS)), "")
    return words(value)
