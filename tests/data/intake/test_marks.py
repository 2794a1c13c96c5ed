"""Internal notes and events are not the conversation; what only looks like their marks is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from liftbench.data.intake.columns import Columns
from liftbench.data.intake.guessing import guess
from liftbench.data.intake.marks import is_internal
from liftbench.data.intake.tally import Tally
from liftbench.errors import UsageError
from liftbench.plugin_api import Conversation, Row, conversations

NOTE = "Careful, he sends everything back."
HINT = "internal notes and events were left out; --keep-internal keeps them"


def read_list(marked: Sequence[dict[str, Any]], columns: Columns, tally: Tally) -> Conversation:
    """A question, messages with the note's text and some marks, and an answer."""
    messages = [
        {"role": "user", "text": "My oven stays cold."},
        *({"role": "agent", "text": NOTE, **mark} for mark in marked),
        {"role": "agent", "text": "We will send a fitter."},
    ]
    [conversation] = conversations([Row(number=1, values={"id": "k", "messages": messages})], columns, tally)
    return conversation


LISTS = Columns(id="id", messages="messages")


@pytest.mark.parametrize(
    ("mark", "reason"),
    [
        ({"public": False}, "internal notes (public = false)"),
        ({"jsdPublic": "no"}, "internal notes (jsdPublic = no)"),
        ({"private": True}, "internal notes (private = true)"),
        ({"Is Private": "X"}, "internal notes (Is Private = x)"),
        ({"isInternal": 1}, "internal notes (isInternal = 1)"),
        ({"is_internal": "t"}, "internal notes (is_internal = t)"),
        ({"internal": "internal"}, "internal notes (internal = internal)"),
        ({"type": "note"}, "internal notes (type = note)"),
        ({"type": "Internal Note"}, "internal notes (type = internal note)"),
        ({"kind": "internalNote"}, "internal notes (kind = internalnote)"),
        ({"messageType": "private_note"}, "internal notes (messageType = private_note)"),
        ({"comment_type": "InternalComment"}, "internal notes (comment_type = internalcomment)"),
        ({"element": "work_notes"}, "internal notes (element = work_notes)"),
        ({"part_type": "assignment"}, "events (part_type = assignment)"),
        ({"message_type": "activity"}, "events (message_type = activity)"),
        ({"type": "THREAD_STATUS_CHANGE"}, "events (type = thread_status_change)"),
        ({"event_type": "reopened"}, "events (event_type = reopened)"),
        ({"visibility": "internal"}, "internal notes (visibility = internal)"),
        ({"visibility": "agents_only"}, "internal notes (visibility = agents_only)"),
        ({"Visibility": "InternalUsers"}, "internal notes (Visibility = internalusers)"),
        ({"visibility": {"type": "role", "value": "Desk"}}, "internal notes (visibility = desk)"),
        ({"channel": "internal-note"}, "internal notes (channel = internal-note)"),
        ({"via": "system"}, "events (via = system)"),
        ({"meta": {"internal": True}}, "internal notes (meta.internal = true)"),
        ({"meta": {"flags": {"isPublic": "false"}}}, "internal notes (meta.flags.isPublic = false)"),
        ({"properties": [{"value": {"internal": True}}]}, "internal notes (properties.value.internal = true)"),
        ({"is_draft": True}, "drafts (is_draft = true)"),
    ],
)
def test_a_mark_leaves_a_message_of_a_list_out_and_is_named(mark: dict[str, Any], reason: str) -> None:
    tally = Tally()
    conversation = read_list([mark], LISTS, tally)
    assert [turn.text for turn in conversation.turns] == ["My oven stays cold.", "We will send a fitter."]
    assert [item.count_and_reason for item in tally.report().left_out] == [f"1 message left out: {reason}"]
    assert HINT in tally.report().notes


@pytest.mark.parametrize(
    "mark",
    [
        {"public": True},
        {"public": None},
        {"private": "no"},
        {"private": ""},
        {"internal": False},
        {"type": "text"},
        {"type": "comment", "status": "open", "priority": "high"},
        {"type": "PublicComment"},
        {"type": "public note"},
        {"type": "Reply"},
        {"type": 1, "message_type": 0},
        {"visibility": "public"},
        {"visibility": "everyone"},
        {"Visibility": "AllUsers"},
        {"visibility": "agents and customers"},
        {"channel": "private_message"},
        {"via": {"channel": "email"}},
        {"content_type": "note"},
        {"author": {"type": "admin", "internal": True, "private": True}},
        {"attachments": [{"private": True, "type": "note"}]},
        {"ticket": {"type": "event", "internal": True}},
        {"meta": {"type": "note"}},
        {"note": "private"},
    ],
)
def test_what_is_no_mark_leaves_nothing_out(mark: dict[str, Any]) -> None:
    tally = Tally()
    assert NOTE in [turn.text for turn in read_list([mark], LISTS, tally).turns]
    assert tally.report().left_out == ()


