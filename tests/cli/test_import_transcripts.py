"""`bench data import` of files that are a transcript: captions, chats, plain text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from liftbench.data.jsonl import each_in_jsonl

VTT = """\
WEBVTT

00:01.000 --> 00:04.000
<v Agent>How can I help?</v>

00:05.000 --> 00:08.000
<v Customer>It is off.</v>
"""
CHAT = """\
12/31/24, 10:15 PM - Ann Lee: It is off.
12/31/24, 10:16 PM - Bo: <Media omitted>
12/31/24, 10:17 PM - Bo: We come.
"""


def written() -> list[tuple[str, list[tuple[str, str]]]]:
    found = each_in_jsonl(Path("out/conversations.jsonl"), references_needed=False)
    return [(one.id, [(turn.role, turn.text) for turn in one.turns]) for one in found]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_each_file_is_a_conversation(command_line: Any, encoding: str) -> None:
    Path("call.vtt").write_text(VTT, encoding)
    Path("b.txt").write_text("Customer: It is off – again.\nAgent: We come.\n", encoding)
    done = command_line("data", "import", "call.vtt", "b.txt", "--to", "out")
    assert done.code == 0, done.err
    assert written() == [
        ("call", [("agent", "How can I help?"), ("customer", "It is off.")]),
        ("b", [("customer", "It is off – again."), ("agent", "We come.")]),
    ]


def test_people_in_a_chat_are_given_their_roles(command_line: Any) -> None:
    Path("chat.txt").write_text(CHAT, "utf-8")
    asked = command_line("data", "import", "chat.txt", "--to", "out")
    assert asked.code
    assert "'Ann Lee' (1), 'Bo' (1)" in asked.err
    assert "--role" in asked.err
    done = command_line("data", "import", "chat.txt", "--to", "out", "--role", "Bo=agent", "--others", "customer")
    assert done.code == 0, done.err
    assert written() == [("chat", [("customer", "It is off."), ("agent", "We come.")])]
    assert "only a picture, a file or a sound, left out: 1 (<Media omitted>)" in done.out


@pytest.mark.parametrize(
    ("name", "text", "error"),
    [
        (
            "call.vtt",
            "WEBVTT\n\n00:01.000 --> 00:04.000\nHow can I help?\n",
            "write `Agent: …` at the beginning of a cue",
        ),
        ("a.srt", "1\n00:00:01,000 --> 00:00:04,000\nHow can I help?\n", "write `Agent: …` at the beginning of a cue"),
        ("a.txt", "Dear diary,\nnothing today.\n", "Write turns as `Customer: …` and `Agent: …`"),
        ("a.txt", " \n", "the file is empty"),
    ],
)
def test_a_file_without_speakers_is_an_error_that_says_what_to_do(
    command_line: Any, name: str, text: str, error: str
) -> None:
    Path(name).write_text(text, "utf-8")
    done = command_line("data", "import", name, "--to", "out")
    assert done.code
    assert error in done.err
    assert not Path("out").exists()


def test_quoted_history_is_cut_unless_it_is_to_stay(command_line: Any) -> None:
    rows = ["ticket,role,text", '1,customer,"It is off.\n\nOn 3 Mar 2025 at 9:00, P <p@e.org> wrote:\n> Hello"']
    Path("mail.csv").write_text("\n".join(rows), "utf-8")
    done = command_line("data", "import", "mail.csv", "--to", "out")
    assert written()[0][1] == [("customer", "It is off.")]
    assert "messages with quoted history, which was cut (--keep-quotes keeps it): 1 (1)" in done.out
    done = command_line("data", "import", "mail.csv", "--to", "out", "--keep-quotes", "--force")
    assert written()[0][1][0][1].endswith("> Hello")
    assert "quoted history" not in done.out
