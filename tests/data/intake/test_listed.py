"""Lists of messages are read whatever their keys are called, and only what was said counts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from liftbench.data.intake.columns import Columns
from liftbench.data.intake.guessing import guess
from liftbench.data.intake.tally import Tally
from liftbench.errors import UsageError
from liftbench.plugin_api import Conversation, Row, UnclearSpeakers, conversations

SAID = [("customer", "My bike has no bell."), ("agent", "We post one today.")]
ASKED, ANSWERED = (text for _, text in SAID)


def rows(*values: dict[str, Any]) -> list[Row]:
    return [Row(number=number, values=value) for number, value in enumerate(values, start=1)]


def read(row: dict[str, Any], tally: Tally | None = None, **given: Any) -> Conversation:
    """The conversation in a row whose columns are guessed."""
    columns = guess(list(row), rows(row), Columns(**given))
    [conversation] = conversations(rows(row), columns, tally)
    return conversation


def turns(conversation: Conversation) -> list[tuple[str, str]]:
    return [(turn.role, turn.text) for turn in conversation.turns]


@pytest.mark.parametrize(
    "messages",
    [
        [{"author": {"type": "user"}, "body": ASKED}, {"author": {"type": "admin"}, "body": ANSWERED}],
        [{"author": {"type": "lead", "name": "Jo"}, "body": ASKED}, {"author": {"type": "bot"}, "body": ANSWERED}],
        [{"sender": {"Role": "END_USER"}, "Text": ASKED}, {"sender": {"Role": "Agent"}, "Text": ANSWERED}],
        [{"senderType": "contact", "messageBody": ASKED}, {"senderType": "AGENT_BOT", "messageBody": ANSWERED}],
        [{"ParticipantRole": "CUSTOMER", "Content": ASKED}, {"ParticipantRole": "AGENT", "Content": ANSWERED}],
        [{"incoming": True, "body_text": ASKED}, {"incoming": False, "body_text": ANSWERED}],
        [{"from_agent": "no", "stripped_text": ASKED}, {"from_agent": "yes", "stripped_text": ANSWERED}],
        [{"author": {"is_staff": False}, "text": ASKED}, {"author": {"is_staff": True}, "text": ANSWERED}],
        [{"message_type": "incoming", "content": ASKED}, {"message_type": "outgoing", "content": ANSWERED}],
        [{"type": "human", "data": {"content": ASKED}}, {"type": "ai", "data": {"content": ANSWERED}}],
        [{"role": "user", "parts": [{"text": ASKED}]}, {"role": "model", "parts": [{"text": ANSWERED}]}],
        [
            {"message": {"author": {"role": role}, "content": {"parts": [text]}}}
            for role, text in (("user", ASKED), ("assistant", ANSWERED))
        ],
        [["customer", ASKED], ["agent", ANSWERED]],
        [[ASKED, "Customer"], [ANSWERED, "Agent"]],
        [["customer", ASKED, "9:00"], ["agent", ANSWERED, "9:01"], ["action", "Account pulled up", "9:02"]],
        [{"turn id": 1, "user utterance": ASKED, "system response": ANSWERED}],
        [{"user": ASKED, "assistant": ""}, {"user": None, "assistant": ANSWERED}],
        {"speaker": ["user", "agent"], "text": [ASKED, ANSWERED]},
        {"total": 2, "parts": [{"role": "user", "body": ASKED}, {"role": "agent", "body": ANSWERED}]},
    ],
)
@pytest.mark.parametrize("as_text", [False, True])
def test_keys_of_many_desks(messages: Any, as_text: bool) -> None:
    assert turns(read({"id": "1", "list": json.dumps(messages) if as_text else messages})) == SAID


def test_keys_may_be_named() -> None:
    messages = [{"by": {"Kind": "client"}, "said": ASKED}, {"by": {"Kind": "rep"}, "said": ANSWERED}]
    row = {"id": "1", "list": messages, "tags": [{"name": "a", "text": "b"}]}
    assert turns(read(row, message_speaker="by.kind", message_text="said")) == SAID
    with pytest.raises(UsageError, match="unknown key of messages 'sayd'\nDid you mean 'said'"):
        read(row, message_speaker="by.kind", message_text="sayd", messages="list")


def test_the_list_with_speaker_and_text_is_preferred() -> None:
    row = {
        "id": 1,
        "custom_fields": [{"id": 1, "value": "a"}, {"id": 2, "value": None}],
        "tags": [{"name": "x", "text": "y"}],
        "attachments": [{"author": "x", "text": "y"}],
        "notes": [{"author": "agent", "text": "He lies."}],
        "followers": [{"role": "agent", "email": "a@b.example"}],
        "comments": [{"role": "user", "body": ASKED}, {"role": "agent", "body": ANSWERED}],
    }
    assert guess(list(row), rows(row)) == Columns(id="id", messages="comments")


# ------------------------------------------------------------------------------------------------- who says it


@pytest.mark.parametrize(
    "row",
    [
        {"requester_id": 7, "comments": [{"author_id": 7, "body": ASKED}, {"author_id": 3, "body": ANSWERED}]},
        {
            "customer": {"id": 7, "email": "jo@x.example"},
            "messages": [
                {"sender": {"email": "Jo@x.example"}, "text": ASKED},
                {"sender": {"email": "help@y.example"}, "text": ANSWERED},
            ],
        },
        {
            "requester": "jo@x.example",
            "emails": [
                {"from": "Jo Doe <Jo@x.example>", "body": ASKED},
                {"from": '"Help, Y" <help@y.example>', "body": ANSWERED},
            ],
        },
        {
            "customer_id": "7",
            "messages": [
                {"author": {"id": 7, "name": "Jo"}, "text": ASKED},
                {"author": {"id": 3, "name": "Al"}, "text": ANSWERED},
            ],
        },
    ],
)
def test_who_is_the_customer_is_seen_by_ids_and_told(row: dict[str, Any]) -> None:
    tally = Tally()
    assert turns(read({"id": "k", **row}, tally)) == SAID
    assert any("told apart by their ids: 1 message by" in note for note in tally.report().notes)


def test_ids_that_are_nobodys_are_no_evidence() -> None:
    row = {"id": "k", "requester_id": 9, "comments": [{"author_id": 7, "body": ASKED}, {"author_id": 3, "body": "x"}]}
    with pytest.raises(UnclearSpeakers, match="no message is by its conversation's customer"):
        read(row)
    assert turns(read(row, roles={"7": "customer"}, others="agent")) == [("customer", ASKED), ("agent", "x")]


def test_an_address_is_not_compared_with_a_number() -> None:
    row = {"id": "k", "customer_id": 7, "messages": [{"from": "jo@x.example", "text": ASKED}]}
    with pytest.raises(UnclearSpeakers, match=r"'jo@x\.example'"):
        read(row)


def test_ids_in_a_table_of_messages() -> None:
    header = ("ticket_id", "requester_id", "author_id", "text")
    table = rows(
        *(dict(zip(header, line, strict=True)) for line in (("1", "7", "7", ASKED), ("1", "7", "3", ANSWERED)))
    )
    [conversation] = conversations(table, guess(header, table))
    assert turns(conversation) == SAID


@pytest.mark.parametrize("other", ["customer", "contact"])
def test_a_user_beside_customers_may_be_the_agent(other: str) -> None:
    threads = [{"createdBy": {"type": type_}, "body": text} for type_, text in ((other, ASKED), ("user", ANSWERED))]
    row = {"id": "k", "threads": threads}
    with pytest.raises(UnclearSpeakers, match="--role user=agent"):
        read(row)
    assert turns(read(row, roles={"user": "agent"})) == SAID
    more = {"createdBy": {"name": "Rita"}, "body": "Bye"}
    assert turns(read({"id": "k", "threads": [*threads, more]}, others="agent"))[-1] == ("agent", "Bye")


def test_a_speaker_in_a_column_may_be_an_object() -> None:
    table = rows(
        {"ticket_id": 1, "author": {"type": "user", "name": "Jo"}, "text": ASKED},
        {"ticket_id": 1, "author": {"type": "admin", "name": "Al"}, "text": ANSWERED},
    )
    [conversation] = conversations(table, guess(["ticket_id", "author", "text"], table))
    assert turns(conversation) == SAID


# ------------------------------------------------------------------------------------------------- what was said


@pytest.mark.parametrize("head", ["Internal note", "INTERNAL NOTE", "Agent (internal note)", "Rita Moss [Internal]"])
def test_an_internal_note_in_a_transcript_is_unspoken(head: str) -> None:
    tally = Tally()
    chat = f"Customer: {ASKED}\n{head}: He returns everything.\nAgent: {ANSWERED}\nNote: no charge."
    assert turns(read({"id": "k", "chat": chat}, tally)) == [SAID[0], ("agent", f"{ANSWERED} Note: no charge.")]
    assert [item.count_and_reason for item in tally.report().left_out] == ["1 message left out: said by internal note"]


@pytest.mark.parametrize("role", ["function_call", "observation", "tool", "Tool-Result", "functionResponse"])
def test_what_a_machine_says_is_unspoken(role: str) -> None:
    tally = Tally()
    machine = {"from": role, "value": '{"state": "lost"}'}
    messages = [{"from": "human", "value": ASKED}, machine, {"from": "gpt", "value": ANSWERED}]
    assert turns(read({"id": "k", "conversations": messages}, tally)) == SAID
    assert [item.what for item in tally.report().left_out] == ["message"]


@pytest.mark.parametrize(
    "part",
    [
        {"type": "reasoning", "text": "He is angry."},
        {"type": "thinking", "thinking": "He is angry."},
        {"type": "tool_result", "content": [{"type": "text", "text": "lost"}]},
        {"type": "tool_use", "name": "track", "input": {}},
        {"text": "He is angry.", "thought": True},
        {"type": "image_url", "image_url": {"url": "data:"}},
    ],
)
def test_only_parts_that_were_said_count(part: dict[str, Any]) -> None:
    tally = Tally()
    messages = [
        {"role": "user", "content": [{"type": "text", "text": ASKED}]},
        {"role": "assistant", "content": [part, {"type": "output_text", "text": {"value": ANSWERED}}]},
        {"role": "user", "content": [part]},
    ]
    assert turns(read({"id": "k", "messages": messages}, tally)) == SAID
    assert "left out: 2 (" in tally.report().notes[0] or "thought" in part


def test_a_models_thoughts_in_its_text_were_not_said() -> None:
    tally = Tally()
    messages = [
        {"role": "user", "content": f"{ASKED} <think> is a tag"},
        {"role": "assistant", "content": f"<think>\nHe is\nangry.</think>\n{ANSWERED}"},
    ]
    found = read({"id": "k", "messages": messages}, tally)
    assert turns(found) == [("customer", f"{ASKED} <think> is a tag"), SAID[1]]
    assert "messages that begin with a model's thoughts, which are left out: 1 (<think>)" in tally.report().notes


@pytest.mark.parametrize(
    "text",
    [
        f"He is angry.\n</think>\n\n{ANSWERED}",
        f"<scratchpad>He is angry.</scratchpad> {ANSWERED}",
        f"◁think▷He is angry.◁/think▷{ANSWERED}",
        f"<|channel|>analysis<|message|>Angry.<|end|><|start|>assistant<|channel|>final<|message|>{ANSWERED}<|return|>",
        [{"type": "text", "text": f"<think>He is angry.</think>{ANSWERED}"}],
    ],
)
def test_thoughts_are_known_by_the_marks_of_several_models(text: Any) -> None:
    messages = [{"role": "user", "content": ASKED}, {"role": "assistant", "content": text}]
    assert turns(read({"id": "k", "messages": messages})) == SAID


def test_a_message_in_the_channel_of_thoughts_was_not_said() -> None:
    messages = [
        {"role": "user", "content": ASKED},
        {"role": "assistant", "channel": "analysis", "content": "He is angry."},
        {"role": "assistant", "channel": "final", "content": ANSWERED},
    ]
    assert turns(read({"id": "k", "messages": messages})) == SAID


def test_words_about_the_tags_of_thoughts_were_said() -> None:
    asked, answered = "What does </think> do?", "It closes <think>; </think> comes last."
    messages = [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]
    assert turns(read({"id": "k", "messages": messages})) == [("customer", asked), ("agent", answered)]


@pytest.mark.parametrize("repeated", [False, True])
def test_an_opening_message_beside_the_list_comes_first_once(repeated: bool) -> None:
    opening = {"author": {"type": "user"}, "body": ASKED}
    parts = [*([opening] if repeated else []), {"author": {"type": "admin"}, "body": ANSWERED}]
    row = {"id": "k", "source": {"delivered_as": "x", **opening}, "conversation_parts": {"conversation_parts": parts}}
    assert turns(read(row)) == SAID


# ---------------------------------------------------------------------------------------------- rows for fine-tuning

CHAT = f"Customer: {ASKED}\nAgent: {ANSWERED}"
SUMMARY = "Customer's bike lacks a bell; agent posts one."


@pytest.mark.parametrize(
    "task",
    [
        CHAT,
        f"Summarize the conversation below:\n{CHAT}",
        f"Summarize.\n\n<chat>\n{CHAT}\n</chat>\n\nWrite one sentence.",
        f"### Chat\n{CHAT}\n\nSummary:",
        f"Please summarize it:\n\nCustomer: {ASKED}\n\nAgent: {ANSWERED}\nSummary:",
    ],
)
@pytest.mark.parametrize("form", ["messages", "prompt"])
def test_rows_for_fine_tuning_are_read_and_told(task: str, form: str) -> None:
    tally = Tally()
    chat = {
        "messages": [
            {"role": "system", "content": "You summarize."},
            {"role": "user", "content": task},
            {"role": "assistant", "content": SUMMARY},
        ]
    }
    conversation = read(chat if form == "messages" else {"prompt": task, "completion": SUMMARY}, tally)
    assert (turns(conversation), conversation.references) == (SAID, (SUMMARY,))
    assert any(note.startswith("rows for fine-tuning") for note in tally.report().notes)


def test_rows_that_may_be_for_fine_tuning_are_told() -> None:
    tally = Tally()
    messages = [
        {"role": "user", "content": f"Summarize it\n#A#: {ASKED}\n#B#: Yes"},
        {"role": "assistant", "content": "x"},
    ]
    assert len(turns(read({"id": "k", "messages": messages}, tally))) == 2
    assert any("as in rows for fine-tuning" in note for note in tally.report().notes)


@pytest.mark.parametrize("text", [ASKED, f"PS: {ASKED}", "My address:\n12 Hill Road\nPlease hurry."])
def test_an_ordinary_question_and_answer_is_a_conversation(text: str) -> None:
    tally = Tally()
    messages = [{"role": "user", "content": text}, {"role": "assistant", "content": ANSWERED}]
    assert turns(read({"id": "k", "messages": messages}, tally)) == [("customer", text), SAID[1]]
    assert not any("fine-tuning" in note for note in tally.report().notes)


@pytest.mark.parametrize("fields", [[["colour", "red"], ["size", "large"]], [("plan", "gold"), ("since", "2020")]])
def test_pairs_that_are_fields_are_no_messages(fields: Any) -> None:
    row = {"id": 1, "fields2": fields, "chat": f"Customer: {ASKED}\nAgent: {ANSWERED}"}
    assert guess(list(row), rows(row)) == Columns(id="id", transcript="chat")
