"""`bench data import` as a stranger meets it: a help desk's export, whatever its columns, becomes a data set."""

from __future__ import annotations

import hashlib
import io
import json
import sys
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from liftbench.cli import data_import
from liftbench.data.cards import read_card
from liftbench.data.jsonl import each_in_jsonl
from liftbench.errors import UsageError
from liftbench.files import write_lines

# As a German help desk exports it: semicolons, Windows' encoding, agents and customers by name, tickets interleaved.
HELP_DESK = """\
Ticket ID;Customer ID;Sender;Sent at;Message;Queue;Summary
4711;K-7;Jörg Müller;03.11.2025 09:12;"Guten Tag,
mein Paket ist nicht da &amp; ich warte seit Tagen!";Versand;
4712;K-8;j.smith@mail.example;03.11.2025 09:13;"Where is my refund? ""Soon"" was 2 weeks ago &lt;3";Billing;
4711;K-7;Anna Weiß;03.11.2025 09:20;Hallo Herr Müller, wie ist die Nummer?;Versand;
4712;K-8;Tom Ray;03.11.2025 09:30;Sent it today, see https://pay.example/r/1;Billing;Customer wants a refund. Sent.
;;;;;;
4712;K-8;j.smith@mail.example;04.11.2025 08:00;ok thx;Billing;
4711;K-7;Jörg Müller;03.11.2025 09:25;12345 – danke;Versand;
4711;K-7;Jörg Müller;03.11.2025 09:25;12345 – danke;Versand;
4711;K-7;Anna Weiß;03.11.2025 09:31;Kommt morgen; versprochen;Versand;
4711;K-7;Anna Weiß;03.11.2025 09:22;Oder die Bestellung?;Versand;
4711;K-7;System;03.11.2025 09:40;Ticket closed;Versand;
4713;K-7;Jörg Müller;05.11.2025 10:00;;Versand;
"""
AGENTS = ["--role", "Anna Weiß=agent", "--role", "Tom Ray=agent", "--others", "customer"]
CHAT = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]


class Typed(io.StringIO):
    """What a person types."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def bench(command_line: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs `bench data import …`; `typed` is what a person at a terminal types."""

    def run(*arguments: str, typed: str | None = None) -> Any:
        monkeypatch.setattr(sys, "stdin", io.StringIO() if typed is None else Typed(typed))
        return command_line("data", "import", *arguments)

    return run


@pytest.fixture
def tickets(tmp_path: Path) -> str:
    (tmp_path / "tickets.csv").write_bytes(HELP_DESK.encode("cp1252"))
    return "tickets.csv"


def test_a_messy_export_becomes_a_data_set(bench: Any, tickets: str) -> None:
    done = bench(tickets, "--to", "out", *AGENTS)
    assert done.code == 0, done.err
    first, second = each_in_jsonl(Path("out/conversations.jsonl"), references_needed=False)
    assert [(turn.role, turn.text) for turn in first.turns] == [
        ("customer", "Guten Tag, mein Paket ist nicht da & ich warte seit Tagen!"),
        ("agent", "Hallo Herr Müller, wie ist die Nummer? Oder die Bestellung?"),
        ("customer", "12345 – danke"),
    ]
    assert [(turn.role, turn.text) for turn in second.turns] == [
        ("customer", 'Where is my refund? "Soon" was 2 weeks ago <3'),
        ("agent", "Sent it today, see <LINK>"),
        ("customer", "ok thx"),
    ]
    assert (first.id, first.metadata, first.references) == ("4711", {"cluster": "K-7"}, ())
    assert second.references == ("Customer wants a refund. Sent.",)
    assert done.out.splitlines() == [
        "2 conversations with 6 turns, from 7 of 12 rows",
        "1 with human summaries, 1 without",
        "1 row left out: empty (tickets.csv:7)",
        "1 row left out: more fields than the header names (tickets.csv:11)",
        "1 row left out: said by System (tickets.csv:13)",
        "1 row left out: no text (tickets.csv:14)",
        "1 row left out: the same message at the same time as an earlier row (tickets.csv:10)",
        "note: tickets.csv: not UTF-8; read as Windows-1252 (cp1252); where letters look wrong, name the encoding "
        "(--encoding)",
        "note: read as the customer (--others): 'Jörg Müller' (3), 'j.smith@mail.example' (2)",
        "out/conversations.jsonl and a data card are written",
    ]


