"""`bench sweep` with the trainer `lora` and a tiny model: what it prints, and what its recipe leaves in an adapter."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

import liftbench
from liftbench.models.adapters import read_adapter
from liftbench.report.html.appendix import tabulate_systems
from liftbench.report.html.conversations import make_subject
from liftbench.runs.directory import runs_in
from liftbench.training import sweep

SETTINGS: dict[str, Any] = {
    "generation.max_new_tokens": 4,
    "model.precision": "float32",
    "metrics.names": ["rougeL"],
    "metrics.headlines": ["rougeL"],
    "train.options.max_steps": 2,
    "train.options.batch_size": 2,
    "train.validation_fraction": 0.3,
}
PARAMS = {"train.options.learning_rate": "1e-4..1e-2:log", "train.options.rank": "2,16"}


@pytest.fixture
def bench(tiny_command_line: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a command with the tiny model and little data."""
    monkeypatch.setenv("LIFTBENCH_PLUGIN", "lora")
    return tiny_command_line


def options() -> list[str]:
    words = [word for key, value in SETTINGS.items() for word in ("--set", f"{key}={json.dumps(value)}")]
    return [*words, *(word for key, values in PARAMS.items() for word in ("--param", f"{key}={values}"))]


def test_the_best_options_become_a_recipe_and_their_number_of_trials_reaches_the_report(bench: Any) -> None:
    done = bench("sweep", *options(), "--trials", "2", "--out", "best.toml")
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0].strip() == "2 trials on 3 conversations of train"
    assert lines[-1] == "best.toml"
    assert "trial 1 of 2: loss " in done.err
    assert " left\n" in done.err
    assert done.err.splitlines()[-1] == "next: bench train best.toml"
    assert runs_in(Path("reports/runs")) == [], "a trial is no run"

    found = liftbench.sweep(params=PARAMS, trials=2, settings=SETTINGS, out="best.toml")
    printed = json.loads(bench("sweep", *options(), "--trials", "2", "--out", "best.toml", "--json").out)
    assert printed == json.loads(msgspec.json.encode(found))
    assert min(trial.value or 99 for trial in found.trials) == found.trials[found.best - 1].value

    assert bench("train", "best.toml").code == 0
    [run] = runs_in(Path("reports/runs"))
    assert run.training_options["learning_rate"] == found.trials[found.best - 1].options["learning_rate"]
    assert run.adapter is not None
    record, provenance = read_adapter(run.adapter)
    assert record.trials == provenance.trials == 2
    [row] = [row for row in tabulate_systems([make_subject("run", run)]) if row.name == "adapter's options"]
    assert [cell.text for cell in row.cells] == ["the best of 2 trials on development data"]


@pytest.mark.parametrize("plugin", ["lora", "full"])
def test_trials_may_be_compared_by_the_texts_that_they_write(plugin: str, bench: Any) -> None:
    rate = ("--param", "train.options.learning_rate=1e-4..1e-2:log")
    settings = [word for key, value in SETTINGS.items() for word in ("--set", f"{key}={json.dumps(value)}")]
    done = bench("sweep", *settings, *rate, "--plugin", plugin, "--trials", "1", "--by", "rougeL", "--json")
    assert done.code == 0, done.err
    printed = json.loads(done.out)
    assert printed["by"] == "rougeL"
    [trial] = printed["trials"]
    assert 0 <= trial["value"] <= 1


def test_a_low_rank_training_is_stopped_from_within_and_the_next_one_is_as_usual(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    del bench
    monkeypatch.setattr(sweep, "UNPRUNED", 1)
    key = "train.options.learning_rate"
    given: dict[str, Any] = {"settings": SETTINGS | {"train.options.max_steps": 4, key: 1e-2}}
    found = liftbench.sweep(params={key: "1e-2,1e-9"}, trials=2, **given)
    assert [trial.state for trial in found.trials] == ["complete", "pruned"]
    curves = [Path(found.folder, f"trial-00{number}", "curve.jsonl").read_text().splitlines() for number in (1, 2)]
    assert [json.loads(curve[-1])["step"] for curve in curves] == [4, 3]
    monkeypatch.setattr(sweep, "UNPRUNED", 9)
    again = liftbench.sweep(params={key: "1e-2"}, trials=1, **given)
    assert again.trials[0].value == found.trials[0].value


def test_a_dry_run_shows_the_space_and_writes_nothing(bench: Any, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    done = bench("sweep", "--dry-run", "--set", "train.options.epochs=1.5")
    assert done.code == 0, done.err
    for words in ("train.options.learning_rate", "0.0001..0.003:log", "8,16,32", "4,8", "1,1.5,2,3"):
        assert words in done.out
    printed = json.loads(bench("sweep", *options(), "--dry-run", "--json").out)
    assert printed["space"] == {"train.options.learning_rate": "0.0001..0.01:log", "train.options.rank": "2,16"}
    assert (printed["training"], printed["development"]) == (5, 3)
    assert sorted(tmp_path.rglob("*")) == before


def test_an_option_that_the_trainer_lacks_is_answered_with_those_that_it_has(bench: Any) -> None:
    done = bench("sweep", "--param", "train.options.lr=1e-4..1e-3")
    assert done.code == 2
    assert done.err.splitlines()[0] == (
        "error: --param train.options.lr=1e-4..1e-3: unknown option of the trainer 'lora': 'lr'"
    )
    assert "learning_rate" in done.err.splitlines()[1]
