"""`bench train --seeds` and what `bench compare` makes of it, as a user meets them, with a tiny random model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from liftbench.errors import RunFailed
from liftbench.plugin_api import TrainRequest, TrainResult
from liftbench.runs.directory import Run, runs_in
from liftbench_plugins.trainers.low_rank import QLoRATrainer

from ..conftest import Outcome

Bench = Callable[..., Outcome]

RUNS = Path("reports/runs")
SMALL = [
    *("--set", "generation.max_new_tokens=4"),
    *("--set", "model.precision=float32"),
    *("--set", 'metrics.names=["rouge1", "rougeL"]'),
    *("--set", 'metrics.headlines=["rougeL"]'),
    *("--set", "train.options={max_steps=1, batch_size=1, micro_batch=1}"),
]


@pytest.fixture
def bench(tiny_command_line: Bench) -> Bench:
    """Runs a command that measures, with the tiny model, little data and small budgets."""
    return lambda *arguments: tiny_command_line(*arguments, *SMALL)


@pytest.fixture
def seeds_trained(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The seeds that the trainer was called with, in order."""
    called: list[int] = []
    train = QLoRATrainer.train

    def counted(self: QLoRATrainer, request: TrainRequest) -> TrainResult:
        called.append(request.seed)
        return train(self, request)

    monkeypatch.setattr(QLoRATrainer, "train", counted)
    return called


def adapter_hash(run: Run) -> str:
    assert run.manifest.system.adapter is not None
    return run.manifest.system.adapter.sha256


def test_every_seed_is_a_run_of_its_own_in_one_family_and_is_reused(bench: Bench, seeds_trained: list[int]) -> None:
    done = bench("train", "--seeds", "2", "--seed", "3")
    assert done.code == 0, done.err
    first, second = runs_in(RUNS)
    assert seeds_trained == [first.manifest.seed, second.manifest.seed] == [3, 4]
    assert [run.manifest.recipe["seed"] for run in (first, second)] == [3, 4]
    assert [run.manifest.origins["seed"] for run in (first, second)] == ["command line", "command line (--seeds)"]
    assert first.manifest.family == second.manifest.family != ""
    assert adapter_hash(first) != adapter_hash(second)
    assert first.manifest.protocol == second.manifest.protocol
    assert done.err.count("\ntraining with ") == 2
    assert "ROUGE-L" in done.out
    assert all(str(run.folder) in done.out for run in (first, second))

    again = bench("train", "--seeds", "2", "--seed", "3", "--json")
    assert again.err.count("already measured") == 2
    assert [row["run"] for row in json.loads(again.out)] == [first.id, second.id]
    # What is printed of a seed is what is printed of it alone.
    alone = bench("train", "--seed", "4", "--json")
    assert json.loads(alone.out) == json.loads(again.out)[1]
    assert seeds_trained == [3, 4]
    assert len(runs_in(RUNS)) == 2


def test_a_seed_beside_others_gives_the_adapter_that_it_gives_alone(bench: Bench) -> None:
    assert bench("train", "--seeds", "2", "--no-score").code == 0
    assert bench("train", "--seed", "1", "--no-score", "--runs", "alone").code == 0
    [alone] = runs_in(Path("alone"))
    assert adapter_hash(alone) == adapter_hash(runs_in(RUNS)[1])


