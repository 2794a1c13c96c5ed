from __future__ import annotations

import codecs
import json
from pathlib import Path
from typing import Any

import pytest

from liftbench.data.jsonl import JsonLinesFolder, parse_conversation, read_jsonl
from liftbench.errors import LiftbenchError, UsageError

GOOD: dict[str, Any] = {"id": "a", "turns": [{"role": "customer", "text": "Hello"}], "references": ["Greets."]}


def write(path: Path, *rows: Any) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), "utf-8")
    return path


def test_real_tweetsumm_files(tweetsumm: Path) -> None:
    validation = read_jsonl(tweetsumm / "validation.jsonl")
    train = read_jsonl(tweetsumm / "train.jsonl")
    assert (len(validation), len(train)) == (108, 867)
    assert {turn.role for c in validation for turn in c.turns} == {"customer", "agent"}
    assert sum(len(c.references) for c in validation) == 352


def test_metadata_and_unknown_fields_and_blank_lines(tmp_path: Path) -> None:
    path = write(
        tmp_path / "x.jsonl", {**GOOD, "metadata": {"company": "Ü", "n": 3}, "extra": [1]}, "", {**GOOD, "id": "b"}
    )
    first, second = read_jsonl(path)
    assert first.metadata == {"company": "Ü", "n": 3}
    assert second.id == "b"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("{not json", "malformed"),
        ("[1, 2]", "Expected `object`"),
        ({**GOOD, "turns": [{"role": "customer"}]}, "text"),
        ({**GOOD, "turns": []}, "no turns"),
        ({**GOOD, "turns": [{"role": "customer", "text": " "}]}, "turn 1 has no text"),
        ({**GOOD, "references": []}, "no references"),
        ({key: value for key, value in GOOD.items() if key != "references"}, "no references"),
        ({**GOOD, "references": ["fine", "\n"]}, "reference 2 has no text"),
        ({**GOOD, "references": "fine"}, "references"),
        ({**GOOD, "id": ""}, "id is empty"),
        ({**GOOD, "id": 7}, "str"),
        ({**GOOD, "id": "first"}, "seen on line 1"),
    ],
)
def test_a_malformed_line_is_an_error_with_file_line_and_reason(row: Any, reason: str, tmp_path: Path) -> None:
    path = write(tmp_path / "x.jsonl", {**GOOD, "id": "first"}, row)
    with pytest.raises(UsageError) as caught:
        read_jsonl(path)
    assert f"{path}, line 2: " in str(caught.value)
    assert reason in str(caught.value)


def test_bytes_that_are_not_utf8_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"id": "\xff"}\n')
    with pytest.raises(UsageError, match="line 1"):
        read_jsonl(path)


def test_half_a_character_is_an_error_with_its_line(tmp_path: Path) -> None:
    """JSON can write one half of a surrogate pair, which is no text and could not be written again."""
    path = tmp_path / "x.jsonl"
    for text in ("\\ud83d", "\\ude00", "\\ude00\\ud83d", "\\ud83dx"):
        row = json.dumps({**GOOD, "references": ["HALF"]}).replace("HALF", text)
        path.write_text(row + "\n")
        with pytest.raises(UsageError, match="line 1"):
            read_jsonl(path)


def test_an_empty_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no conversation"):
        read_jsonl(write(tmp_path / "x.jsonl"))


def test_a_folder_knows_its_splits(tmp_path: Path) -> None:
    write(tmp_path / "train.jsonl", GOOD)
    write(tmp_path / "test.jsonl", GOOD)
    folder = JsonLinesFolder(str(tmp_path))
    assert folder.splits() == ["test", "train"]
    assert folder.read("test")[0].id == "a"
    with pytest.raises(UsageError, match="Did you mean 'test'"):
        folder.read("tset")


@pytest.mark.parametrize(
    ("raw", "turns"),
    [
        ("Customer: Hi\nAgent: Hello", [("customer", "Hi"), ("agent", "Hello")]),
        (
            "Customer: Hi\n  not a turn, as: this\n\nAgent: Hello\n",
            [("customer", "Hi not a turn, as: this"), ("agent", "Hello")],
        ),
        ("Customer: Hi\nAgent: see\nhttp://x.y", [("customer", "Hi"), ("agent", "see http://x.y")]),
        ('{"id": "x", "turns": [{"role": "customer", "text": "Hi"}]}', [("customer", "Hi")]),
    ],
)
def test_a_conversation_from_text_or_json(raw: str, turns: list[tuple[str, str]]) -> None:
    conversation = parse_conversation(raw.encode(), "standard input")
    assert [(turn.role, turn.text) for turn in conversation.turns] == turns


@pytest.mark.parametrize("raw", [b"", b"hello there", b"\xff\xfe", b"{}", b'{"id": "a", "turns": []}', b"Customer:"])
def test_a_conversation_that_is_none(raw: bytes) -> None:
    with pytest.raises(LiftbenchError, match="standard input: "):
        parse_conversation(raw, "standard input")


def test_captions_are_a_conversation_in_text() -> None:
    captions = b"WEBVTT\n\n00:01.000 --> 00:04.000\n<v Agent>Hello</v>\n\n00:05.000 --> 00:08.000\n<v Customer>Hi</v>\n"
    assert [(turn.role, turn.text) for turn in parse_conversation(captions, "call.vtt").turns] == [
        ("agent", "Hello"),
        ("customer", "Hi"),
    ]


def test_a_file_of_windows_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    lines = [json.dumps({**GOOD, "id": id_}).encode() + b"\r\n" for id_ in "ab"]
    path.write_bytes(codecs.BOM_UTF8 + b"".join(lines))
    assert [one.id for one in read_jsonl(path)] == ["a", "b"]
