"""`bench init`: a recipe for one's own conversations, which `bench check` accepts."""

from __future__ import annotations

import csv
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from liftbench.data.helpdesk import Helpdesk
from liftbench.files import write_lines
from liftbench.recipe.resolve import read_recipe, resolve
from liftbench.workflow.new_recipe import compose, survey

from ..support.build import write_conversations


@pytest.fixture
def bench(command_line: Any, monkeypatch: pytest.MonkeyPatch, tiny_chat_model: Path) -> Any:
    """Runs `bench …` with the tiny model."""
    monkeypatch.setenv("LIFTBENCH_MODEL", str(tiny_chat_model))
    return command_line


def test_a_folder_becomes_a_recipe_that_check_accepts(bench: Any) -> None:
    helpdesk = Helpdesk(None)
    write_lines(Path("desk-split/validation.jsonl"), helpdesk.read("test")[:40])
    write_lines(Path("desk-split/train.jsonl"), helpdesk.read("train")[:40])
    done = bench("init", "desk-split")
    assert (done.code, done.out) == (0, "desk.toml\n"), done.err
    assert "next: bench check desk.toml" in done.err
    text = Path("desk.toml").read_text()
    recipe = resolve("desk.toml", [read_recipe("desk.toml")]).recipe
    assert (recipe.data.dataset, recipe.data.split, recipe.data.train_split) == ("desk-split", "validation", "train")
    assert "channel" in recipe.guards.slices
    assert "company" not in recipe.guards.slices  # as many as conversations
    assert "# 40 conversations are scored" in text
    assert all("#" in line for line in text.splitlines() if line.startswith(("target", "max_", "limit", "split")))
    checked = bench("check", "desk.toml", "--json")
    assert checked.code == 0, checked.out
    before = text
    again = bench("init", "desk-split")
    assert (again.code, "desk.toml is there already" in again.err) == (2, True)
    assert Path("desk.toml").read_text() == before


def test_an_export_is_imported_split_and_becomes_a_recipe(bench: Any) -> None:
    with Path("chats.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "transcript", "summary", "channel"])
        for one in Helpdesk(None).read("train")[:30]:
            turns = "\n".join(f"{turn.role.title()}: {turn.text}" for turn in one.turns)
            rows.writerow([one.id, turns, one.references[0], one.metadata["channel"]])
    done = bench("init", "chats.csv", "--out", "recipes/mine.toml")
    assert done.code == 0, done.err
    assert done.err.count("next: ") == 1  # of what it does in between, it says no next step
    assert sorted(path.name for path in Path("chats-split").glob("*.jsonl")) == ["train.jsonl", "validation.jsonl"]
    # Of so few conversations, three tenths are scored.
    assert len(Path("chats-split/validation.jsonl").read_text().splitlines()) == 9
    assert bench("check", "recipes/mine.toml").code == 0
    Path("recipes/mine.toml").unlink()
    again = bench("init", "chats.csv")
    assert (again.code, "Run: bench init chats" in again.err) == (2, True)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("absent", "there is no folder and no file absent"),
        ("odd", "no split to score, such as validation or test (it has other)\nRun: bench data split odd,"),
        (".", ". has no .jsonl file"),
    ],
)
def test_what_cannot_be_used_is_said(source: str, words: str, bench: Any) -> None:
    write_lines(Path("odd/other.jsonl"), write_conversations(2))
    done = bench("init", source)
    assert (done.code, words in done.err) == (2, True), done.err
    assert not list(Path().glob("*.toml"))


def test_an_export_without_summaries_is_told_how_to_name_their_column(bench: Any) -> None:
    Path("my chats.csv").write_text("id,transcript\n" + '1,"Customer: hello\nAgent: hi"\n' * 2)
    done = bench("init", "my chats.csv")
    assert done.code == 2
    assert "no conversation in my chats has a human summary" in done.err
    assert "bench data import FILE --to 'my chats' --reference COLUMN --force; then: bench init 'my chats'" in done.err
    assert not Path("my chats-split").exists()


def test_names_with_quotes_and_many_conversations_make_a_recipe_too(tmp_path: Path) -> None:
    folder = tmp_path / 'a "b" \\ c'
    write_lines(folder / "test.jsonl", write_conversations(201))
    found = survey(folder)
    text = compose(found)
    values = tomllib.loads(text)
    assert values["data"]["dataset"] == folder.as_posix()
    assert (values["data"]["split"], values["data"]["limit"]) == ("test", 200)
    assert "train_split" not in values["data"]
    assert json.dumps(values["guards"]["slices"]).startswith('["turns", "length", "references"')
