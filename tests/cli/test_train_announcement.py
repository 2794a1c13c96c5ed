"""What `bench train` says before it begins: trainer, model, data, steps, and what they cost, without measuring it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from liftbench.files import write_atomic
from liftbench.plugin_api import Conversation, TrainingSize
from liftbench.recipe.measured import MEASURED, measured_cost
from liftbench.training import pace
from liftbench.training.pace import TrainingPace, count_characters, expect_pace, note_pace
from liftbench.workflow.setup import resolve_recipe
from liftbench_plugins.trainers.low_rank import LoRATrainer
from liftbench_plugins.trainers.options import LoRAOptions

from ..conftest import Outcome

ROOT = Path(__file__).resolve().parents[2]
Bench = Callable[..., Outcome]
SHORT = ["--no-score", "--set", "train.options={max_steps=2, batch_size=2}", "--set", "model.precision=float32"]


def test_the_second_training_is_expected_to_take_as_long_as_the_first(tiny_command_line: Bench) -> None:
    first = tiny_command_line("train", *SHORT)
    assert first.code == 0, first.err
    _, subject, cost, *_ = first.err.splitlines()
    assert subject.startswith("training with qlora (the trainer of the recipe smollm2-135m; --plugin takes another): ")
    assert subject.endswith(
        "7 conversations of " + str(Path("support").resolve()) + " train, 1 more to choose the checkpoint, 2 steps"
    )
    assert cost == "how long it takes is told after the first steps; --dry-run predicts time and memory"
    second = tiny_command_line("train", *SHORT, "--seed", "1", "--plugin", "qlora")
    _, subject, cost, *_ = second.err.splitlines()
    assert subject.startswith("training with qlora: ")
    assert cost.startswith("it takes ")
    assert cost.endswith("GB of memory, as fast as the last training like it here")
    again = tiny_command_line("train", *SHORT, "--seed", "1", "--plugin", "qlora")
    assert "training with" not in again.err


@pytest.mark.parametrize(
    ("options", "conversations", "expected"),
    [
        ({}, 450, TrainingSize(85, 675)),
        ({"epochs": 1}, 450, TrainingSize(57, 450)),
        ({"epochs": 3, "max_steps": 10, "batch_size": 16}, 450, TrainingSize(10, 160)),
        ({"epochs": 1}, 0, TrainingSize(0, 0)),
    ],
)
def test_steps_are_known_without_reading_the_conversations(
    options: dict[str, object], conversations: int, expected: TrainingSize
) -> None:
    assert LoRATrainer().size(msgspec.convert(options, LoRAOptions), conversations) == expected


NOTE = TrainingPace(
    trainer="qlora", base="b" * 64, machine="here", device="cpu", characters=1000, seconds=100.0, peak_memory_bytes=4
)


def test_a_longer_training_takes_longer_in_proportion(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "machine", lambda: "here")
    note_pace(NOTE)
    note_pace(msgspec.structs.replace(NOTE, seconds=200.0))
    found = expect_pace("qlora", "b" * 64, 5000)
    assert found is not None
    assert (found.seconds, found.peak_memory_bytes) == (1000.0, 4)
    assert expect_pace("lora", "b" * 64, 5000) is None
    assert expect_pace("qlora", "c" * 64, 5000) is None
    monkeypatch.setattr(pace, "machine", lambda: "elsewhere")
    assert expect_pace("qlora", "b" * 64, 5000) is None


@pytest.mark.parametrize("broken", [b"{", b"[]", b'[{"trainer": 1}]'])
def test_broken_notes_cost_an_estimate_and_nothing_else(broken: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    pace.notes_path().parent.mkdir(parents=True)
    pace.notes_path().write_bytes(broken)
    assert expect_pace("qlora", "b" * 64, 10) is None
    monkeypatch.setattr(pace, "machine", lambda: "here")
    write_atomic(pace.notes_path(), [msgspec.structs.replace(NOTE, characters=0)])
    assert expect_pace("qlora", "b" * 64, 10) is None
    note_pace(NOTE)
    assert expect_pace("qlora", "b" * 64, 1000) is not None


def test_a_cache_that_cannot_be_written_stops_no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "notes_path", lambda: Path("/proc/none/notes.json"))
    note_pace(NOTE)


def test_characters_are_counted_over_all_passes(conversations: list[Conversation]) -> None:
    assert count_characters([], 10) == 0
    assert count_characters(conversations, 24) == pytest.approx(2 * count_characters(conversations, 12), abs=1)


# ------------------------------------------------------------------------------------------------ one measured duration


def test_the_measured_cost_is_that_of_the_recipe_as_it_ships() -> None:
    assert measured_cost(resolve_recipe("helpdesk")) == MEASURED["helpdesk"]
    assert measured_cost(resolve_recipe("helpdesk", {"plugin": "qlora", "data_dir": "x", "seed": 3})) is not None
    for changed in ({"plugin": "lora"}, {"model": "hub:org/name"}, {"dataset": "mine"}):
        assert measured_cost(resolve_recipe("helpdesk", changed)) is None
    assert measured_cost(resolve_recipe("helpdesk", settings=["train.options.epochs=9"])) is None
    assert measured_cost(resolve_recipe("llama-2-7b")) is None


def test_readme_and_help_quote_the_same_duration(command_line: Bench) -> None:
    cost = MEASURED["helpdesk"]
    quoted = f"about {cost.demo_minutes} minutes and {cost.gigabytes:.0f} GB on two CPU cores"
    for text in ((ROOT / "README.md").read_text(), command_line("demo", "--help").out):
        assert quoted in " ".join(text.split())
    trained = f"helpdesk about {cost.training_minutes} minutes"
    assert trained in " ".join(command_line("train", "--help").out.split())
    assert "11 min 22 s on a quiet machine, peak 4.0 GB" in (ROOT / "baselines" / "README.md").read_text()
