from __future__ import annotations

import json
import random
import tempfile
import tracemalloc
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liftbench.data.intake.assembly import clean_conversations
from liftbench.data.intake.clocks import clock_for
from liftbench.data.intake.columns import Columns, check_names
from liftbench.data.intake.guessing import guess
from liftbench.data.intake.tables import open_table
from liftbench.data.intake.tally import UNSUMMARIZED, Tally
from liftbench.errors import UsageError
from liftbench.plugin_api import Conversation, Row, conversations

MESSAGES = Columns(id="id", speaker="who", text="text")


def rows(*values: dict[str, Any]) -> list[Row]:
    return [Row(number=number, values=value) for number, value in enumerate(values, start=1)]


def table(header: str, *lines: str) -> list[Row]:
    return rows(*(dict(zip(header.split("|"), line.split("|"), strict=True)) for line in lines))


def turns(conversation: Conversation) -> list[tuple[str, str]]:
    return [(turn.role, turn.text) for turn in conversation.turns]


def left_out(tally: Tally) -> dict[str, tuple[str, ...]]:
    return {f"{item.what}: {item.reason}": item.first for item in tally.report().left_out}


def accounted(tally: Tally) -> bool:
    report = tally.report()
    return report.rows == report.rows_used + sum(item.count for item in report.left_out if item.what == "row")


# ------------------------------------------------------------------------------------------------ a row, a message


def test_messages_of_a_conversation_lie_anywhere_and_conversations_come_as_they_begin() -> None:
    read = table("id|who|text", "b|customer|1", "a|customer|2", "b|agent|3", "a|Agent|4", "b|Client|5")
    first, second = conversations(read, MESSAGES)
    assert (first.id, turns(first)) == ("b", [("customer", "1"), ("agent", "3"), ("customer", "5")])
    assert (second.id, turns(second)) == ("a", [("customer", "2"), ("agent", "4")])


@pytest.mark.parametrize(
    "times",
    [
        ("1", "9", "10"),
        ("1700000000", "1700000060.5", "1700000061"),
        ("2024-01-05T10:00:00Z", "2024-01-05T10:00:00.5+00:00", "2024-01-05T09:00:01-02:00"),
        ("2024-01-05 10:00", "2024-01-05 10:00:30", "2024-01-06"),
        ("2024-01-05 23:59:59 UTC", "2024-02-01 00:00:00 UTC", "2024-02-01 00:00:01 UTC"),
        ("31.12.2023 23:59", "01.01.2024 00:00", "13.02.2024 10:00"),
        ("31/12/2023 23:59", "01/01/2024 00:00", "02/01/2024 00:00"),
        ("12/31/2023 11:59 PM", "01/01/2024 12:00 AM", "01/02/2024 9:00 AM"),
        ("1/5/24, 9:59 AM", "1/5/24, 10:01 AM", "1/5/24, 1:00 PM"),
        ("Tue Oct 31 22:10:47 +0000 2017", "Tue Oct 31 22:11:45 +0000 2017", "Wed Nov 01 00:00:00 +0000 2017"),
        ("Tue, 31 Oct 2017 22:10:47 +0000", "Tue, 31 Oct 2017 22:10:48 +0000", "Wed, 1 Nov 2017 00:10:49 +0200"),
        ("Oct 31, 2017 10:10 PM", "Nov 1, 2017 9:00 AM", "Nov 1, 2017 12:00 PM"),
    ],
)
def test_messages_are_ordered_by_time_however_it_is_written(times: Sequence[str]) -> None:
    for order in ([2, 0, 1], [1, 0, 2]):
        read = rows(*({"id": "a", "who": "user", "text": str(n), "at": times[n]} for n in order))
        [conversation] = conversations(read, Columns(id="id", speaker="who", text="text", time="at"))
        assert [turn.text for turn in conversation.turns] == ["0", "1", "2"]


def test_the_customer_is_told_by_the_first_row_that_tells_him() -> None:
    read = table("id|who|text|customer", "1|bot|Welcome|", "1|user|Hi|c7", "2|user|Hi|c8", "2|agent|Yes|c9")
    tally = Tally()
    found = list(conversations(read, Columns(id="id", speaker="who", text="text", cluster="customer"), tally))
    assert [conversation.metadata for conversation in found] == [{"cluster": "c7"}, {"cluster": "c8"}]
    assert "conversations with several customers; the first one counts: 1 (2)" in tally.report().notes


