"""`bench train --dry-run`: what a training would take, in words and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from liftbench.cli.show_expectation import show_expectation
from liftbench.plugin_api import TrainingEstimate
from liftbench.workflow.preview import Expectation

from ..conftest import Outcome
from ..support.hub_stand_in import Hub, ask
from ..training.test_estimate import ESTIMATE

Bench = Callable[..., Outcome]


@pytest.fixture
def bench(tiny_command_line: Bench) -> Bench:
    """Runs `bench train --dry-run` with the tiny model and little data."""
    return lambda *arguments: tiny_command_line("train", "--dry-run", *arguments)


def test_a_dry_run_tells_time_memory_and_the_micro_batch_and_writes_nothing(bench: Bench) -> None:
    done = bench("--seeds", "2", "--set", "train.options={batch_size=2, epochs=1}")
    assert done.code == 0, done.err
    told = done.out[done.out.rindex("\n\n") :].strip().splitlines()
    assert "4 steps, " in told[0]
    assert "for each of 2 trainings" in told[0]
    assert told[1].startswith("about ")
    assert " in all and " in told[1]
    assert "GB are the weights" in told[1]
    assert "with micro_batch 1" in told[2]
    assert "other work on the machine makes a training slower" in told[3]
    assert not Path("reports").exists()


def test_a_dry_run_as_json(bench: Bench) -> None:
    expected = json.loads(bench("--json", "--set", "train.options={batch_size=4, epochs=1}").out)["expected"]
    estimate = expected["estimate"]
    assert (estimate["steps"], estimate["micro_batch"], estimate["proposed_micro_batch"]) == (2, 1, 1)
    assert sorted(estimate["peaks"]) == ["1", "2", "4"]
    assert estimate["seconds"] > 0
    assert expected["trainings"] == 1


def test_without_calibration_nothing_is_predicted(bench: Bench) -> None:
    assert "GB" not in bench("--no-calibration").out
    assert "expected" not in json.loads(bench("--no-calibration", "--json").out)


def test_a_program_of_ones_own_cannot_be_predicted(bench: Bench) -> None:
    done = bench("--plugin", "command", "--set", 'train.options={argv=["true"]}')
    assert done.code == 0, done.err
    assert "time and memory are unknown: the trainer 'command' cannot say it" in done.out


ASK = """
import sys
from liftbench.cli.main import main
sys.argv = ["bench", *sys.argv[1:]]
main()
"""


@pytest.mark.usefixtures("bench")
def test_a_model_that_is_not_here_is_not_downloaded_for_it(tiny_chat_model: Path, tmp_path: Path) -> None:
    hub = Hub(models={"org/tiny": tiny_chat_model, "org/gated": tiny_chat_model})
    try:
        done = ask(ASK, "baseline", "--dry-run", "--model", "hub:org/tiny", endpoint=hub.url, home=tmp_path / "hf")
        missing = ask(ASK, "baseline", "--dry-run", "--model", "hub:org/no", endpoint=hub.url, home=tmp_path / "hf")
        gated = ask(ASK, "baseline", "--dry-run", "--model", "hub:org/gated", endpoint=hub.url, home=tmp_path / "hf")
    finally:
        hub.close()
    assert done.code == 0, done.errors
    assert "a dry run does not download models from the hub" in " ".join(done.lines)
    assert missing.code == 2
    assert "error: the hub has no model 'org/no'" in missing.errors
    assert gated.code == 2
    assert "error: org/gated is gated on the hub" in gated.errors
    assert not any(asked.endswith(".safetensors") for asked in hub.asked)


@pytest.mark.parametrize(
    "command", ["baseline", "train", "sweep", "baseline --tune", "demo --split validation", "score nosuch"]
)
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_dry_run_whose_model_cannot_be_had_says_so_and_exits_with_2(
    command: str, form: tuple[str, ...], tiny_command_line: Bench
) -> None:
    done = tiny_command_line(*command.split(), "--dry-run", "--model", "nosuch", *form)
    assert done.code == 2
    assert done.out
    assert "unknown model 'nosuch'" in done.err
    assert form or "unknown model" not in done.out  # it is said once, in the error
    assert "time and memory" not in done.out


def test_what_a_training_would_refuse_a_dry_run_refuses(bench: Bench) -> None:
    done = bench("--set", 'train.options={target=["wings"]}')
    assert done.code == 2
    assert "target matches no layer of the model: wings" in done.err
    assert "Traceback" not in done.err
    assert "prompt of conversation" in done.out


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "fits in the 8.0 GB that are available, with micro_batch 1"),
        (
            {"peaks": {1: 2 * 10**9, 2: 3 * 10**9}, "proposed_micro_batch": 2},
            "fits in the 8.0 GB that are available; faster is train.options.micro_batch=2, which takes 3.0 GB",
        ),
        (
            {"micro_batch": 2, "peaks": {1: 2 * 10**9, 2: 9 * 10**9}},
            "is too much for the 8.0 GB that are available; set train.options.micro_batch=1, which takes 2.0 GB",
        ),
        (
            {"peaks": {1: 9 * 10**9}, "proposed_micro_batch": None, "lower": ("a=true", "b=one", "c")},
            "does not fit in the 8.0 GB that are available: even micro_batch 1 takes 9.0 GB; lower it by a=true, b=one "
            "or c",
        ),
        ({"device": "NVIDIA L4"}, "2.0 GB of memory of the NVIDIA L4 (1.0 GB are the weights)"),
        ({}, "3 steps, 40 target tokens of 200 tokens\nabout 2 min and 2.0 GB of memory (1.0 GB are the weights)"),
        ({}, "predicted from 4 forward and backward passes in 20.0 s; other work on the machine makes"),
    ],
)
def test_the_words(changes: dict[str, object], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    estimate: TrainingEstimate = replace(ESTIMATE, **changes)
    show_expectation(Expectation(estimate=estimate))
    assert words in capsys.readouterr().out