def test_a_seed_that_fails_is_named_and_the_same_command_continues_with_it(
    bench: Bench, seeds_trained: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    train = QLoRATrainer.train

    def failing(self: QLoRATrainer, request: TrainRequest) -> TrainResult:
        if request.seed == 1:
            raise RunFailed("the disk is full")
        return train(self, request)

    with monkeypatch.context() as failure:
        failure.setattr(QLoRATrainer, "train", failing)
        done = bench("train", "--seeds", "3")
    assert (done.code, done.out) == (4, "")
    assert "seed 1 (2 of 3) failed; the same command continues with it\nerror: the disk is full" in done.err
    assert [run.manifest.status for run in runs_in(RUNS)] == ["complete", "running"]

    done = bench("train", "--seeds", "3")
    assert done.code == 0, done.err
    assert ("already measured" in done.err, "continuing" in done.err) == (True, True)
    assert seeds_trained == [0, 1, 2]
    assert [(run.manifest.seed, run.manifest.status) for run in runs_in(RUNS)] == [
        (seed, "complete") for seed in range(3)
    ]


def test_a_dry_run_shows_the_plan_once_and_the_seeds(bench: Bench) -> None:
    preview = ("train", "--dry-run", "--no-calibration")
    done = bench(*preview, "--seeds", "3", "--seed", "7")
    assert done.code == 0, done.err
    assert "3 trainings, with the seeds 7, 8 and 9" in done.out
    assert done.out.count("prompt of conversation") == 1
    assert json.loads(bench(*preview, "--seeds", "3", "--seed", "7", "--json").out)["seeds"] == [7, 8, 9]
    assert "seeds" not in json.loads(bench(*preview, "--json").out)
    assert not Path("reports").exists()


def test_seeds_can_be_trained_first_and_scored_later(bench: Bench, seeds_trained: list[int]) -> None:
    done = bench("train", "--seeds", "2", "--no-score")
    runs = runs_in(RUNS)
    assert [run.manifest.status for run in runs] == ["trained", "trained"]
    assert done.out.splitlines() == [str(run.adapter) for run in runs]
    listed = json.loads(bench("train", "--seeds", "2", "--no-score", "--json").out)
    assert [row["run"] for row in listed] == [run.id for run in runs]
    assert bench("train", "--seeds", "2").code == 0
    assert [run.manifest.status for run in runs_in(RUNS)] == ["complete", "complete"]
    assert seeds_trained == [0, 1]


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        (("--seed", "5"), True),
        (("--metric", "chrf"), True),
        (("--set", "metrics.target=0.6"), True),
        (("--set", "train.options.rank=2"), False),
        (("--set", "train.limit=6"), False),
        (("--set", "prompt.template=Sum up: {conversation}"), False),
        (("--set", "generation.max_new_tokens=5"), False),
        (("--limit", "2"), False),
    ],
)
def test_a_family_is_all_that_a_training_and_its_measurement_depend_on_but_the_seed(
    changed: tuple[str, ...], same: bool, command_line: Bench, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> TrainResult:
        raise RunFailed("enough")

    monkeypatch.setattr(QLoRATrainer, "train", stopped)
    bench("train", "--seed", "0")
    # Last, so that it counts.
    command_line("train", *SMALL, "--fresh", *changed)
    before, after = runs_in(RUNS)
    assert (before.manifest.family == after.manifest.family) is same


def test_the_other_seeds_are_compared_without_being_asked_for(bench: Bench, command_line: Bench) -> None:
    assert bench("baseline").code == 0
    assert bench("train", "--seeds", "2").code == 0
    assert bench("train", "--set", "train.options.rank=2").code == 0
    baseline, first, second, other = runs_in(RUNS)
    done = command_line("compare", baseline.id, second.id, "--json")
    assert done.code == 1, done.err
    assert f"judged with {second.id}, because the training is the same: seed 0 ({first.id})" in done.err
    found = json.loads(done.out)
    [together] = found["seeds"]
    assert (together["runs"], together["seeds"]) == ([first.id, second.id], [0, 1])
    assert {result["run"] for result in found["candidates"]} == {first.id, second.id}
    [page] = Path("reports").glob("compare-*.html")
    assert all(run.id in page.read_text() for run in (first, second))

    # Whichever of the seeds are named, it is the same comparison, on the same page.
    both = command_line("compare", baseline.id, first.id, second.id, "--json")
    assert ("because the training is the same" in both.err, json.loads(both.out)) == (False, found)
    assert list(Path("reports").glob("compare-*.html")) == [page]

    alone = command_line("compare", baseline.id, other.id, "--json")
    assert ("because the training is the same" in alone.err, json.loads(alone.out)["seeds"]) == (False, [])
    # One seed held against the other: the baseline is not judged with the candidate.
    against = command_line("compare", first.id, second.id, "--json")
    assert [result["run"] for result in json.loads(against.out)["candidates"]] == [second.id]


def test_an_adapter_that_is_scored_again_stays_in_its_family(bench: Bench) -> None:
    assert bench("train").code == 0
    [trained] = runs_in(RUNS)
    assert bench("score", trained.id).code == 0
    assert [run.manifest.family for run in runs_in(RUNS)] == [trained.manifest.family] * 2