def test_nested_values_are_a_customer_or_told_to_be_left_out() -> None:
    read = rows({"chat": "User: hi\nAgent: yes", "by": {"email": "a@b.example"}, "tags": ["x"], "n": 3})
    tally = Tally()
    [conversation] = conversations(read, Columns(transcript="chat", cluster="by"), tally)
    assert conversation.metadata == {"cluster": "a@b.example", "n": 3}
    assert "columns of nested values, left out: 1 (tags)" in tally.report().notes


def test_a_speaker_who_was_given_a_role_and_says_nothing_is_a_slip_of_the_pen() -> None:
    read = table("id|who|text", "1|Ann Krüger|Hello", "1|Bob|Hi")
    columns = Columns(id="id", speaker="who", text="text", roles={"Ann Kruger": "agent"}, others="customer")
    with pytest.raises(UsageError, match="unknown speaker 'Ann Kruger'\nDid you mean 'Ann Krüger'"):
        list(conversations(read, columns))


def test_who_is_taken_for_one_of_the_others_is_told() -> None:
    read = table("id|who|text", "1|Ann|Hello", "1|Bob|Hi", "1|Bob|Hi!")
    tally = Tally()
    columns = Columns(id="id", speaker="who", text="text", roles={"ANN": "agent"}, others="customer")
    [conversation] = conversations(read, columns, tally)
    assert turns(conversation) == [("agent", "Hello"), ("customer", "Hi"), ("customer", "Hi!")]
    assert "read as the customer (--others): 'Bob' (2)" in tally.report().notes


def test_a_row_without_a_speaker_is_nobodys() -> None:
    read = table("id|who|text", "1|Ann|Hello", "1||nobody said this")
    tally = Tally()
    [conversation] = conversations(read, Columns(id="id", speaker="who", text="text", others="customer"), tally)
    assert turns(conversation) == [("customer", "Hello")]
    assert list(left_out(tally)) == ["row: no speaker"]


def test_times_that_are_no_text() -> None:
    begin = datetime(2024, 1, 5, tzinfo=UTC)
    read = rows(*({"id": 7, "who": "user", "text": str(n), "at": begin + timedelta(hours=n)} for n in (2, 0, 1)))
    [conversation] = conversations(read, msgspec.structs.replace(MESSAGES, time="at"))
    assert (conversation.id, [turn.text for turn in conversation.turns]) == ("7", ["0", "1", "2"])


@pytest.mark.parametrize("time", ["", "soon", "nan"])
def test_where_a_time_cannot_be_read_the_rows_order_counts_and_is_said_to(time: str) -> None:
    tally = Tally()
    read = table("id|who|text|at", "a|user|1|5", f"a|user|2|{time}", "a|user|3|9", "b|user|5|2", "b|user|4|1")
    first, second = conversations(read, msgspec.structs.replace(MESSAGES, time="at"), tally)
    assert [turn.text for turn in first.turns] == ["1", "2", "3"]
    assert [turn.text for turn in second.turns] == ["4", "5"]
    assert [note for note in tally.report().notes if "order of the rows" in note and note.endswith(": 1 (2)")]


@pytest.mark.parametrize(
    ("times", "doubt"),
    [
        (["03/04/2024 10:00", "05/06/2024 10:00"], "day/month"),
        (["03/04/2024 10:00 AM", "05/06/2024 1:00 PM"], "month/day"),
        (["03/04/2024 10:00", "25/06/2024 10:00"], None),
        (["2024-03-04", "2024-05-06"], None),
        ([], None),
    ],
)
def test_days_and_months_that_could_be_swapped_are_told(times: list[str], doubt: str | None) -> None:
    said = clock_for(times)[1]
    assert (doubt in said) if said and doubt else said is doubt


