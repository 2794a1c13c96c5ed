"""`bench check`: what is right and wrong with a recipe, without running it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

GOOD = """
[data]
dataset = "support"
split = "validation"
[metrics]
names = ["rougeL", "words"]
headlines = ["rougeL"]
[guards]
slices = ["company"]
[train.options]
rank = 4
[gates]
baseline = "plain"
rules = ["lift(rougeL) >= 40% verified except same-base", "empty <= 2%"]
"""


@pytest.fixture
def check(tiny_command_line: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Checks a recipe of this text; gives the exit code and part → findings."""
    monkeypatch.delenv("LIFTBENCH_DATASET")

    def run(text: str, *arguments: str) -> tuple[int, dict[str, list[dict[str, str]]]]:
        Path("mine.toml").write_text(text)
        done = tiny_command_line("check", "mine.toml", "--json", *arguments)
        found: dict[str, list[dict[str, str]]] = {}
        for finding in json.loads(done.out)["findings"]:
            found.setdefault(finding["part"], []).append(finding)
        assert not Path("reports").exists()
        return done.code, found

    return run


def test_a_good_recipe_is_right_in_every_part(check: Any, tiny_chat_model: Path) -> None:
    code, found = check(GOOD)
    assert code == 0
    assert not [one for some in found.values() for one in some if one["state"] == "wrong"]
    assert str(tiny_chat_model) in found["model"][0]["what"]
    assert "4 conversations in validation" in found["data"][0]["what"]
    assert "8 in train" in found["data"][0]["what"]
    assert "too few for a verdict, which needs 30" in found["data"][1]["what"]
    assert found["guards"][0]["what"] == "slices by company"
    assert found["gates"][0]["what"] == "2 of 2 rules can be read"
    assert "`bench promote RUN plain`" in found["gates"][1]["fix"]


def test_every_wrong_key_value_and_rule_is_named_at_once(check: Any) -> None:
    text = "[data]\nlimt = 3\nlimit = 0\n[modl]\nreference = 'x'\n[gates]\nrules = ['lift(rougeL) => 1']\n"
    code, found = check(text)
    assert code == 2
    said = [f"{one['what']} {one['fix']}" for one in found["recipe"] if one["state"] == "wrong"]
    assert len(said) == 4
    places = ["mine.toml: unknown key 'data.limt'", "mine.toml, data.limit: ", "'modl.reference'", "gates.rules, 1: "]
    assert all(place in words for place, words in zip(places, said, strict=True)), said
    assert "Did you mean 'data.limit'" in said[0]


@pytest.mark.parametrize(
    ("old", "new", "part", "words"),
    [
        ('"support"', '"suport"', "data", "mine.toml, data.dataset: unknown dataset 'suport'"),
        ('"validation"', '"validaton"', "data", "mine.toml, data.split: unknown split 'validaton'"),
        ('"words"', '"wrds"', "metrics", "mine.toml, metrics.names: unknown metric plugin 'wrds'"),
        ('headlines = ["rougeL"]', 'headlines = ["rougel"]', "recipe", "unknown headline 'rougel'"),
        ('"company"', '"compny"', "guards", "mine.toml, guards.slices: unknown field to slice by 'compny'"),
        ("rank", "rnak", "train", "mine.toml, train.options.rnak: unknown option"),
        ("rank = 4", 'rank = "x"', "train", "mine.toml, train.options.rank: "),
        ("same-base", "same-bas", "gates", "unknown guard 'same-bas'"),
        ("lift(rougeL)", "lift(rougel)", "gates", "unknown metric 'rougel'"),
        ("[data]", '[prompt]\ntemplate = "Hello"\n[data]', "prompt", "exactly once"),
        ("[data]", '[model]\nbackend = "transformer"\n[data]', "model", "unknown backend plugin 'transformer'"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(old: str, new: str, part: str, words: str, check: Any) -> None:
    assert old in GOOD
    code, found = check(GOOD.replace(old, new, 1))
    assert code == 2
    [wrong] = [one for some in found.values() for one in some if one["state"] == "wrong"]
    assert (wrong["part"], words in wrong["what"]) == (part, True), wrong


def test_a_line_of_the_data_that_cannot_be_read_is_named(check: Any) -> None:
    with Path("support/validation.jsonl").open("a") as file:
        file.write("{\n")
    code, found = check(GOOD)
    assert code == 2
    [wrong] = [one for one in found["data"] if one["state"] == "wrong"]
    assert "validation.jsonl" in wrong["what"]
    assert "line 5" in wrong["what"]


def test_a_model_that_cannot_be_had_is_wrong(check: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIFTBENCH_MODEL")
    code, found = check(f'[model]\nreference = "smolm2"\n{GOOD}')
    assert (code, found["model"][0]["state"]) == (2, "wrong")
    assert "mine.toml, model.reference: unknown model 'smolm2'" in found["model"][0]["what"]


def test_a_recipe_that_is_not_there_and_the_lines_for_people(check: Any, tiny_command_line: Any) -> None:
    del check
    done = tiny_command_line("check", "absent.toml")
    assert done.code == 2
    assert "cannot read the recipe absent.toml" in done.out
    assert done.err == "1 thing in absent.toml would stop a run\n"
    Path("mine.toml").write_text(GOOD)
    done = tiny_command_line("check", "mine.toml")
    assert done.code == 0
    assert "next: bench baseline mine.toml" in done.err


@pytest.mark.parametrize(
    "text",
    ["[train.options]\nx = " + "[" * 3000 + "]" * 3000, f"[{'.'.join('a' * 900)}]\nb = 1"],
    ids=["list", "table"],
)
def test_values_that_are_nested_without_end_are_an_error(text: str, check: Any) -> None:
    code, found = check(text)
    assert code == 2
    assert "more than 12 levels" in found["recipe"][0]["what"]


def test_a_folder_is_no_recipe_but_can_get_one(command_line: Any) -> None:
    Path("my chats").mkdir()
    done = command_line("check", "my chats")
    assert done.code == 2
    assert "my chats is a folder, not a recipe" in done.out
    assert "bench init 'my chats'" in done.out


def test_without_a_recipe_the_one_that_a_baseline_takes_is_checked(
    command_line: Any, monkeypatch: pytest.MonkeyPatch, tiny_chat_model: Path
) -> None:
    monkeypatch.setenv("LIFTBENCH_MODEL", str(tiny_chat_model))
    monkeypatch.delenv("LIFTBENCH_DATASET", raising=False)
    monkeypatch.delenv("LIFTBENCH_DATA_DIR", raising=False)
    done = command_line("check")
    assert done.code == 0, done.out
    assert "no recipe is named: taking helpdesk" in done.err
    assert done.err.splitlines()[-1] == "next: bench baseline helpdesk --dry-run"