def test_internal_notes_are_kept_on_request() -> None:
    tally = Tally()
    conversation = read_list([{"private": True}], Columns(id="id", messages="messages", keep_internal=True), tally)
    assert NOTE in [turn.text for turn in conversation.turns]
    assert (tally.report().left_out, HINT in tally.report().notes) == ((), False)


@pytest.mark.parametrize("mark", ["wer", "meta.wer", "wer=intern", "META.Wer=Intern"])
def test_a_mark_may_be_given(mark: str) -> None:
    marked = {"meta": {"wer": "intern"}} if "." in mark else {"wer": "intern"}
    columns = Columns(id="id", messages="messages", internal=(mark,))
    tally = Tally()
    conversation = read_list([marked, {"private": True}], columns, tally)
    # The usual marks count as well.
    assert NOTE not in [turn.text for turn in conversation.turns]
    assert sum(item.count for item in tally.report().left_out) == 2


def test_a_given_mark_that_no_message_has_is_a_slip_of_the_pen() -> None:
    columns = Columns(id="id", messages="messages", internal=("privat",))
    with pytest.raises(UsageError, match="unknown mark of internal notes 'privat'\nDid you mean 'private'"):
        read_list([{"private": True}], columns, Tally())


def test_where_every_message_is_internal_the_import_stops() -> None:
    messages = [{"role": role, "text": "x", "private": True} for role in ("user", "agent")]
    with pytest.raises(UsageError, match=r"every message is marked as internal: 2 internal notes \(private = true\)"):
        list(conversations([Row(number=1, values={"messages": messages})], Columns(messages="messages")))
    rows = [Row(number=n, values={"id": "k", "who": "user", "text": "x", "Public": "FALSE"}) for n in (1, 2)]
    with pytest.raises(UsageError, match="--keep-internal"):
        list(conversations(rows, Columns(id="id", speaker="who", text="text")))


def test_comments_among_messages_are_told() -> None:
    tally = Tally()
    read_list([{"type": "message"}, {"type": "comment"}], LISTS, tally)
    assert any("--internal type=comment" in note for note in tally.report().notes)


@pytest.mark.parametrize(
    ("name", "value", "expected"), [("public", "x", False), ("private", "?", False), ("type", "", None)]
)
def test_values_of_marks(name: str, value: str, expected: bool | None) -> None:
    assert is_internal(name, value) is expected


# ------------------------------------------------------------------------------------------------ a row, a message


def rows_of(table: str) -> list[Row]:
    header, *lines = [line.split("|") for line in table.split()]
    return [Row(number=n, values=dict(zip(header, line, strict=True))) for n, line in enumerate(lines, start=2)]


@pytest.mark.parametrize(
    ("table", "internal", "kept"),
    [
        ("case|role|private|text 1|user|false|a 1|agent|TRUE|note 1|agent|False|b", ("private",), "ab"),
        ("case|role|Is_Public|text 1|user|1|a 1|agent|0|note 1|agent|1|b", ("Is_Public",), "ab"),
        ("case|role|Message-Type|text 1|user|reply|a 1|agent|note|note 1|agent|reply|b", ("Message-Type",), "ab"),
        ("case|role|type|text 1|user|comment|a 1|agent|note|note 1|agent|comment|b", ("type",), "ab"),
        # A box that is ticked for what is public: where it is not ticked, the message is internal.
        ("case|role|public|text 1|user|x|a 1|agent||note 1|agent|x|b", ("public=", "public"), "ab"),
        # A type of the whole conversation, and columns that say nothing.
        ("case|role|type|text 1|user|event|a 1|agent|event|b 2|user|question|c 2|agent|question|d", None, "abcd"),
        ("case|role|private|text 1|user||a 1|agent||b", ("private",), "ab"),
        ("case|role|private|text 1|user|no|a 1|agent|no|b", ("private",), "ab"),
        ("case|role|status|priority|text 1|user|open|high|a 1|agent|closed|high|b", None, "ab"),
    ],
)
def test_columns_with_marks_are_guessed(table: str, internal: tuple[str, ...] | None, kept: str) -> None:
    rows = rows_of(table)
    columns = guess(list(rows[0].values), rows)
    assert columns.internal == internal
    tally = Tally()
    found = list(conversations(rows, columns, tally))
    assert "".join(turn.text for conversation in found for turn in conversation.turns) == kept
    report = tally.report()
    assert report.rows == report.rows_used + sum(item.count for item in report.left_out)


def test_where_a_public_message_is_not_marked_it_is_told() -> None:
    rows = rows_of("case|role|public|text 1|user|true|a 1|agent|false|note 1|agent||b")
    tally = Tally()
    [conversation] = conversations(rows, guess(list(rows[0].values), rows), tally)
    assert [turn.text for turn in conversation.turns] == ["a", "b"]
    assert "1 message without a value in public, read as public" in tally.report().notes