def test_every_row_is_used_or_told() -> None:
    read = [
        *table(
            "id|who|text|at|summary",
            "a|customer|Hi|1|",
            "a|customer|Hi|1|",
            "|customer|lost|1|",
            "a||nobody|1|",
            "a|agent||2|",
            "a|system|Ticket opened|2|",
            "|||  |",
            "a|agent|Hello|3|",
            "a|agent||4|Customer says hi.",
            "b|agent|\u200b|1|",
        ),
        Row(number=11, values={}, fault="torn"),
    ]
    tally = Tally()
    columns = Columns(id="id", speaker="who", text="text", time="at", references=("summary",))
    [conversation] = clean_conversations(conversations(read, columns, tally), tally)
    assert turns(conversation) == [("customer", "Hi"), ("agent", "Hello")]
    assert conversation.references == ("Customer says hi.",)
    assert left_out(tally) == {
        "row: the same message at the same time as an earlier row": ("2",),
        "row: no conversation id": ("3",),
        "row: no speaker": ("4",),
        "row: no text": ("5",),
        "row: said by system": ("6",),
        "row: empty": ("7",),
        "row: torn": ("11",),
        "conversation: no words in it": ("b",),
    }
    assert accounted(tally)
    report = tally.report(["note"])
    assert (report.rows, report.rows_used, report.conversations, report.turns) == (11, 4, 1, 2)
    assert (report.with_references, report.without_references, report.notes) == (1, 0, ("note",))


def test_metadata_is_of_the_first_row_and_references_of_all() -> None:
    read = table(
        "id|who|text|plan|customer|s1|s2",
        "a|customer|Hi|gold|k1|Says hi.|",
        "a|agent|Hello|silver|k2|Says hi.|Greets.",
    )
    columns = Columns(id="id", speaker="who", text="text", keep=("plan",), cluster="customer", references=("s1", "s2"))
    [conversation] = conversations(read, columns)
    assert conversation.metadata == {"plan": "gold", "cluster": "k1"}
    assert conversation.references == ("Says hi.", "Greets.")
    [plain] = conversations(read, MESSAGES)
    assert plain.metadata == {}


# -------------------------------------------------------------------------------------------------------- speakers


@pytest.mark.parametrize(
    ("column", "customer", "agent"),
    [
        ("inbound", True, False),
        ("Is Inbound", "1", "0"),
        ("from_agent", "no", "YES"),
        ("direction", "inbound", "Outbound"),
        ("role", "user", "assistant"),
        ("sender", "Caller", "Help Desk"),
    ],
)
def test_speakers_that_tell_their_role(column: str, customer: Any, agent: Any) -> None:
    read = rows({"id": "a", column: customer, "text": "x"}, {"id": "a", column: agent, "text": "y"})
    [conversation] = conversations(read, Columns(id="id", speaker=column, text="text"))
    assert turns(conversation) == [("customer", "x"), ("agent", "y")]


def test_speakers_by_name() -> None:
    read = table("id|who|text", "a|Jo|1", "a|Ann  Lee|2", "b|Max|3", "b|user|4")
    columns = Columns(
        id="id", speaker="who", text="text", roles={"ann lee": "agent", "user": "agent"}, others="customer"
    )
    first, second = conversations(read, columns)
    assert turns(first) == [("customer", "1"), ("agent", "2")]
    assert turns(second) == [("customer", "3"), ("agent", "4")]


@pytest.mark.parametrize(
    ("read", "columns"),
    [
        (table("id|who|text", "a|Jo Doe|1", "a|Bea|2", "b|Bea|3", "b|customer|4"), MESSAGES),
        (table("t", "Jo Doe: 1<br>Bea: 2", "Bea: 3<br>Customer: 4"), Columns(transcript="t")),
    ],
)
def test_speakers_without_a_role_are_listed_with_the_options_to_give(read: list[Row], columns: Columns) -> None:
    with pytest.raises(UsageError) as caught:
        list(conversations(read, columns))
    assert "'Bea' (2), 'Jo Doe' (1)" in str(caught.value)
    assert "--role Bea=agent" in str(caught.value)
    assert "--others customer" in str(caught.value)


def test_the_list_of_speakers_without_a_role_stays_short() -> None:
    read = rows(*({"id": "a", "who": f"name {number}", "text": "x"} for number in range(20_000)))
    with pytest.raises(UsageError) as caught:
        list(conversations(read, MESSAGES))
    assert "and 9992 more" in str(caught.value)
    assert len(str(caught.value)) < 500