def test_the_card_tells_files_columns_and_counts(bench: Any, tickets: str) -> None:
    bench(tickets, "--to", "out", "--keep", "Queue", *AGENTS)
    [entry] = read_card(Path("out"))
    assert entry.heading.startswith("Imported on 20")
    told = "\n".join(entry.lines)
    assert f"tickets.csv, sha256 {hashlib.sha256(Path(tickets).read_bytes()).hexdigest()}" in told
    assert "speaker = Sender (guessed)" in told
    assert "roles of 2 speakers (given)" in told
    assert "Anna" not in told
    assert "2 conversations with 6 turns, from 7 of 12 rows" in told
    assert "1 row left out: empty" in told
    assert "cleaned by clean-v" in told


def test_json_tells_the_same(bench: Any, tickets: str) -> None:
    told = json.loads(bench(tickets, "--to", "out", "--json", *AGENTS).out)
    assert told["folder"] == "out"
    assert told["columns"]["id"] == "Ticket ID"
    assert (told["origins"]["id"], told["origins"]["others"]) == ("guessed", "given")
    assert (told["report"]["rows"], told["report"]["rows_used"]) == (12, 7)
    assert sum(item["count"] for item in told["report"]["left_out"]) == 5


def test_a_dry_run_shows_columns_with_their_origin_and_the_first_conversation(bench: Any, tickets: str) -> None:
    done = bench(tickets, "--to", "out", "--dry-run", "--time", "Sent at", *AGENTS)
    assert done.code == 0, done.err
    shown = [line.strip("│ ").split(" ┃ " if "┃" in line else "│") for line in done.out.splitlines()]
    fields = {cells[0].strip(): tuple(cell.strip() for cell in cells[1:]) for cells in shown if len(cells) == 3}
    assert fields["time"] == ("Sent at", "given")
    assert fields["text"] == ("Message", "guessed")
    assert "id: 4711" in done.out
    assert "Customer: Guten Tag, mein Paket ist nicht da & ich warte" in done.out
    assert not Path("out").exists()
    told = json.loads(bench(tickets, "--to", "out", "--dry-run", "--json", *AGENTS).out)
    assert told["conversation"]["id"] == "4711"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["tickets.csv"], "'--to'"),
        (["--to", "out"], "FILE"),
        (["absent.csv", "--to", "out"], "cannot read absent.csv: No such file"),
        (["tickets.xlsx", "--to", "out"], "save a spreadsheet as CSV"),
        (["tickets.csv", "--to", "out"], "'Jörg Müller' (3), 'j.smith@mail.example' (2), 'Anna Weiß' (2)"),
        (["tickets.csv", "--to", "out", "--dry-run"], "--role 'Jörg Müller=agent'"),
        (["tickets.csv", "--to", "out", "--role", "Anna"], "write VALUE=customer or VALUE=agent"),
        (["tickets.csv", "--to", "out", "--role", "Anna=boss"], "write VALUE=customer or VALUE=agent"),
        (["tickets.csv", "--to", "out", "--others", "bots"], "'customer', 'agent'"),
        (["tickets.csv", "--to", "out", "--text", "Mesage"], "Did you mean 'Message'"),
        (["tickets.csv", "--to", "out", "--text", "Message", "--transcript", "Queue"], "exclude each other"),
        (["tickets.csv", "--to", "out", "--transcript", "Message"], "names no speaker (tickets.csv:2"),
        (["plain.csv", "--to", "out"], "the text (--text; --transcript or --messages"),
        (["plain.csv", "--to", "out"], "columns: a ('1', '3'), b ('2', 'a long value that goes on and on…')"),
        (["plain.csv", "--to", "out", "--text", "b"], "the speaker (--speaker) and the conversation's id (--id)"),
        (["tickets.csv", "plain.csv", "--to", "out", *AGENTS], "plain.csv has other columns than tickets.csv"),
        (["header.csv", "--to", "out"], "header.csv: there is no row below the header"),
        (["torn.jsonl", "--to", "out"], "torn.jsonl:1: not a JSON object"),
        (["tickets.csv", "--to", "full", *AGENTS], "Replace it with --force"),
        (["tickets.csv", "--to", "plain.csv", *AGENTS], "is a file"),
        (["full/conversations.jsonl", "--to", "full", "--force", *AGENTS], "overlaps its source"),
    ],
)
@pytest.mark.usefixtures("tickets")
def test_a_mistake_is_answered_in_a_few_lines_and_leaves_nothing(arguments: list[str], words: str, bench: Any) -> None:
    Path("plain.csv").write_text("a,b\n1,2\n3,a long value that goes on and on and on\n", "utf-8")
    Path("header.csv").write_text("id,speaker,text\n", "utf-8")
    Path("torn.jsonl").write_text('{"id":\n1\n', "utf-8")
    write_lines(Path("full/conversations.jsonl"), [{"id": "1", "messages": CHAT}])
    before = sorted(Path().rglob("*"))
    done = bench(*arguments)
    assert (done.code, done.out) == (2, "")
    assert words in done.err
    assert "Traceback" not in done.err
    errors = done.err[done.err.index("rror: ") :]
    assert len(errors.strip().splitlines()) <= 3
    assert sorted(Path().rglob("*")) == before


