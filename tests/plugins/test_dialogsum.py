"""DialogSum in its own format: the real development split, its test split's three references, and malformed lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from liftbench.errors import PrerequisiteError, UsageError
from liftbench.records.conversation import Conversation, Turn
from liftbench_plugins.datasets.dialogsum import DialogSum

GOOD: dict[str, Any] = {
    "fname": "train_0",
    "dialogue": "#Person1#: Hello.\n#Person2#: Hi, Tom.",
    "summary": "#Person2# greets Tom.",
    "topic": "greeting",
}


@pytest.fixture
def real(tweetsumm: Path) -> Path:
    folder = tweetsumm.parent / "dialogsum"
    if not folder.is_dir():
        pytest.skip("the DialogSum files are not beside this checkout (../shared/data/dialogsum)")
    return folder


def write(path: Path, *rows: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), "utf-8")
    return path


def changed(**changes: Any) -> dict[str, Any]:
    return {name: value for name, value in {**GOOD, **changes}.items() if value is not None}


def test_the_real_development_split(real: Path) -> None:
    data = DialogSum(str(real.parent))
    assert data.splits() == ["validation"]
    conversations = data.read("validation")
    assert len(conversations) == 500
    assert {turn.role for c in conversations for turn in c.turns} == {"person1", "person2", "person3", "person4"}
    assert sum(len(c.turns) for c in conversations) == 4690
    assert conversations[1] == Conversation(
        id="dev_1",
        turns=(
            Turn(role="person1", text="Hey Jimmy. Let's go workout later today."),
            Turn(role="person2", text="Sure. What time do you want to go?"),
            Turn(role="person1", text="How about at 3:30?"),
            Turn(role="person2", text="That sounds good. Today we work on Legs and forearm."),
            Turn(
                role="person1",
                text="Hey. I just played basketball earlier, so my legs are a little sore. Let's work out on arms and "
                "stomach today.",
            ),
            Turn(role="person2", text="I'm on a weekly schedule. You're messing everything up."),
            Turn(role="person1", text="C'mon. We're only switching two days. You can do legs on Friday."),
            Turn(role="person2", text="Aright. I'll meet you at the gym at 3:30 then."),
        ),
        references=("#Person1# invites Jimmy to go workout and persuades him into working out on arms and stomach.",),
        metadata={"topic": "do exercise"},
    )


def test_three_references_and_the_first_of_three_topics(tmp_path: Path) -> None:
    row = changed(fname="test_0", summary=None, topic=None)
    row |= {f"summary{n}": f"Summary {n}." for n in (1, 2, 3)} | {f"topic{n}": f"topic {n}" for n in (1, 2, 3)}
    write(tmp_path / "dialogsum.test.jsonl", row)
    [conversation] = DialogSum(str(tmp_path)).read("test")
    assert conversation.references == ("Summary 1.", "Summary 2.", "Summary 3.")
    assert conversation.metadata == {"topic": "topic 1"}


def test_splits_have_the_suites_names_and_order(tmp_path: Path) -> None:
    for name in ("test", "dev", "train", "hidden"):
        write(tmp_path / "dialogsum" / f"dialogsum.{name}.jsonl", GOOD)
    write(tmp_path / "dialogsum" / "other.jsonl", {})
    data = DialogSum(str(tmp_path))
    assert data.splits() == ["train", "validation", "test", "hidden"]
    with pytest.raises(UsageError, match="Did you mean 'validation'"):
        data.read("validaton")


@pytest.mark.parametrize(
    ("dialogue", "turns"),
    [
        ("#Person1#: A: b\r\n\r\n#Person 2#:c", [("person1", "A: b"), ("person2", "c")]),
        ("#Person1#: A\nstill A\n#Person2#: #Person1#'s", [("person1", "A still A"), ("person2", "#Person1#'s")]),
        ("#Person1#:\n#Person2#: b", [("person2", "b")]),
        ("#Man#: a", [("man", "a")]),
    ],
)
def test_turns(dialogue: str, turns: list[tuple[str, str]], tmp_path: Path) -> None:
    write(tmp_path / "dialogsum.train.jsonl", changed(dialogue=dialogue))
    [conversation] = DialogSum(str(tmp_path)).read("train")
    assert [(turn.role, turn.text) for turn in conversation.turns] == turns


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("{not json", "malformed"),
        ("[]", "Expected `object`"),
        (changed(fname=None), "fname"),
        (changed(dialogue=3), "dialogue"),
        (changed(dialogue="Hello there."), "does not begin with a speaker (#Person1#: …): 'Hello there.'"),
        (changed(dialogue=""), "the dialogue is empty"),
        (changed(dialogue="#Person1#: "), "the dialogue is empty"),
        (changed(summary=" "), "the row has no summary"),
        (changed(summary=None), "the row has no summary"),
        (changed(fname="first"), "fname 'first' occurs twice"),
    ],
)
def test_a_malformed_line_is_an_error_with_file_line_and_reason(row: Any, reason: str, tmp_path: Path) -> None:
    path = write(tmp_path / "dialogsum.train.jsonl", changed(fname="first"), "", row)
    with pytest.raises(UsageError) as caught:
        DialogSum(str(tmp_path)).read("train")
    assert f"{path}, line 3: " in str(caught.value)
    assert reason in str(caught.value)


def test_an_empty_file_is_an_error(tmp_path: Path) -> None:
    write(tmp_path / "dialogsum.train.jsonl")
    with pytest.raises(UsageError, match="no conversation"):
        DialogSum(str(tmp_path)).read("train")


@pytest.mark.parametrize("folder", [None, "absent", "empty"])
def test_without_its_files_it_says_where_to_put_them(folder: str | None, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(PrerequisiteError, match="--data-dir"):
        DialogSum(str(tmp_path / folder) if folder else None).splits()


def test_a_dry_run_shows_a_prompt(tmp_path: Path, tiny_chat_model: Path, command_line: Any) -> None:
    write(tmp_path / "dialogsum.dev.jsonl", GOOD)
    arguments = ["baseline", "--dataset", "dialogsum", "--data-dir", str(tmp_path), "--model", str(tiny_chat_model)]
    done = command_line(*arguments, "--dry-run", "--json")
    assert done.code == 0, done.err
    shown = json.loads(done.out)
    assert shown["counts"] == {"split": 1, "scored": 1, "references": 1}
    text = next(value for name, value in shown["prompt"].items() if name.startswith("prompt of"))
    assert "Person1: Hello.\nPerson2: Hi, Tom." in text