def test_where_one_side_says_nothing_it_is_noted() -> None:
    tally = Tally()
    read = table("id|who|text", "a|Jo|1", "a|Ann|2")
    list(clean_conversations(conversations(read, msgspec.structs.replace(MESSAGES, others="customer"), tally), tally))
    assert "no turn is by the agent" in " ".join(tally.report().notes)


# ------------------------------------------------------------------------------------------- a row, a conversation

TOLD = [("customer", "Hi there"), ("agent", "Hello")]
CHAT = [{"role": "user", "content": "Hi there"}, {"role": "assistant", "content": "Hello"}]


@pytest.mark.parametrize(
    "transcript",
    [
        "Customer: Hi\nthere\nAgent: Hello",
        "customer : Hi\r\n  there\r\n\r\nSUPPORT: Hello\r\n",
        "Customer: Hi there<br/>Agent: Hello",
        r"Customer: Hi there\nAgent: Hello",
        "[10:15:02] Customer: Hi there\n[10:15:40] Agent: Hello",
        "12/03/24, 10:15 - Customer: Hi there\n12/03/24, 10:16 - Agent: Hello",
        "Customer (10:15): Hi there\nAgent (10:16): Hello",
        "**Customer:** Hi there\n**Agent:** Hello",
        "#Person1#: Hi there\n#Person2#: Hello",
        ["Customer: Hi there", "Agent: Hello"],
        json.dumps(["Customer: Hi there", "Agent: Hello"]),
        CHAT,
        json.dumps(CHAT),
        str(CHAT),
        json.dumps({"messages": CHAT}),
    ],
)
def test_transcripts(transcript: Any) -> None:
    columns = Columns(transcript="t", roles={"#Person1#": "customer", "#person2#": "agent"})
    [conversation] = conversations(rows({"t": transcript}), columns)
    assert (conversation.id, turns(conversation)) == ("row-1", TOLD)


