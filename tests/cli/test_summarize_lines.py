"""`bench summarize` of many conversations: lines in, lines out, in order, a batch at a time."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from liftbench.data.jsonl import each_in_lines
from liftbench.errors import UsageError
from liftbench.extension.loader import load_plugins
from liftbench.files import write_lines
from liftbench.plugin_api import Conversation, Turn
from liftbench.workflow.setup import Setup, resolve_recipe
from liftbench.workflow.summarize import summarize_each

from ..conftest import Outcome

Bench = Callable[..., Outcome]
SMALL = ["--set", "generation.max_new_tokens=4", "--set", "model.precision=float32", "--set", "generation.batch_size=5"]


def rows(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


@pytest.fixture
def bench(tiny_command_line: Bench) -> Bench:
    return lambda *arguments: tiny_command_line("summarize", *arguments, *SMALL)


def test_a_file_of_lines_becomes_lines_in_the_same_order(
    bench: Bench, conversations: list[Conversation], tmp_path: Path
) -> None:
    write_lines(tmp_path / "chats.jsonl", conversations)
    done = bench("chats.jsonl")
    assert done.code == 0, done.err
    made = rows(done.out)
    assert [one["id"] for one in made] == [one.id for one in conversations]
    assert set(made[0]) == {"id", "text", "finish_reason", "turns_dropped"}
    written = bench("chats.jsonl", "--to", "summaries.jsonl")
    assert (written.code, written.out) == (0, "")
    assert rows((tmp_path / "summaries.jsonl").read_text()) == made
    refused = bench("chats.jsonl", "--to", "chats.jsonl")
    assert (refused.code, "the file that is read" in refused.err) == (2, True)
    assert len((tmp_path / "chats.jsonl").read_text().splitlines()) == len(conversations)


def test_a_bad_line_is_named_after_the_summaries_of_those_before_it(
    bench: Bench, conversations: list[Conversation], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [msgspec.json.encode(one) for one in conversations[:7]]
    data = b"\n".join([*lines[:6], b"", b'{"id": "x", "turns": []}', lines[6]]) + b"\n"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
    done = bench("--jsonl")
    assert done.code == 2
    assert [one["id"] for one in rows(done.out)] == [one.id for one in conversations[:6]]
    assert "standard input, line 8: the conversation has no turns" in done.err


@pytest.mark.parametrize("data", [b"", b"\n\n"])
def test_nothing_to_summarize_is_said(data: bytes, bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "none.jsonl").write_bytes(data)
    done = bench("none.jsonl")
    assert (done.code, "none.jsonl has no conversations" in done.err) == (2, True)


def test_one_conversation_is_still_a_text(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "talk.txt").write_text("Customer: My order is wrong.\nAgent: Sorry.\n")
    done = bench("talk.txt")
    assert done.code == 0, done.err
    with pytest.raises(json.JSONDecodeError):
        json.loads(done.out)
    refused = bench("talk.txt", "--to", "x")
    assert (refused.code, "--to" in refused.err) == (2, True)


def test_a_stream_is_read_no_further_than_a_batch(tiny_chat_model: Path) -> None:
    asked: list[int] = []

    def endless() -> Iterator[Conversation]:
        number = 0
        while True:
            asked.append(number)
            yield Conversation(id=f"c{number}", turns=(Turn(role="customer", text="My seat is wet."),))
            number += 1

    settings = [value for value in SMALL if value != "--set"]
    setup = Setup(
        resolved=resolve_recipe("helpdesk", {"model": str(tiny_chat_model)}, settings=settings), plugins=load_plugins()
    )
    stream = summarize_each(endless(), 0, None, setup)
    assert [one.id for one in next(stream)] == [f"c{number}" for number in range(5)]
    assert len(asked) == 5
    assert [one.id for one in next(stream)] == [f"c{number}" for number in range(5, 10)]
    stream.close()  # type: ignore[attr-defined]


def test_a_bad_first_line_needs_no_model() -> None:
    setup = Setup(resolved=resolve_recipe("helpdesk", {"model": "absent"}), plugins=load_plugins())
    with pytest.raises(UsageError, match="the talk, line 1: "):
        next(summarize_each(each_in_lines([b"{"], "the talk"), 0, None, setup))