def test_a_failure_on_the_way_leaves_the_old_folder(bench: Any, tickets: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bench(tickets, "--to", "out", *AGENTS).code == 0
    old = Path("out/conversations.jsonl").read_bytes()

    def broken(found: Any, _tally: Any) -> Any:
        yield next(iter(found))
        raise UsageError("broken off")

    monkeypatch.setattr(data_import, "clean_conversations", broken)
    monkeypatch.setattr(data_import, "BATCH", 1)
    done = bench(tickets, "--to", "out", "--force", *AGENTS)
    assert done.code == 2
    assert Path("out/conversations.jsonl").read_bytes() == old
    assert sorted(path.name for path in Path().iterdir()) == ["out", "tickets.csv"]


def test_force_replaces_the_folder(bench: Any, tickets: str) -> None:
    write_lines(Path("out/train.jsonl"), [{"old": 1}])
    assert bench(tickets, "--to", "out", "--force", *AGENTS).code == 0
    assert sorted(path.name for path in Path("out").iterdir()) == ["card.md", "conversations.jsonl"]


def test_what_cannot_be_guessed_is_asked_for_on_a_terminal(bench: Any) -> None:
    Path("x.csv").write_text("Vorgang,Wer,Was\n1,user,Hi\n1,agent,Yo\n", "utf-8")
    done = bench("x.csv", "--to", "out", "--json", typed="Was\nWhere\nWer\nVorgang\n")
    assert done.code == 0, done.err
    assert "Was ('Hi', 'Yo')" in done.err
    assert "'Where' is not one of" in done.err
    told = json.loads(done.out[done.out.index("{") :])
    assert told["columns"] == {"id": "Vorgang", "speaker": "Wer", "text": "Was"}
    assert set(told["origins"].values()) == {"asked"}


def test_a_whole_conversation_that_is_asked_for_is_seen_to_be_one(bench: Any) -> None:
    Path("x.csv").write_text('Nr,Verlauf\n1,"Customer: Hi\nAgent: Yo"\n', "utf-8")
    done = bench("x.csv", "--to", "out", "--json", typed="Verlauf\n")
    assert done.code == 0, done.err
    assert json.loads(done.out[done.out.index("{") :])["columns"] == {"transcript": "Verlauf"}


def test_an_end_of_input_stops_and_leaves_nothing(bench: Any) -> None:
    Path("x.csv").write_text("Vorgang,Wer,Was\n1,user,Hi\n", "utf-8")
    assert bench("x.csv", "--to", "out", typed="Was\n").code == 130
    assert not Path("out").exists()


@pytest.mark.parametrize("name", ["chat.jsonl", "chat.parquet"])
def test_chat_messages(name: str, bench: Any) -> None:
    rows = [
        {"messages": [{"role": "system", "content": "Be kind."}, *CHAT], "summary": "Both say hi.", "model": "m"},
        {"messages": CHAT, "summary": None, "model": "n"},
    ]
    if name.endswith("jsonl"):
        write_lines(Path(name), rows)
    else:
        parquet.write_table(pyarrow.Table.from_pylist(rows), name)
    done = bench(name, "--to", "out")
    assert done.code == 0, done.err
    first, second = each_in_jsonl(Path("out/conversations.jsonl"), references_needed=False)
    assert [(turn.role, turn.text) for turn in first.turns] == [("customer", "Hi"), ("agent", "Hello")]
    assert (first.id, first.references, first.metadata) == ("row-1", ("Both say hi.",), {"model": "m"})
    assert (second.id, second.references) == ("row-2", ())
    assert "1 message left out: said by system (row-1)" in done.out


DESK = """\
Ticket;Incoming;Private;Body
5;true;false;The tap drips.
5;false;true;He is never at home.
5;false;false;A plumber comes on Monday.
"""


def test_internal_notes_are_left_out_counted_and_kept_on_request(bench: Any) -> None:
    Path("desk.csv").write_text(DESK, "utf-8")
    done = bench("desk.csv", "--to", "out")
    assert done.code == 0, done.err
    assert "internal = Private (guessed)" in done.err
    assert "1 row left out: internal notes (Private = true) (desk.csv:3)" in done.out
    assert "note: internal notes and events were left out; --keep-internal keeps them" in done.out
    assert "internal notes (Private = true)" in "".join(read_card(Path("out"))[0].lines)
    [conversation] = each_in_jsonl(Path("out/conversations.jsonl"), references_needed=False)
    assert [turn.text for turn in conversation.turns] == ["The tap drips.", "A plumber comes on Monday."]
    assert bench("desk.csv", "--to", "all", "--keep-internal").code == 0
    [conversation] = each_in_jsonl(Path("all/conversations.jsonl"), references_needed=False)
    assert conversation.turns[1].text == "He is never at home. A plumber comes on Monday."


def test_where_only_internal_notes_are_left_the_import_says_so(bench: Any) -> None:
    Path("desk.csv").write_text(DESK.replace("false;false", "false;true").replace("true;false", "true;true"), "utf-8")
    for more in ([], ["--dry-run"]):
        done = bench("desk.csv", "--to", "out", *more)
        assert done.code == 2
        assert "every message is marked as internal: 3 internal notes (Private = true)" in done.err
        assert "--keep-internal" in done.err
    assert not Path("out").exists()


def test_keys_and_marks_of_messages_are_options(bench: Any) -> None:
    messages = [
        {"by": {"side": "client"}, "says": "The tap drips.", "for": "all"},
        {"by": {"side": "rep"}, "says": "Never at home.", "for": "us"},
        {"by": {"side": "rep"}, "says": "A plumber comes.", "for": "all"},
    ]
    write_lines(Path("desk.jsonl"), [{"id": "5", "log": messages}])
    keys = ["--message-speaker", "by.side", "--message-text", "says"]
    done = bench("desk.jsonl", "--to", "out", *keys, "--internal", "for=us")
    assert done.code == 0, done.err
    assert "message_speaker = by.side (given)" in done.err
    assert "1 message left out: internal notes (for = us) (5)" in done.out
    wrong = bench("desk.jsonl", "--to", "no", *keys, "--internal", "fro=us")
    assert (wrong.code, "unknown mark of internal notes 'fro'" in wrong.err) == (2, True)


def test_a_file_that_wraps_its_records_is_read_and_says_so(bench: Any) -> None:
    messages = [{"author_id": 7, "body": "The tap drips."}, {"author_id": 3, "body": "A plumber comes."}]
    tickets = [{"id": number, "requester_id": 7, "comments": messages} for number in (1, 2)]
    Path("desk.json").write_text(json.dumps({"tickets": tickets, "next_page": None}, indent=2), "utf-8")
    for more in ([], ["--dry-run"]):
        done = bench("desk.json", "--to", "out", *more)
        assert done.code == 0, done.err
    done = bench("desk.json", "--to", "out", "--force")
    assert "2 conversations with 4 turns, from 2 of 2 rows" in done.out
    assert "note: desk.json: the records are read from tickets" in done.out


def test_a_conversation_may_lie_in_several_files(bench: Any) -> None:
    for number in (2, 1):
        Path(f"{number}.csv").write_text(f"case,role,text,at\n7,user,part {number},{number}\n", "utf-8")
    done = bench("2.csv", "1.csv", "--to", "out", "--id", "case", "--time", "at")
    assert done.code == 0, done.err
    [conversation] = each_in_jsonl(Path("out/conversations.jsonl"), references_needed=False)
    assert conversation.turns[0].text == "part 1 part 2"


def test_real_tweets_want_a_conversation_id(bench: Any, tweetsumm: Path) -> None:
    done = bench(str(tweetsumm / "original" / "twcs_sample.csv"), "--to", "out", "--from", "none")
    assert done.code == 2
    assert "the conversation's id (--id)" in done.err
    assert "in_response_to_tweet_id ('3.0'" in done.err


def test_what_is_imported_is_read_as_a_data_set(bench: Any, tickets: str) -> None:
    assert bench(tickets, "--to", "out", *AGENTS).code == 0
    write_lines(Path("again.jsonl"), each_in_jsonl(Path("out/conversations.jsonl"), references_needed=False))
    done = bench("again.jsonl", "--to", "twice", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["columns"] == {"id": "id", "messages": "turns", "references": ["references"]}
    first, again = (
        list(each_in_jsonl(Path(folder) / "conversations.jsonl", references_needed=False))
        for folder in ("out", "twice")
    )
    assert [(c.id, c.turns, c.references) for c in again] == [(c.id, c.turns, c.references) for c in first]


# ------------------------------------------------------------------------------------------- what exports do to files


def test_what_an_export_does_to_its_rows_is_told_by_file_and_line(bench: Any) -> None:
    Path("x.csv").write_text(
        "ticket,sender,message,time\n"
        '1,customer,"my fridge is warm,2025-05-02 14:01\n'
        "1,agent,how big?,2025-05-02 14:02\n"
        'ticket,sender,message,time\n1,customer,"the 15"" one, I think",2025-05-02 14:03\n'
        "9.25E+17,customer,hello,2025-05-02 14:03\n",
        "utf-8",
    )
    done = bench("x.csv", "--to", "out")
    assert done.code == 0, done.err
    [conversation] = each_in_jsonl(Path("out/conversations.jsonl"), references_needed=False)
    assert [turn.text for turn in conversation.turns] == ['"my fridge is warm', "how big?", 'the 15" one, I think']
    assert "1 row left out: the header again (x.csv:4)" in done.out
    assert "1 row left out: an id that a spreadsheet has rounded" in done.out
    assert "read as part of the text; else they would have swallowed rows: 1 (line 2 with 2 rows)" in done.out


def test_an_encoding_is_given_for_all_files(bench: Any) -> None:
    for name in ("a.csv", "b.csv"):
        Path(name).write_bytes(f"case,role,text\n{name},user,Dzień dobry\n{name},agent,ok\n".encode("iso8859-2"))
    done = bench("a.csv", "b.csv", "--to", "out", "--encoding", "latin2")
    assert done.code == 0, done.err
    found = list(each_in_jsonl(Path("out/conversations.jsonl"), references_needed=False))
    assert [conversation.turns[0].text for conversation in found] == ["Dzień dobry"] * 2
    assert "encoding" not in done.out
    wrong = bench("a.csv", "--to", "other", "--encoding", "utf-8")
    assert (wrong.code, Path("other").exists()) == (2, False)
    assert "a.csv is not utf-8: line 2" in wrong.err


def test_equal_ids_in_two_files_are_joined_only_where_told(bench: Any) -> None:
    for month in ("01", "02"):
        Path(f"{month}.csv").write_text(
            f"case,role,text,date\n1,user,Hi {month},2025-{month}-05 10:00\n1,agent,Yo,2025-{month}-05 10:05\n", "utf-8"
        )
    apart = bench("01.csv", "02.csv", "--to", "apart")
    assert "kept apart as FILE:ID; --join-files joins them, if they are one conversation: 1 (1)" in apart.out
    found = each_in_jsonl(Path("apart/conversations.jsonl"), references_needed=False)
    assert [conversation.id for conversation in found] == ["01:1", "02:1"]
    assert bench("01.csv", "02.csv", "--to", "joined", "--join-files").code == 0
    [conversation] = each_in_jsonl(Path("joined/conversations.jsonl"), references_needed=False)
    assert [turn.text for turn in conversation.turns] == ["Hi 01", "Yo", "Hi 02", "Yo"]