@pytest.mark.parametrize(
    "messages",
    [
        CHAT,
        [{"role": "system", "content": "You are …"}, *CHAT],
        [{"from": "human", "value": "Hi there"}, {"from": "gpt", "value": "Hello"}],
        [{"speaker": "Customer", "text": "Hi there"}, {"speaker": "Agent", "text": "Hello"}],
        [{"author": {"role": "user"}, "content": {"parts": ["Hi there"]}}, {"sender": "rep", "body": "Hello"}],
        [
            {"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "text", "text": "there"}]},
            {"role": "assistant", "content": None, "tool_calls": []},
            {"role": "tool", "content": "42"},
            {"role": "assistant", "message": "Hello"},
        ],
        [{"role": "user", "content": [{"type": "image_url"}, {"type": "text", "text": "Hi there"}]}, CHAT[1]],
        json.dumps(CHAT),
    ],
)
def test_lists_of_messages(messages: Any) -> None:
    tally = Tally()
    [conversation] = clean_conversations(
        conversations(rows({"messages": messages}), Columns(messages="messages"), tally), tally
    )
    assert turns(conversation) == TOLD
    assert accounted(tally)


def test_system_messages_and_pictures_are_told() -> None:
    tally = Tally()
    messages = [{"role": "system", "content": "Be kind."}, *CHAT, {"role": "user", "content": [{"type": "image_url"}]}]
    list(conversations(rows({"id": "a", "messages": messages}), Columns(id="id", messages="messages"), tally))
    assert left_out(tally) == {"message: said by system": ("a",)}
    assert "pictures" in tally.report().notes[0]


@pytest.mark.parametrize(
    ("columns", "value", "reason"),
    [
        (Columns(transcript="t"), "", "no transcript"),
        (Columns(transcript="t"), "hello there", "the transcript's first line names no speaker"),
        (Columns(transcript="t"), [], "no messages"),
        (Columns(messages="t"), "Customer: Hi", "no list of messages"),
        (Columns(messages="t"), "[1, 2", "no list of messages"),
        (Columns(messages="t"), [1, 2], "the messages are not objects"),
        (
            Columns(messages="t"),
            [{"content": "Hi"}],
            "a message without role, speaker, from, author or sender (--message-speaker)",
        ),
        (Columns(messages="t"), [{"role": "user", "content": " "}], "no messages"),
    ],
)
def test_a_row_that_is_no_conversation_is_told(columns: Columns, value: Any, reason: str) -> None:
    tally = Tally()
    found = list(conversations(rows({"id": 1, "t": value}, {"id": 2, "t": CHAT}), columns, tally))
    assert len(found) == 1
    assert left_out(tally) == {f"row: {reason}": ("1",)}
    assert accounted(tally)


def test_a_word_before_a_colon_is_no_third_speaker_where_both_sides_are_named() -> None:
    tally = Tally()
    read = rows({"t": "Customer: Hi\nPS: it is urgent\nAgent: Order number: 12\nNote: done"})
    [conversation] = conversations(read, Columns(transcript="t"), tally)
    assert turns(conversation) == [("customer", "Hi PS: it is urgent"), ("agent", "Order number: 12 Note: done")]
    assert tally.report().notes[0].endswith(": 2 (PS, Note)")


def test_an_id_of_an_earlier_row_is_told() -> None:
    tally = Tally()
    read = rows(*({"id": id_, "t": "Customer: Hi"} for id_ in ("a", "b", "a", None)))
    found = list(conversations(read, Columns(id="id", transcript="t"), tally))
    assert [conversation.id for conversation in found] == ["a", "b", "row-4"]
    assert left_out(tally) == {"row: an id that an earlier row has": ("3",)}


def test_other_scalar_columns_become_metadata() -> None:
    row = {
        **{"id": 7.0, "t": "Customer: Hi", "s": ["One.", " Two. ", "One."], "r": '["Three."]', "who": 12},
        **{
            "plan": "gold",
            "n": 3,
            "x": 0.5,
            "yes": False,
            "none": None,
            "nan": float("nan"),
            "tags": ["a"],
            "big": 2**70,
        },
        **{"day": datetime(2024, 1, 5, tzinfo=UTC), "empty": " ", "raw": b"ok"},
    }
    columns = Columns(id="id", transcript="t", references=("s", "r"), cluster="who")
    [conversation] = conversations(rows(row), columns)
    assert conversation.id == "7"
    assert conversation.references == ("One.", "Two.", "Three.")
    assert conversation.metadata == {
        **{"plan": "gold", "n": 3, "x": 0.5, "yes": False, "big": str(2**70), "raw": "ok"},
        **{"day": "2024-01-05T00:00:00+00:00", "cluster": "12"},
    }
    [chosen] = conversations(rows(row), msgspec.structs.replace(columns, keep=("n",)))
    assert chosen.metadata == {"n": 3, "cluster": "12"}
    assert msgspec.json.decode(msgspec.json.encode(conversation), type=Conversation) == conversation


# --------------------------------------------------------------------------------------------------------- columns


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        (Columns(), "text, speaker, id not given"),
        (Columns(text="t", speaker="s"), "id not given"),
        (Columns(text="t", speaker="s", id="i", transcript="c"), "text and transcript exclude each other"),
        (Columns(messages="t", transcript="c"), "transcript and messages exclude each other"),
    ],
)
def test_columns_that_do_not_go_together(columns: Columns, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        conversations([], columns)


def test_an_unknown_column_is_answered_with_the_nearest() -> None:
    check_names(Columns(transcript="text", references=("summary",)), ["text", "summary"])
    with pytest.raises(UsageError, match="unknown column 'summry'\nDid you mean 'summary'"):
        check_names(Columns(transcript="text", references=("summry",)), ["text", "summary"])


def test_columns_are_options_of_a_recipe() -> None:
    columns = msgspec.convert({"transcript": "dialogue", "references": ["summary"], "roles": {"A": "agent"}}, Columns)
    assert columns == Columns(transcript="dialogue", references=("summary",), roles={"A": "agent"})
    with pytest.raises(msgspec.ValidationError, match="speeker"):
        msgspec.convert({"speeker": "x"}, Columns)


# --------------------------------------------------------------------------------------------------------- guesses


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        (
            table("Ticket ID|Sender|Created At|Body|Customer ID", "t|agent|1|Hi|k", "t|user|2|Yo|k"),
            Columns(id="Ticket ID", speaker="Sender", time="Created At", text="Body", cluster="Customer ID"),
        ),
        (
            table("id|conversation_id|author|role|message|seq", "1|c|Jo|user|Hi|1", "2|c|Ann|agent|Yo|2"),
            Columns(id="conversation_id", speaker="role", text="message", time="seq"),
        ),
        (
            table("id|from|text|Resolution Notes", "c|user|Hi|Said hi to us", "c|agent|Yo|", "d|user|Hi|"),
            Columns(id="id", speaker="from", text="text", references=("Resolution Notes",)),
        ),
        (
            table("id|text|reference|summary|notes", "1|Customer: Hi~Agent: Yo|INC-1|They say hi.|none at all here"),
            Columns(id="id", transcript="text", references=("summary",)),
        ),
        (
            rows({"fname": "x", "dialogue": ["#A#: Hi", "#B#: Yo"], "summary1": "", "summary2": "They say hi."}),
            Columns(id="fname", transcript="dialogue", references=("summary1", "summary2")),
        ),
        (rows({"messages": CHAT, "summary": ["They say hi."]}), Columns(messages="messages", references=("summary",))),
        (
            rows({"id": "1", "Verlauf": json.dumps(CHAT)}, {"id": "2", "Verlauf": ""}),
            Columns(id="id", messages="Verlauf"),
        ),
        # Too much, or nothing, looks like it.
        (table("id|text|role", "1|Hi|user", "2|Yo|agent"), Columns(text="text", speaker="role")),
        (table("case|text|body|role", "1|Hi|x|user", "1|Yo|y|agent"), Columns(id="case", speaker="role")),
        (table("case|text|sender|author", "1|Hi|Jo|X", "1|Yo|Ann|Y"), Columns(id="case", text="text")),
        # An e-mail's head in a message is no transcript.
        (
            table("case|body|sender", "1|From: Jo~To: us~Hi|user", "1|From: us~To: Jo~Yo|agent"),
            Columns(id="case", text="body", speaker="sender"),
        ),
    ],
)
def test_columns_are_guessed(read: list[Row], expected: Columns) -> None:
    told = [
        Row(
            number=row.number,
            values={k: v.replace("~", "\n") if isinstance(v, str) else v for k, v in row.values.items()},
        )
        for row in read
    ]
    assert guess(list(read[0].values), told) == expected


