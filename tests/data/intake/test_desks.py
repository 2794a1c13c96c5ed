"""The exports of common help desks: who says what, in which order, and what is left out; recognized and named."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from liftbench.cli import import_desk
from liftbench.data.intake.desks import Desk, Export, message_rows
from liftbench.data.intake.paths import exists, find, text_at
from liftbench.data.intake.replies import Replies
from liftbench.data.intake.tables import Row
from liftbench.data.intake.tally import Tally
from liftbench.data.jsonl import each_in_jsonl
from liftbench.errors import PrerequisiteError
from liftbench.extension.loader import Plugins, load_plugins
from liftbench.extension.registry import Registry
from liftbench.plugin_api import hookimpl

Turns = list[tuple[str, str]]

ZENDESK: dict[str, Any] = {
    "id": 812,
    "subject": "Lamp flickers",
    "requester_id": 44,
    "custom_fields": [{"id": 1, "value": "lamps"}, {"id": 2, "value": None}],
    "comments": [
        {
            "id": 3,
            "author_id": 9,
            "body": "A new bulb is on its way.",
            "public": True,
            "created_at": "2025-05-02T08:30:00Z",
        },
        {"id": 1, "author_id": 44, "body": "My lamp flickers.", "public": True, "created_at": "2025-05-02T08:00:00Z"},
        {
            "id": 2,
            "author_id": 9,
            "body": "Third one this week.",
            "public": False,
            "created_at": "2025-05-02T08:10:00Z",
        },
    ],
    "summary": "The customer's lamp flickers, and the agent sends a new bulb.",
}
ZENDESK_CHAT = {
    "id": "2505.chat",
    "type": "chat",
    "visitor": {"id": "v1", "name": "Visitor 88"},
    "history": [
        {
            "type": "chat.memberjoin",
            "name": "Visitor 88",
            "timestamp": "2025-05-02T08:00:00Z",
            "sender_type": "Visitor",
        },
        {"type": "chat.msg", "msg": "Is the shop open?", "timestamp": "2025-05-02T08:00:05Z", "sender_type": "Visitor"},
        {"type": "chat.msg", "msg": "Until six.", "timestamp": "2025-05-02T08:00:30Z", "sender_type": "Agent"},
    ],
}
INTERCOM = {
    "type": "conversation",
    "id": "c5",
    "created_at": 1746172800,
    "source": {
        "type": "conversation",
        "body": "<p>The door code is refused.</p>",
        "author": {"type": "lead", "id": "l1"},
    },
    "contacts": {"type": "contact.list", "contacts": [{"type": "contact", "id": "l1"}]},
    "conversation_parts": {
        "type": "conversation_part.list",
        "conversation_parts": [
            {"part_type": "comment", "body": "<p>Which door?</p>", "created_at": 1746172860, "author": {"type": "bot"}},
            {"part_type": "assignment", "body": None, "created_at": 1746172870, "author": {"type": "admin"}},
            {
                "part_type": "note",
                "body": "<p>He moved out.</p>",
                "created_at": 1746172880,
                "author": {"type": "admin"},
            },
            {
                "part_type": "close",
                "body": "<p>It works now.</p>",
                "created_at": 1746172890,
                "author": {"type": "admin"},
            },
        ],
    },
}
FRESHDESK = {
    "id": 31,
    "subject": "Bell",
    "requester_id": 6,
    "source": 2,
    "description_text": "The bell is missing.",
    "created_at": "2025-05-02T08:00:00Z",
    "conversations": [
        {"incoming": False, "private": True, "body_text": "Ask Leo.", "created_at": "2025-05-02T08:05:00Z"},
        {"incoming": False, "private": False, "body_text": "We post one today.", "created_at": "2025-05-02T08:09:00Z"},
        {"incoming": True, "private": False, "body_text": "Thanks!", "created_at": "2025-05-02T08:20:00Z"},
    ],
}
FRESHDESK_ROWS = """\
id,ticket_id,incoming,private,user_id,body_text,created_at
1,31,true,false,6,The bell is missing.,2025-05-02T08:00:00Z
2,31,false,true,9,Ask Leo.,2025-05-02T08:05:00Z
3,31,false,false,9,We post one today.,2025-05-02T08:09:00Z
"""
HUBSPOT: dict[str, Any] = {
    "results": [
        {
            "type": "MESSAGE",
            "conversationsThreadId": "77",
            "createdAt": "2025-05-02T08:20:00Z",
            "direction": "OUTGOING",
            "senders": [{"actorId": "A-1"}],
            "text": "It arrives on Monday.",
        },
        {
            "type": "COMMENT",
            "conversationsThreadId": "77",
            "createdAt": "2025-05-02T08:10:00Z",
            "text": "Late again.",
            "senders": [{"actorId": "A-1"}],
            "direction": "OUTGOING",
        },
        {"type": "ASSIGNMENT", "conversationsThreadId": "77", "createdAt": "2025-05-02T08:05:00Z"},
        {
            "type": "MESSAGE",
            "conversationsThreadId": "77",
            "createdAt": "2025-05-02T08:00:00Z",
            "direction": "INCOMING",
            "senders": [{"actorId": "V-3"}],
            "text": "Where is my tent?",
        },
    ],
    "paging": {"next": {"after": "x"}},
}
GORGIAS = {
    "id": 12,
    "channel": "email",
    "customer": {"id": 7, "email": "a@mail.example"},
    "messages": [
        {
            "from_agent": False,
            "public": True,
            "channel": "email",
            "body_text": "Refund me.\n> old",
            "stripped_text": "Refund me.",
            "created_datetime": "2025-05-02T08:00:00.1",
        },
        {
            "from_agent": True,
            "public": False,
            "channel": "internal-note",
            "body_text": "Is it true?",
            "created_datetime": "2025-05-02T08:01:00.1",
        },
        {
            "from_agent": True,
            "public": True,
            "channel": "email",
            "body_text": "Done.",
            "stripped_text": None,
            "created_datetime": "2025-05-02T08:02:00.1",
        },
    ],
}
HELP_SCOUT = {
    "id": 55,
    "subject": "Hinge",
    "primaryCustomer": {"id": 8},
    "_embedded": {
        "threads": [
            {
                "type": "message",
                "state": "draft",
                "body": "Well,",
                "createdAt": "2025-05-02T08:30:00Z",
                "createdBy": {"type": "user"},
            },
            {
                "type": "message",
                "state": "published",
                "body": "Here is a new one.",
                "createdAt": "2025-05-02T08:20:00Z",
                "createdBy": {"type": "user"},
            },
            {
                "type": "note",
                "state": "published",
                "body": "We owe him.",
                "createdAt": "2025-05-02T08:10:00Z",
                "createdBy": {"type": "user"},
            },
            {
                "type": "lineitem",
                "state": "published",
                "createdAt": "2025-05-02T08:05:00Z",
                "createdBy": {"type": "user"},
            },
            {
                "type": "customer",
                "state": "published",
                "body": "The hinge broke.",
                "createdAt": "2025-05-02T08:00:00Z",
                "createdBy": {"type": "user"},
            },
        ]
    },
}
CHATWOOT = {
    "meta": {"labels": []},
    "payload": [
        {
            "id": 1,
            "conversation_id": 4,
            "message_type": 0,
            "content": "Hello?",
            "private": False,
            "created_at": 1746172800,
            "content_type": "text",
            "sender": {"id": 3, "type": "contact"},
        },
        {
            "id": 2,
            "conversation_id": 4,
            "message_type": 2,
            "content": "Ann was assigned",
            "private": False,
            "created_at": 1746172801,
            "content_type": "text",
        },
        {
            "id": 3,
            "conversation_id": 4,
            "message_type": 1,
            "content": "Who is this?",
            "private": True,
            "created_at": 1746172802,
            "content_type": "text",
            "sender": {"id": 1, "type": "user"},
        },
        {
            "id": 4,
            "conversation_id": 4,
            "message_type": 1,
            "content": "Hi!",
            "private": False,
            "created_at": 1746172803,
            "content_type": "text",
            "sender": {"id": 1, "type": "user"},
        },
    ],
}
AMAZON_CHAT = {
    "Version": "2019-08-26",
    "ContactId": "k1",
    "Transcript": [
        {
            "Type": "EVENT",
            "ContentType": "application/vnd.amazonaws.connect.event.participant.joined",
            "ParticipantId": "p1",
            "ParticipantRole": "CUSTOMER",
            "AbsoluteTime": "2025-05-02T08:00:00.000Z",
        },
        {
            "Type": "MESSAGE",
            "ContentType": "text/plain",
            "Content": "My card is blocked.",
            "ParticipantId": "p1",
            "ParticipantRole": "CUSTOMER",
            "AbsoluteTime": "2025-05-02T08:00:05.000Z",
        },
        {
            "Type": "MESSAGE",
            "ContentType": "text/plain",
            "Content": "An agent will be with you.",
            "ParticipantId": "p0",
            "ParticipantRole": "SYSTEM",
            "AbsoluteTime": "2025-05-02T08:00:06.000Z",
        },
        {
            "Type": "MESSAGE",
            "ContentType": "text/plain",
            "Content": "I unblock it.",
            "ParticipantId": "p2",
            "ParticipantRole": "AGENT",
            "AbsoluteTime": "2025-05-02T08:00:30.000Z",
        },
    ],
}
CONTACT_LENS = {
    "Channel": "VOICE",
    "CustomerMetadata": {"ContactId": "k2"},
    "Participants": [
        {"ParticipantId": "x", "ParticipantRole": "AGENT"},
        {"ParticipantId": "y", "ParticipantRole": "CUSTOMER"},
    ],
    "Transcript": [
        {"ParticipantId": "x", "Content": "Good morning.", "BeginOffsetMillis": 90, "Id": "1"},
        {"ParticipantId": "y", "Content": "The line is dead.", "BeginOffsetMillis": 1200, "Id": "2"},
    ],
}
SALESFORCE = (
    "Id,LiveChatVisitorId,Body\n"
    '570A,5vA,"<p align=""center"">Chat Started: Friday, May 2, 2025, 08:00:00 (+0000)</p>'
    '<p align=""center"">Chat Origin: Shop</p><p align=""center"">Agent Ann M</p>'
    "( 7s ) Ann M: Hello: how can I help?<br>( 1m 16s ) Lou Reyes: My key (3s old) bent.<br>"
    '( 2m 2s ) Ann M: Keep it.<br>"\n'
)
SALESFORCE_ENTRIES = """\
ConversationId,ActorType,ActorId,EntryType,EntryTime,Message
0dw1,System,,ChatbotEstablished,2025-05-02T08:00:00.000Z,begun
0dw1,EndUser,0PA,Text,2025-05-02T08:00:05.000Z,Do you ship here?
0dw1,Bot,0Xx,Text,2025-05-02T08:00:06.000Z,"Yes, we do."
"""
TWCS = """\
tweet_id,author_id,inbound,created_at,text,response_tweet_id,in_response_to_tweet_id
1,AcmeHelp,False,Tue Oct 31 22:11:45 +0000 2017,@700001 Which city?,2,3
2,700001,True,Tue Oct 31 22:12:00 +0000 2017,@AcmeHelp Bonn,4,1
3,700001,True,Tue Oct 31 22:10:00 +0000 2017,@AcmeHelp no signal,1,
4,AcmeHelp,False,Tue Oct 31 22:12:00 +0000 2017,@700001 Fixed tonight,,2
"""

DESKS: list[tuple[str, str, Any, Turns, list[str]]] = [
    (
        "zendesk",
        "export.jsonl",
        ZENDESK,
        [("customer", "My lamp flickers."), ("agent", "A new bulb is on its way.")],
        ["internal"],
    ),
    (
        "zendesk",
        "chats.jsonl",
        ZENDESK_CHAT,
        [("customer", "Is the shop open?"), ("agent", "Until six.")],
        ["chat.memberjoin"],
    ),
    (
        "intercom",
        "export.jsonl",
        INTERCOM,
        [("customer", "The door code is refused."), ("agent", "Which door? It works now.")],
        ["internal", "assignment"],
    ),
    (
        "freshdesk",
        "export.jsonl",
        FRESHDESK,
        [("customer", "The bell is missing."), ("agent", "We post one today."), ("customer", "Thanks!")],
        ["internal"],
    ),
    (
        "freshdesk",
        "export.csv",
        FRESHDESK_ROWS,
        [("customer", "The bell is missing."), ("agent", "We post one today.")],
        ["internal"],
    ),
    (
        "hubspot",
        "export.jsonl",
        HUBSPOT,
        [("customer", "Where is my tent?"), ("agent", "It arrives on Monday.")],
        ["internal", "ASSIGNMENT"],
    ),
    ("gorgias", "export.jsonl", GORGIAS, [("customer", "Refund me."), ("agent", "Done.")], ["internal"]),
    (
        "help-scout",
        "export.jsonl",
        HELP_SCOUT,
        [("customer", "The hinge broke."), ("agent", "Here is a new one.")],
        ["internal", "lineitem", "draft"],
    ),
    ("chatwoot", "export.jsonl", CHATWOOT, [("customer", "Hello?"), ("agent", "Hi!")], ["internal", "message_type: 2"]),
    (
        "amazon-connect",
        "chat.jsonl",
        AMAZON_CHAT,
        [("customer", "My card is blocked."), ("agent", "I unblock it.")],
        ["Type: EVENT", "said by SYSTEM"],
    ),
    ("amazon-connect", "lens.jsonl", CONTACT_LENS, [("agent", "Good morning."), ("customer", "The line is dead.")], []),
    (
        "salesforce",
        "chats.csv",
        SALESFORCE,
        [("agent", "Hello: how can I help?"), ("customer", "My key (3s old) bent."), ("agent", "Keep it.")],
        [],
    ),
    (
        "salesforce",
        "entries.csv",
        SALESFORCE_ENTRIES,
        [("customer", "Do you ship here?"), ("agent", "Yes, we do.")],
        ["ChatbotEstablished"],
    ),
    (
        "twcs",
        "twcs.csv",
        TWCS,
        [
            ("customer", "AcmeHelp no signal"),
            ("agent", "Which city?"),
            ("customer", "AcmeHelp Bonn"),
            ("agent", "Fixed tonight"),
        ],
        [],
    ),
]


@pytest.fixture
def bench(command_line: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    def run(*arguments: str) -> Any:
        monkeypatch.setattr(sys, "stdin", open("/dev/null"))  # noqa: PTH123, SIM115
        return command_line("data", "import", *arguments)

    return run


def write(name: str, content: Any) -> str:
    if isinstance(content, str):
        Path(name).write_text(content, encoding="utf-8")
    else:
        records = content if isinstance(content, list) else [content]
        Path(name).write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return name


def imported() -> list[Any]:
    return list(each_in_jsonl(Path("out/conversations.jsonl"), references_needed=False))


def turns(conversation: Any) -> Turns:
    return [(turn.role, turn.text) for turn in conversation.turns]


@pytest.mark.parametrize("named", [False, True], ids=["recognized", "named"])
@pytest.mark.parametrize(
    ("desk", "file", "content", "expected", "left_out"), DESKS, ids=[f"{d[0]}-{d[1]}" for d in DESKS]
)
def test_a_desks_export_is_read(
    bench: Any, desk: str, file: str, content: Any, expected: Turns, left_out: list[str], named: bool
) -> None:
    done = bench(write(file, content), "--to", "out", *(["--from", desk] if named else []))
    assert done.code == 0, done.err
    [found] = imported()
    assert turns(found) == expected
    told = [line for line in done.out.splitlines() if "left out" in line and not line.startswith("note")]
    assert len(told) == len(left_out), done.out
    for reason in left_out:
        assert any(reason in line for line in told), done.out
    assert f"(--from {desk})" in done.out
    assert "--from none" in done.out


def test_ids_customers_and_summaries_come_with_the_messages(bench: Any) -> None:
    bench(write("export.jsonl", ZENDESK), "--to", "out")
    [found] = imported()
    assert (found.id, found.metadata["cluster"], found.references) == ("812", "44", (ZENDESK["summary"],))


def test_a_summary_elsewhere_can_be_named(bench: Any) -> None:
    export = {**ZENDESK, "summary": None, "meta": {"recap": "A lamp flickers."}}
    done = bench(write("export.jsonl", export), "--to", "out", "--reference", "meta.recap", "--keep", "subject")
    assert done.code == 0, done.err
    [found] = imported()
    assert (found.references, found.metadata["subject"]) == (("A lamp flickers.",), "Lamp flickers")
    done = bench(write("export.jsonl", export), "--to", "out2", "--reference", "sumary")
    assert (done.code, "unknown column 'sumary'" in done.err, "summary" in done.err) == (2, True, True)


def test_internal_notes_can_be_kept(bench: Any) -> None:
    done = bench(write("export.jsonl", ZENDESK), "--to", "out", "--keep-internal")
    assert done.code == 0, done.err
    assert turns(imported()[0])[1] == ("agent", "Third one this week. A new bulb is on its way.")


def test_wrapped_records_are_read_with_the_people_around_them(bench: Any) -> None:
    other = {**ZENDESK, "id": 813, "comments": [{**ZENDESK["comments"][0], "author_id": 45, "body": "Mine, too."}]}
    users = [{"id": 44, "role": "end-user"}, {"id": 45, "role": "end-user"}, {"id": 9, "role": "agent"}]
    done = bench(write("export.jsonl", {"tickets": [ZENDESK, other], "users": users, "count": 2}), "--to", "out")
    assert done.code == 0, done.err
    first, second = imported()
    assert [role for role, _ in turns(first)] == ["customer", "agent"]
    assert second.id == "813"


def test_authors_without_a_role_are_told_by_the_requester_and_reported(bench: Any) -> None:
    done = bench(write("export.jsonl", ZENDESK), "--to", "out")
    assert "messages by another author than the requester, read as the agent's, because no role is given: 1" in done.out
    done = bench(write("export.jsonl", ZENDESK), "--to", "out2", "--role", "9=customer")
    assert done.code == 0, done.err
    assert "another author" not in done.out
    assert "no turn is by the agent" in done.out


def test_listed_people_have_their_roles() -> None:
    ticket = {**ZENDESK, "comments": [{"author_id": 45, "body": "Me, too.", "public": True}]}
    row = Row(number=1, values={"tickets": [ticket], "users": [{"id": 45, "role": "end-user"}]})
    assert [found.values["speaker"] for found in message_rows([row], desk_named("zendesk").exports[:1], Tally())] == [
        "customer"
    ]


def test_an_opening_without_a_time_comes_first(bench: Any) -> None:
    export = {key: value for key, value in INTERCOM.items() if key != "created_at"}
    bench(write("export.jsonl", export), "--to", "out")
    assert turns(imported()[0])[0] == ("customer", "The door code is refused.")


def test_json_in_cells_and_columns_of_flattened_objects_are_read(bench: Any) -> None:
    cell = json.dumps(ZENDESK["comments"]).replace('"', '""')
    done = bench(write("export.csv", f'id,requester_id,comments\n812,44,"{cell}"\n'), "--to", "out")
    assert done.code == 0, done.err
    assert turns(imported()[0]) == DESKS[0][3]
    head = "conversationsThreadId,direction,type,senders.actorId,createdAt,text"
    rows = f"{head}\n1,INCOMING,MESSAGE,V-1,1,Hi\n1,OUTGOING,MESSAGE,A-1,2,Yes?\n"
    done = bench(write("flat.csv", rows), "--to", "out2", "--from", "hubspot")
    assert done.code == 0, done.err


def test_all_forms_of_one_desk_may_be_in_one_file(bench: Any) -> None:
    done = bench(write("export.jsonl", [ZENDESK, ZENDESK_CHAT]), "--to", "out")
    assert done.code == 0, done.err
    assert [turns(found) for found in imported()] == [DESKS[0][3], DESKS[1][3]]


def test_a_ticket_may_stand_beside_its_comments(bench: Any) -> None:
    ticket = {key: value for key, value in ZENDESK.items() if key != "comments"}
    done = bench(write("export.jsonl", {"ticket": ticket, "comments": ZENDESK["comments"]}), "--to", "out")
    assert done.code == 0, done.err
    assert turns(imported()[0]) == DESKS[0][3]


def test_chats_that_name_no_agent_ask_who_is_who(bench: Any) -> None:
    write("chats.csv", 'Id,ChatKey,Body\n1,k,"( 7s ) Chatty: Hello<br>( 9s ) Visitor: Hi<br>"\n')
    done = bench("chats.csv", "--to", "out")
    assert (done.code, "'Chatty' (1)" in done.err) == (2, True)
    done = bench("chats.csv", "--to", "out", "--role", "Chatty=agent")
    assert done.code == 0, done.err
    assert turns(imported()[0]) == [("agent", "Hello"), ("customer", "Hi")]


def test_what_the_export_cut_off_is_told(bench: Any) -> None:
    [first, *others] = HUBSPOT["results"]
    export = {"results": [{**first, "truncationStatus": "TRUNCATED"}, *others]}
    done = bench(write("export.jsonl", export), "--to", "out")
    assert "messages that the export has cut off (truncationStatus: TRUNCATED): 1 (export.jsonl:1)" in done.out


def test_a_call_is_no_comment(bench: Any) -> None:
    [first, *others] = ZENDESK["comments"]
    done = bench(write("e.jsonl", {**ZENDESK, "comments": [{**first, "type": "VoiceComment"}, *others]}), "--to", "out")
    assert "1 row left out: not a message (type: VoiceComment)" in done.out


def test_a_conversation_without_messages_is_counted(bench: Any) -> None:
    done = bench(write("chats.csv", SALESFORCE + '571,5v,""\n'), "--to", "out")
    assert done.code == 0, done.err
    assert "1 row left out: a conversation without messages (chats.csv:3)" in done.out


# ------------------------------------------------------------------------------------------------ which desk it is


def test_given_columns_switch_recognition_off(bench: Any) -> None:
    write("export.csv", FRESHDESK_ROWS)
    done = bench("export.csv", "--to", "out", "--id", "ticket_id", "--text", "body_text", "--speaker", "incoming")
    assert done.code == 0, done.err
    assert "--from" not in done.out
    done = bench("export.csv", "--to", "out2", "--from", "freshdesk", "--text", "body_text")
    assert (done.code, "--text and --from freshdesk exclude each other" in done.err) == (2, True)


def test_none_switches_recognition_off(bench: Any) -> None:
    table = FRESHDESK_ROWS.replace("body_text", "body")
    done = bench(write("export.csv", table), "--to", "out", "--from", "none")
    assert done.code == 0, done.err
    assert "Freshdesk" not in done.out


def test_unknown_desks_are_an_error_with_the_nearest(bench: Any) -> None:
    done = bench(write("export.csv", FRESHDESK_ROWS), "--to", "out", "--from", "zendsk")
    assert done.code == 2
    assert "unknown desk 'zendsk'" in done.err
    assert "Did you mean 'zendesk'" in done.err


def test_another_file_than_the_named_desks_is_an_error(bench: Any) -> None:
    done = bench(write("export.csv", FRESHDESK_ROWS), "--to", "out", "--from", "zendesk")
    assert done.code == 2
    assert "export.csv is not an export of Zendesk" in done.err
    assert "requester_id" in done.err


@pytest.mark.parametrize(
    "row",
    [
        {"id": 1, "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]},
        {"id": 1, "messages": [{"author": {"type": "user"}, "body": "Hi"}]},
        {"ticket_id": 1, "speaker": "customer", "text": "Hi", "created_at": 1},
        {"id": 1, "comments": [{"speaker": "agent", "text": "Hi", "public": True}]},
        {"tweet_id": 1, "author_id": 2, "inbound": True, "text": "Hi"},
        {"Transcript": "Customer: Hi\nAgent: Hello", "ContactId": 4},
        {"Body": "Customer: Hi\nAgent: Hello", "Id": 4},
        {"conversation_id": 1, "message_type": "message", "private": False, "content": "Hi", "sender": "Ann"},
    ],
)
def test_other_tables_belong_to_no_desk(row: dict[str, Any]) -> None:
    for spec in desk_specs():
        assert desk_named(spec).recognize([Row(number=1, values=row)]) == (), spec


def test_each_fixture_belongs_to_one_desk() -> None:
    for name, file, content, _, _ in DESKS:
        if file.endswith(".jsonl"):
            rows = [Row(number=1, values=content)]
            assert [spec for spec in desk_specs() if desk_named(spec).recognize(rows)] == [name]


def test_a_dry_run_names_the_desk(bench: Any) -> None:
    done = bench(write("export.jsonl", ZENDESK), "--to", "out", "--dry-run")
    assert done.code == 0, done.err
    assert "Zendesk" in done.out
    assert "Customer: My lamp flickers." in done.out


# ----------------------------------------------------------------------------------------------------- a plugin's


ACME = Desk(
    title="Acme",
    exports=(
        Export(
            what="cases",
            source="our own",
            signature=("acme_case", "said"),
            id="acme_case",
            messages="said",
            text="words",
            speaker="by",
            roles={"us": "agent", "them": "customer"},
        ),
    ),
)
CASE = {"acme_case": 5, "said": [{"by": "them", "words": "Hi"}, {"by": "us", "words": "Hello"}]}
NO_DESK = "not a desk"


def acme(target: str) -> Plugins:
    class Plugin:
        @hookimpl
        def bench_register(self, registry: Registry) -> None:
            registry.desk("acme", target=target, summary="our cases")

    plugins = Plugins()
    plugins.add(Plugin(), "acme", "acme 1.0")
    return plugins


@pytest.mark.parametrize("arguments", [[], ["--from", "acme"]])
def test_a_plugin_brings_a_desk(bench: Any, monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    monkeypatch.setattr(import_desk, "load_plugins", lambda: acme(f"{__name__}:ACME"))
    done = bench(write("cases.jsonl", CASE), "--to", "out", *arguments)
    assert done.code == 0, done.err
    assert turns(imported()[0]) == [("customer", "Hi"), ("agent", "Hello")]


@pytest.mark.parametrize("target", ["no.such.module:ACME", f"{__name__}:NO_DESK"])
def test_a_broken_desk_breaks_only_its_own_imports(bench: Any, monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    monkeypatch.setattr(import_desk, "load_plugins", lambda: acme(target))
    done = bench(write("chat.jsonl", {"id": 1, "messages": [{"role": "user", "content": "Hi"}]}), "--to", "out")
    assert done.code == 0, done.err
    assert bench("chat.jsonl", "--to", "out2", "--from", "acme").code == PrerequisiteError.exit_code


def test_the_plugins_are_listed(command_line: Any) -> None:
    told = json.loads(command_line("plugins", "--json").out)
    assert {"zendesk", "twcs"} <= {spec["name"] for spec in told["specs"] if spec["kind"] == "desk"}


# ------------------------------------------------------------------------------------------------- linked replies


HEAD = TWCS.splitlines()[0]


def tweets(*rows: str) -> str:
    return "\n".join((HEAD, *rows)) + "\n"


def test_replies_with_a_missing_parent_begin_a_conversation_and_are_told(bench: Any) -> None:
    table = tweets(
        "5,BoltCares,False,Tue Oct 31 10:00:00 +0000 2017,Sorry,6,999",
        "6,700002,True,Tue Oct 31 10:01:00 +0000 2017,ok,,5.0",
        "7,700003,True,Tue Oct 31 10:02:00 +0000 2017,hey,,",
    )
    done = bench(write("twcs.csv", table), "--to", "out")
    assert [found.id for found in imported()] == ["5", "7"]
    assert "replies to a message that is not in the file; each begins a conversation: 1 (5)" in done.out


def test_threads_with_several_companies_or_customers_are_told(bench: Any) -> None:
    table = tweets(
        "1,700001,True,Tue Oct 31 10:00:00 +0000 2017,help,2,",
        '2,BoltCares,False,Tue Oct 31 10:01:00 +0000 2017,hi,"3,4",1',
        "3,CrateCares,False,Tue Oct 31 10:02:00 +0000 2017,me as well,,2",
        "4,700009,True,Tue Oct 31 10:03:00 +0000 2017,me too,,2",
    )
    done = bench(write("twcs.csv", table), "--to", "out")
    [found] = imported()
    assert (found.id, found.metadata) == ("1", {"company": "BoltCares", "cluster": "700001"})
    assert "conversations with several customers; the first one counts: 1 (1)" in done.out
    assert "conversations with several companies; the first one counts: 1 (1)" in done.out


def test_real_tweets_are_linked(bench: Any, tweetsumm: Path) -> None:
    done = bench(str(tweetsumm / "original" / "twcs_sample.csv"), "--to", "out")
    assert "74 conversations with 308 turns, from 355 of 355 rows" in done.out
    first = imported()[0]
    assert (first.id, first.metadata) == ("8", {"cluster": "115712", "company": "sprintcare"})
    assert [role for role, _ in turns(first)] == [
        "customer",
        "agent",
        "customer",
        "agent",
        "customer",
        "agent",
        "customer",
    ]


@pytest.mark.parametrize("id_", ["9.25E+17", '"9,25E+17"'])
def test_rounded_ids_link_nobody(bench: Any, id_: str) -> None:
    table = tweets(
        f"{id_},BoltCares,False,Tue Oct 31 10:01:00 +0000 2017,hi,,{id_}",
        f"{id_},700001,True,Tue Oct 31 10:00:00 +0000 2017,help,{id_},",
        "7,700003,True,Tue Oct 31 10:02:00 +0000 2017,hey,nan,nan",
    )
    done = bench(write("twcs.csv", table), "--to", "out")
    assert [found.id for found in imported()] == ["7"]
    assert "2 rows left out: a message id that a spreadsheet has rounded" in done.out
    write("rounded.csv", "\n".join(table.splitlines()[:3]) + "\n")
    assert "a message id that a spreadsheet has rounded" in bench("rounded.csv", "--to", "out2").err
    assert "not in the file" not in done.out


def test_repeated_ids_are_told(bench: Any) -> None:
    row = "7,700003,True,Tue Oct 31 10:02:00 +0000 2017,hey,,"
    done = bench(write("twcs.csv", tweets(row, row)), "--to", "out")
    assert "messages with the id of an earlier one: 1 (7)" in done.out
    assert "1 row left out: the same message at the same time as an earlier row" in done.out


def linked(rows: list[tuple[str, str, str]]) -> dict[str, list[str]]:
    export = Export(
        what="posts",
        source="",
        signature=("post",),
        id="",
        speaker="by",
        text="post",
        replies=Replies(id="post", parent="to", children="answers"),
    )
    table = [
        Row(number=number, values={"post": post, "to": to, "answers": answers, "by": "customer"})
        for number, (post, to, answers) in enumerate(rows, start=1)
    ]
    found: dict[str, list[str]] = {}
    for row in message_rows(iter(table), (export,), Tally()):
        found.setdefault(row.values["conversation"], []).append(row.values["text"])
    return found


def test_links_are_followed_from_either_side_and_in_any_order() -> None:
    assert linked([("c", "b", ""), ("b", "a", ""), ("a", "", ""), ("z", "", "")]) == {"a": ["a", "b", "c"], "z": ["z"]}
    assert linked([("c", "", ""), ("a", "", "b, c"), ("b", "", "")]) == {"a": ["a", "c", "b"]}


def test_circles_of_replies_end() -> None:
    found = linked([("a", "b", ""), ("b", "a", ""), ("x", "x", "x")])
    assert sorted(text for texts in found.values() for text in texts) == ["a", "b", "x"]


def test_a_long_thread_is_one_conversation() -> None:
    rows = [(str(number), str(number + 1), "") for number in range(5000)]
    assert [len(texts) for texts in linked(rows).values()] == [5000]


# ---------------------------------------------------------------------------------------------------------- paths


@pytest.mark.parametrize(
    ("value", "path", "expected"),
    [
        ({"a": {"b": "x"}}, "a.b", "x"),
        ({"a.b": "x"}, "a.b", "x"),
        ({"a": [{"c": 1}, {"b": "x"}]}, "a.b", "x"),
        ({"a": '{"b": "x"}'}, "a.b", "x"),
        ({"Ticket ID": 7}, "ticket_id", "7"),
        ({"a": " ", "b": "x"}, "a|b", "x"),
        ({"a": False}, "a|b", "False"),
        ({"a": None}, "a", ""),
        ({"a": "[not json"}, "a.b", ""),
    ],
)
def test_paths(value: dict[str, Any], path: str, expected: str) -> None:
    assert text_at(value, path) == expected


def test_paths_exist_also_where_they_are_empty() -> None:
    assert exists({"a": {"b": None}}, "x|a.b")
    assert not exists({"a": {}}, "a.b")
    assert exists({"a": "Chat"}, "a=chat")
    assert find({"a": {"b": [1]}}, "a.b") == [1]


def desk_specs() -> Iterator[str]:
    return (spec.name for spec in load_plugins().specs if spec.kind == "desk")


def desk_named(name: str) -> Desk:
    plugins = load_plugins()
    desk: Desk = plugins.load(plugins.find("desk", name))
    return desk
