"""Which recipe a command takes where none is named: one whose conversations can be read without a network."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import liftbench
from liftbench.errors import UsageError
from liftbench.models import hub

from ..conftest import Outcome

Bench = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def nothing_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "cached_snapshot", lambda *_, **__: None)
    monkeypatch.setattr(hub, "download", lambda *_, **__: pytest.fail("the hub is asked"))
    for name in ("DATASET", "DATA_DIR"):
        monkeypatch.delenv(f"LIFTBENCH_{name}", raising=False)


@pytest.fixture
def bench(command_line: Bench, monkeypatch: pytest.MonkeyPatch, tiny_chat_model: Path) -> Bench:
    monkeypatch.setenv("LIFTBENCH_MODEL", str(tiny_chat_model))
    return command_line


def dataset_of(done: Outcome) -> str:
    assert done.code == 0, done.err
    return str(json.loads(done.out)["recipe"]["data.dataset"]["value"])


@pytest.mark.parametrize("command", [["baseline"], ["train", "--no-calibration"], ["demo"]])
def test_a_newcomer_gets_the_conversations_that_ship_with_the_package(command: list[str], bench: Bench) -> None:
    done = bench(*command, "--dry-run", "--json")
    assert dataset_of(done) == "helpdesk"
    if command != ["demo"]:
        [line] = done.err.strip().splitlines()
        assert line.startswith("no recipe is named: taking helpdesk")
        assert "--data-dir" in line


def test_a_recipe_that_is_named_is_taken_without_a_word(bench: Bench) -> None:
    done = bench("baseline", "helpdesk", "--dry-run", "--json")
    assert (dataset_of(done), done.err) == ("helpdesk", "")


def test_tweetsumm_is_taken_where_it_was_downloaded_before(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "snapshot"
    (folder / "dialogue_summarization").mkdir(parents=True)
    (folder / "dialogue_summarization" / "TweetSumm.zip").touch()
    monkeypatch.setattr(hub, "cached_snapshot", lambda *_, **__: folder)
    monkeypatch.setattr(hub, "download", lambda *_, **__: folder)
    done = bench("baseline", "--dry-run")
    assert "taking smollm2-135m, for TweetSumm is at hand" in done.err


@pytest.mark.parametrize("how", ["--data-dir", "LIFTBENCH_DATA_DIR", "--set"])
def test_a_folder_means_tweetsumm(how: str, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = {"--data-dir": ["--data-dir", "absent"], "--set": ["--set", "data.data_dir=absent"]}.get(how, [])
    if not arguments:
        monkeypatch.setenv(how, "absent")
    done = bench("train", "--plugin", "qlora", *arguments)
    assert done.code == 3
    assert "cannot read TweetSumm from absent" in done.err


def test_in_python_the_choice_is_said_too() -> None:
    said: list[str] = []
    with pytest.raises(UsageError, match="tset"):
        liftbench.baseline(split="tset", say=said.append)
    assert said[0].startswith("no recipe is named: taking helpdesk")