def test_what_is_given_is_not_guessed() -> None:
    read = table("case|ticket|text|body|role", "1|1|Hi|x|user", "1|1|Yo|y|agent")
    names = list(read[0].values)
    given = Columns(id="ticket", text="body", roles={"user": "agent"})
    assert guess(names, read, given) == msgspec.structs.replace(given, speaker="role")


def test_real_tweets_have_no_conversation_id(tweetsumm: Path) -> None:
    # Tweets hang together by replies alone; the TweetSumm data set joins them, an import does not.
    read = list(open_table(tweetsumm / "original" / "twcs_sample.csv").rows())
    columns = guess(list(read[0].values), read)
    assert columns == Columns(speaker="inbound", text="text", time="created_at")
    with pytest.raises(UsageError, match="id not given"):
        conversations(read, columns)


def test_real_tweets_of_one_company_by_time(tweetsumm: Path) -> None:
    # As far as tweets go: speakers, times and texts are read; a column of threads is all that lacks.
    read = [
        msgspec.structs.replace(row, values={**row.values, "thread": row.values["in_response_to_tweet_id"] or "none"})
        for row in open_table(tweetsumm / "original" / "twcs_sample.csv").rows()
    ]
    tally = Tally()
    columns = Columns(id="thread", speaker="inbound", text="text", time="created_at")
    found = list(clean_conversations(conversations(read, columns, tally), tally))
    assert {turn.role for conversation in found for turn in conversation.turns} == {"customer", "agent"}
    assert accounted(tally)
    assert tally.report().notes == (UNSUMMARIZED,)


def test_real_dialogsum(tweetsumm: Path) -> None:
    path = tweetsumm.parent / "dialogsum" / "dialogsum.dev.jsonl"
    read = list(open_table(path).rows())
    columns = guess(list(read[0].values), read[:100], Columns(roles={"#Person1#": "agent"}, others="customer"))
    assert (columns.id, columns.transcript, columns.references) == ("fname", "dialogue", ("summary",))
    tally = Tally()
    found = list(clean_conversations(conversations(read, columns, tally), tally))
    assert len(found) == len(read) == 500
    assert all(len(conversation.turns) > 1 and conversation.references for conversation in found)


