"""`bench baseline --tune` and prompts with shots, prefill and cuts, as a user meets them, with a tiny random model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from liftbench.files import write_lines
from liftbench.plugin_api import Conversation
from liftbench.runs.directory import runs_in

SMALL = [
    *("--set", "generation.max_new_tokens=4"),
    *("--set", "model.precision=float32"),
    *("--set", 'metrics.names=["rouge1", "rougeL"]'),
    *("--set", 'metrics.headlines=["rougeL"]'),
    *("--set", "tune.conversations=3"),
    *("--set", 'tune.templates=["{conversation}\\n\\nIn short:"]'),
    *("--set", "tune.shots=[0, 1]"),
]


@pytest.fixture
def bench(command_line: Any, monkeypatch: pytest.MonkeyPatch, tiny_chat_model: Path, data: Path) -> Any:
    """Runs a command with the tiny model, the data and small budgets."""
    monkeypatch.setenv("LIFTBENCH_MODEL", str(tiny_chat_model))
    monkeypatch.setenv("LIFTBENCH_DATASET", str(data))
    return lambda *arguments: command_line(*arguments, *SMALL)


@pytest.fixture
def data(tmp_path: Path, conversations: list[Conversation]) -> Path:
    folder = tmp_path / "support"
    folder.mkdir()
    write_lines(folder / "validation.jsonl", conversations[:4])
    write_lines(folder / "train.jsonl", conversations[4:])
    return folder


def test_the_best_prompt_is_found_measured_and_shown(bench: Any) -> None:
    done = bench("baseline", "--tune")
    assert done.code == 0, done.err
    [run] = runs_in(Path("reports/runs"))
    assert run.manifest.status == "complete"
    assert run.manifest.tuned
    assert run.tuning is not None
    assert len(run.trials) == run.tuning.trials == run.tuning.possible
    assert run.manifest.system.prompt == run.trials[run.tuning.chosen - 1].prompt
    assert "(best prompt)" in run.manifest.system.name
    # A prefill that the references begin with cannot be worse than a random model's words.
    assert run.manifest.system.prompt.prefill == "Customer complains about the"
    assert all(row.text.startswith("Customer complains about the") for row in run.predictions.values())
    for words in (
        "32 prompts on 3 conversations of train",
        "plain: template 1",
        "'\\n'",
        "rougeL",
        "note: the prompt was chosen",
    ):
        assert words in done.out

    again = bench("baseline", "--tune", "--json")
    assert "already measured" in again.err
    printed = json.loads(again.out)
    assert printed["tuning"]["chosen"] == run.tuning.chosen
    assert printed["trials"][0]["number"] == run.tuning.chosen
    assert len(printed["trials"]) == len(run.trials)
    assert printed["summary"]["n"] == 4


def test_the_plain_baseline_and_the_tuned_one_are_two_runs(bench: Any) -> None:
    assert bench("baseline").code == 0
    assert bench("baseline", "--tune", "--set", "tune.trials=1").code == 0
    assert [run.manifest.tuned for run in runs_in(Path("reports/runs"))] == [False, True]


def test_a_tuned_run_is_scored_and_summarizes_with_its_prompt(bench: Any, tmp_path: Path) -> None:
    assert bench("baseline", "--tune").code == 0
    [tuned] = runs_in(Path("reports/runs"))
    done = bench("score", tuned.id)
    assert done.code == 0, done.err
    [scored] = [run for run in runs_in(Path("reports/runs")) if run.manifest.command == "score"]
    assert scored.manifest.system == tuned.manifest.system
    assert scored.manifest.parent == tuned.id
    texts = [{id_: row.text for id_, row in run.predictions.items()} for run in (scored, tuned)]
    assert texts[0] == texts[1]

    (tmp_path / "talk.txt").write_text("Customer: My seat is wet.\nAgent: Sorry.\n")
    summary = bench("summarize", "talk.txt", "--adapter", tuned.id)
    assert summary.out.startswith("Customer complains about the")
    assert f"the prompt is the one that {tuned.id} found" in summary.err


def test_a_dry_run_shows_what_is_declared_and_what_it_costs(bench: Any) -> None:
    done = bench("baseline", "--tune", "--dry-run")
    assert done.code == 0, done.err
    for words in (
        "In short:",
        "'', 'Customer complains about the'",
        "after 12 words or before '\\n'",
        "8 prompts declared, 8 passes at most over 3 conversations of train; 32 trials with the cuts",
        "tune.trials",
    ):
        assert words in done.out
    assert not Path("reports").exists()


def test_a_dry_run_in_json(bench: Any) -> None:
    printed = json.loads(bench("baseline", "--tune", "--dry-run", "--json", "--set", "tune.trials=5").out)
    assert printed["passes"] == {"declared": 8, "at most": 5}
    assert [shot["summary"][:8] for shot in printed["shots"]["examples"]] == ["Customer"]
    assert len(printed["development"]["ids"]) == 3


def test_a_recipe_can_have_shots_a_prefill_and_cuts(bench: Any) -> None:
    settings = ["prompt.shots=2", "prompt.prefill=Customer is", "prompt.max_words=3", 'prompt.stop=["\\n"]']
    told = [argument for setting in settings for argument in ("--set", setting)]
    shown = bench("baseline", *told, "--dry-run")
    assert shown.out.count("<|im_start|>user") == 3
    done = bench("baseline", *told)
    assert done.code == 0, done.err
    [run] = runs_in(Path("reports/runs"))
    prompt = run.manifest.system.prompt
    assert prompt is not None
    assert len(prompt.shots) == 2
    assert all(row.text.startswith("Customer is") for row in run.predictions.values())
    assert all(len(row.text.split()) <= 3 for row in run.predictions.values())


@pytest.mark.parametrize(
    "setting", ["prompt.prefill=Customer", "prompt.shots=1", 'prompt.stop=["."]', "prompt.max_words=9"]
)
def test_a_training_with_such_a_prompt_is_refused(setting: str, bench: Any) -> None:
    done = bench("train", "--set", setting)
    assert done.code == 2
    assert setting.partition("=")[0] in done.err


def test_more_shots_than_there_are_is_a_mistake_of_the_user(bench: Any) -> None:
    done = bench("baseline", "--set", "prompt.shots=9")
    assert (done.code, done.out) == (2, "")
    assert "8 conversations with a summary" in done.err