def test_a_note_that_comes_after_the_guessed_rows_is_left_out() -> None:
    rows = rows_of("case|role|type|text 1|user|comment|a 1|agent|comment|b 1|agent|note|c")
    columns = guess(list(rows[0].values), rows[:2])
    [conversation] = conversations(rows, columns)
    assert [turn.text for turn in conversation.turns] == ["a", "b"]


def test_a_summary_beside_a_note_is_kept() -> None:
    rows = rows_of("case|role|private|text|summary 1|user|0|a| 1|agent|1|note|Told. 1|agent|0|b|")
    columns = Columns(id="case", speaker="role", text="text", references=("summary",))
    tally = Tally()
    [conversation] = conversations(rows, columns, tally)
    assert ([turn.text for turn in conversation.turns], conversation.references) == (["a", "b"], ("Told.",))
    assert (tally.report().rows, tally.report().rows_used) == (3, 3)
    assert [item.what for item in tally.report().left_out] == ["message"]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("Comment Is Public", ("TRUE", "FALSE")),
        ("is_public_comment", ("true", "false")),
        ("Published", ("1", "0")),
        ("Comment Visibility", ("Public", "Internal")),
        ("Sichtbarkeit", ("öffentlich", "intern")),
        ("Privada", ("no", "sí")),
        ("Note?", ("", "Yes")),
        ("visible_to_requester", ("yes", "no")),
        ("customer_facing", ("1", "0")),
        ("action_type", ("reply", "note")),
        ("ArticleType", ("email-external", "note-internal")),
        # A value that says it in any column.
        ("Source", ("Email", "Internal note")),
        ("category", ("email_in", "private_comment")),
        ("Art", ("Antwort", "Interne Notiz")),
    ],
)
def test_a_mark_with_more_words_or_in_another_language_leaves_notes_out(name: str, values: tuple[str, str]) -> None:
    rows = marked_rows(name, values)
    found = list(conversations(rows, guess(list(rows[0].values), rows), tally := Tally()))
    assert [turn.text for conversation in found for turn in conversation.turns] == ["ask", "answer"]
    assert [item.count for item in tally.report().left_out] == [1]


def marked_rows(name: str, values: tuple[str, str]) -> list[Row]:
    """A question, a note with the second value, and an answer."""
    told = [("user", "ask", values[0]), ("agent", "note", values[1]), ("agent", "answer", values[0])]
    return [
        Row(number=number, values={"case": "1", "role": role, "text": text, name: value})
        for number, (role, text, value) in enumerate(told)
    ]


@pytest.mark.parametrize(
    ("name", "values", "told"),
    [
        ("scope", ("public", "internal"), "1 message was kept with scope = internal; if internal notes are marked so"),
        ("status", ("sent", "draft"), "--internal status=draft"),
        ("recipients", ("all", "internal team"), "--internal 'recipients=internal team'"),
        ("rtype", ("M", "I"), "rtype (M: 2, I: 1) was not used; if a value marks internal notes"),
        ("not_for_customer", ("0", "1"), "--internal not_for_customer=VALUE"),
        ("privacy_level", ("0", "1"), "--internal privacy_level=VALUE"),
    ],
)
def test_what_may_be_a_mark_is_kept_and_told(name: str, values: tuple[str, str], told: str) -> None:
    rows = marked_rows(name, values)
    columns = guess(list(rows[0].values), rows)
    list(conversations(rows, columns, tally := Tally()))
    assert (tally.report().left_out, sum(told in note for note in tally.report().notes)) == ((), 1)
    given = Columns(id="id", messages="messages", internal=(f"{name}={values[1]}",))
    messages = [dict(row.values) for row in rows]
    [conversation] = conversations([Row(number=1, values={"id": "k", "messages": messages})], given, tally := Tally())
    assert [turn.text for turn in conversation.turns] == ["ask", "answer"]
    assert not any("not used" in note or "kept with" in note for note in tally.report().notes)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("is_private_message", ("true", "true")),
        ("public_reply_count", ("1", "0")),
        ("internal_comment", ("", "ask the team")),
        ("channel", ("email", "chat")),
        ("customer_type", ("business", "business")),
        ("status", ("open", "closed")),
        ("priority", ("high", "low")),
        ("message_type", ("text", "image")),
    ],
)
def test_an_ordinary_column_marks_nothing_and_is_not_told(name: str, values: tuple[str, str]) -> None:
    rows = marked_rows(name, values)
    found = list(conversations(rows, guess(list(rows[0].values), rows), tally := Tally()))
    assert [turn.text for conversation in found for turn in conversation.turns] == ["ask", "note", "answer"]
    assert tally.report().notes == tally.report().left_out == ()