# ---------------------------------------------------------------------------------------------------------- wholes

# Escapes, markup and quoted mail are tested elsewhere: they do not come back as they are written.
_words = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Zs", "Zl", "Zp"], exclude_characters="\\<>&_"),
    min_size=1,
    max_size=8,
).filter(lambda text: text.strip() == text != "")
# Nor do ids that a spreadsheet rounded or that stand for a missing one.
_ids = _words.map(lambda text: f"c{text}")
_conversations = st.dictionaries(
    _ids, st.lists(st.tuples(st.sampled_from(["customer", "agent"]), _words), min_size=1, max_size=4), max_size=5
)


@settings(max_examples=50, deadline=None)
@given(told=_conversations, seed=st.integers(0, 99))
def test_conversations_in_rows_in_any_order_come_back(told: dict[str, list[tuple[str, str]]], seed: int) -> None:
    said = [
        {"id": id_, "who": role, "text": text, "at": number}
        for id_, messages in told.items()
        for number, (role, text) in enumerate(messages)
    ]
    random.Random(seed).shuffle(said)
    tally = Tally()
    found = list(conversations(rows(*said), msgspec.structs.replace(MESSAGES, time="at"), tally))
    assert [conversation.id for conversation in found] == list(dict.fromkeys(row["id"] for row in said))
    assert {conversation.id: turns(conversation) for conversation in found} == told
    assert (tally.rows, tally.rows_used, tally.report().left_out) == (len(said), len(said), ())


@settings(max_examples=50, deadline=None)
@given(told=_conversations)
def test_conversations_as_lists_come_back(told: dict[str, list[tuple[str, str]]]) -> None:
    read = rows(
        *(
            {"id": id_, "messages": json.dumps([{"role": role, "content": text} for role, text in messages])}
            for id_, messages in told.items()
        )
    )
    found = conversations(read, Columns(id="id", messages="messages"))
    assert {conversation.id: turns(conversation) for conversation in found} == told


def message_rows(count: int) -> Iterator[Row]:
    for message in range(6):
        for number in range(count):
            role = ("customer", "agent")[message % 2]
            values = {"id": str(number), "who": role, "text": f"message {message} " * 20, "at": message}
            yield Row(number=message * count + number, values=values)


def transcript_rows(count: int) -> Iterator[Row]:
    for number in range(count):
        yield Row(number=number, values={"id": str(number), "t": "Customer: Hi\nAgent: Hello\n" * 4})


@pytest.mark.parametrize(
    ("make", "columns"),
    [(message_rows, msgspec.structs.replace(MESSAGES, time="at")), (transcript_rows, Columns(id="id", transcript="t"))],
)
def test_memory_is_flat(make: Any, columns: Columns) -> None:
    def peak(count: int) -> int:
        tracemalloc.start()
        try:
            assert sum(1 for _ in conversations(make(count), columns)) == count
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(10)
    small, large = peak(100), peak(1000)
    # Ids alone stay: about a hundred bytes each.
    assert large < 2 * small + 900 * 150


def test_the_temporary_file_goes_when_reading_stops_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    reading = conversations(message_rows(3), MESSAGES)
    assert next(reading).id == "0"
    assert len(list(tmp_path.iterdir())) == 1
    reading.close()  # type: ignore[attr-defined]
    assert list(tmp_path.iterdir()) == []


def test_a_role_given_for_an_address_holds_where_a_name_stands_before_it() -> None:
    columns = Columns(id="id", speaker="from", text="text", roles={"Help@shop.example": "agent"}, others="customer")
    told = [("Jo <jo@mail.example>", "a"), ("Help Desk <help@shop.example>", "b"), ("help@shop.example", "c")]
    read = rows(*({"id": "1", "from": name, "text": text} for name, text in told))
    [conversation] = conversations(read, columns)
    assert turns(conversation) == [("customer", "a"), ("agent", "b"), ("agent", "c")]
