"""Sweeps: what is tried on which conversations, what is stopped, what a stop costs, and the recipe in the end."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
from filelock import FileLock
from msgspec.structs import replace

import liftbench
from liftbench.errors import RunFailed, UsageError
from liftbench.extension.loader import Plugins
from liftbench.files import write_atomic, write_lines
from liftbench.records.conversation import Conversation, Turn
from liftbench.records.sweep import Sweep, SweepTrial
from liftbench.training import sweep as sweep_module
from liftbench.training.search_space import Choices, Range, chosen_space, default_space, parse_param
from liftbench.workflow.setup import resolve_recipe

from ..support.curves import STEPS, CurveOptions, CurveTrainer, final_loss, plugins_with_curves, write_model

ROOT = Path(__file__).resolve().parents[2]
LEARNING_RATE = "train.options.learning_rate"


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> Plugins:
    for name, value in {"begun": [], "requests": [], "steps_made": 0, "at_step": lambda _: None}.items():
        monkeypatch.setattr(CurveTrainer, name, value)
    return plugins_with_curves()


@pytest.fixture
def folder(tmp_path: Path, conversations: list[Conversation]) -> Path:
    """A folder with a model, a data set and a recipe."""
    write_model(tmp_path / "model")
    write_lines(tmp_path / "support" / "validation.jsonl", conversations[:4])
    write_lines(tmp_path / "support" / "train.jsonl", conversations[4:])
    (tmp_path / "mine.toml").write_text(
        f'# What we measure.\n[model]\nreference = "{tmp_path / "model"}"\n'
        f'[data]\ndataset = "{tmp_path / "support"}"\n[train]\nplugin = "curves"\n'
        "[train.options]\nrank = 8  # small\n"
    )
    return tmp_path


@pytest.fixture
def sweep(folder: Path, plugins: Plugins) -> Callable[..., Sweep]:
    def run(**given: Any) -> Sweep:
        given = {"runs": folder / "runs", "trials": 8, **given}
        return liftbench.sweep(folder / "mine.toml", plugins=plugins, **given)

    return run


def untimed(trials: Sequence[SweepTrial]) -> list[SweepTrial]:
    return [replace(trial, seconds=0) for trial in trials]


# ------------------------------------------------------------------------------------------------------ what is chosen


def test_the_best_trial_becomes_a_recipe_with_everything_else_as_it_was(
    sweep: Callable[..., Sweep], folder: Path
) -> None:
    found = sweep()
    first, best = found.trials[0], found.trials[found.best - 1]
    assert first.options == {"learning_rate": 1e-3, "rank": 8}, "the recipe's own values are the first trial"
    assert [trial.number for trial in found.trials] == list(range(1, 9))
    complete = {trial.value: trial.number for trial in found.trials if trial.value is not None}
    assert complete[min(complete)] == found.best
    assert found.best != 1
    assert best.value == pytest.approx(final_loss(CurveOptions(**best.options)))  # type: ignore[arg-type]
    old, new = (resolve_recipe(name).recipe for name in (str(folder / "mine.toml"), found.recipe))
    assert new == replace(old, train=replace(old.train, trials=8, options=best.options))
    text = Path(found.recipe).read_text()
    assert f"Trial {found.best} of 8" in text
    assert "#   rank: 8,16,32\n" in text
    assert "# What we measure." in text


def test_trials_are_trained_and_compared_on_the_training_split_alone(
    sweep: Callable[..., Sweep], folder: Path, conversations: list[Conversation]
) -> None:
    found = sweep()
    seen = [tuple(one.id for one in (*request.train, *request.validation)) for request in CurveTrainer.requests]
    assert len(set(seen)) == 1
    assert {*seen[0]} <= {one.id for one in conversations[4:]}
    assert (found.training, found.development) == tuple(
        len(part) for part in (CurveTrainer.requests[0].train, CurveTrainer.requests[0].validation)
    )
    # Other scored conversations with other summaries change nothing.
    others = [
        Conversation(id=f"o{n}", turns=(Turn(role="customer", text=f"Wholly else {n}"),), references=(f"Else {n}.",))
        for n in range(4)
    ]
    write_lines(folder / "support" / "validation.jsonl", others)
    again = sweep(runs=folder / "elsewhere")
    assert untimed(again.trials) == untimed(found.trials)


def test_the_recipes_own_values_are_tried_with_all_their_digits(sweep: Callable[..., Sweep]) -> None:
    found = sweep(trials=1, settings={LEARNING_RATE: 0.0012345678})
    assert found.trials[0].options == {"learning_rate": 0.0012345678, "rank": 8}


def test_a_recipe_that_is_edited_meanwhile_changes_nothing(
    sweep: Callable[..., Sweep], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = resolve_recipe(str(folder / "mine.toml")).recipe
    monkeypatch.setattr(CurveTrainer, "at_step", lambda _: (folder / "mine.toml").write_text("seed = 9\n"))
    found = sweep(trials=1)
    after = resolve_recipe(found.recipe).recipe
    assert after == replace(before, train=replace(before.train, trials=1, options=found.trials[0].options))


def test_a_share_of_the_conversations_may_be_enough(sweep: Callable[..., Sweep]) -> None:
    found = sweep(trials=1, conversations=4)
    assert found.training + found.development == 4
    assert resolve_recipe(found.recipe).recipe.train.limit is None


def test_the_seed_decides_what_is_tried(sweep: Callable[..., Sweep], folder: Path) -> None:
    one, same, other = (
        [trial.options for trial in sweep(runs=folder / name, seed=seed).trials]
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert one == same != other


def test_a_metric_of_generated_texts_needs_a_metric_that_there_is(sweep: Callable[..., Sweep]) -> None:
    with pytest.raises(UsageError, match="unknown metric plugin 'rougel'"):
        sweep(by="rougel")
    with pytest.raises(UsageError, match="words only describes texts"):
        sweep(by="words")


def test_a_trainer_without_a_validation_loss_is_told_what_to_compare_by(
    sweep: Callable[..., Sweep], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CurveTrainer, "reports_loss", False)
    with pytest.raises(UsageError, match="reports no validation loss") as told:
        sweep()
    assert "--by rougeL" in told.value.fix


# ----------------------------------------------------------------------------------------------- stopped and continued


def test_a_hopeless_trial_is_stopped_within_its_training(sweep: Callable[..., Sweep]) -> None:
    found = sweep(trials=12)
    pruned = [trial for trial in found.trials if trial.state == "pruned"]
    assert pruned
    for trial in pruned:
        earlier = [one for one in found.trials[: trial.number - 1] if one.state == "complete"]
        assert len(earlier) >= 3
        quarter = max(trial.losses)
        assert trial.losses[quarter] > sorted(one.losses[quarter] for one in earlier)[len(earlier) // 2 - 1]
        curve = (Path(found.folder) / f"trial-{trial.number:03}" / "curve.jsonl").read_text().splitlines()
        assert len(curve) < STEPS
        assert trial.value is None
    assert found.best not in {trial.number for trial in pruned}
    assert not [*Path(found.folder).glob("trial-*/*/")], "weights of finished trials are deleted"


@pytest.mark.parametrize("steps", [0, 3, 8, 29, 33])
def test_a_stopped_sweep_goes_on_as_it_would_have(
    steps: int, sweep: Callable[..., Sweep], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = sweep()
    made = CurveTrainer.steps_made

    def stop(done: int) -> None:
        if done == made + steps:
            raise KeyboardInterrupt

    monkeypatch.setattr(CurveTrainer, "at_step", stop)
    with pytest.raises(KeyboardInterrupt):
        sweep(runs=folder / "stopped")
    monkeypatch.setattr(CurveTrainer, "at_step", lambda _: None)
    resumed = sweep(runs=folder / "stopped")
    assert untimed(resumed.trials) == untimed(whole.trials)
    assert resumed.best == whole.best
    assert CurveTrainer.steps_made == 2 * made, "no step was made twice"


def test_a_killed_sweep_goes_on_as_it_would_have(sweep: Callable[..., Sweep], folder: Path) -> None:
    code = (
        "import os, signal, sys, liftbench\n"
        "from tests.support.curves import CurveTrainer, plugins_with_curves\n"
        "CurveTrainer.at_step = lambda done: os.kill(os.getpid(), signal.SIGKILL) if done == 20 else None\n"
        "liftbench.sweep(sys.argv[1], plugins=plugins_with_curves(), runs=sys.argv[2], trials=8)\n"
    )
    command = [sys.executable, "-c", code, str(folder / "mine.toml"), str(folder / "killed")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    [trials] = (folder / "killed").glob("*/trials.jsonl")
    before = trials.read_bytes()
    assert len(before.splitlines()) == 2
    trials.write_bytes(before + b'{"number":3,"opt')
    resumed = sweep(runs=folder / "killed")
    assert trials.read_bytes().startswith(before)
    assert CurveTrainer.begun[0][1] == 4, "the third trial continues at its checkpoint"
    assert untimed(resumed.trials) == untimed(sweep().trials)


def test_a_stopped_training_with_a_list_among_its_options_continues(
    sweep: Callable[..., Sweep], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(done: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(CurveTrainer, "at_step", stop)
    given: dict[str, Any] = {"settings": {"train.options.target": ["q_proj", "v_proj"]}, "trials": 1}
    with pytest.raises(KeyboardInterrupt):
        sweep(**given)
    monkeypatch.setattr(CurveTrainer, "at_step", lambda _: None)
    sweep(**given)
    assert [done for _, done in CurveTrainer.begun] == [0, 3]


def test_a_sweep_killed_as_it_stops_a_trial_stops_it_again(
    sweep: Callable[..., Sweep], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = sweep(trials=12)
    hopeless = next(trial.number for trial in whole.trials if trial.state == "pruned")
    quarters = len(whole.trials[hopeless - 1].losses)
    begun = len(CurveTrainer.begun)

    def write_and_die(path: Path, value: Any) -> None:
        write_atomic(path, value)
        if path.match(f"trial-{hopeless:03}/losses.json") and len(value) == quarters:
            raise KeyboardInterrupt

    monkeypatch.setattr(sweep_module, "write_atomic", write_and_die)
    with pytest.raises(KeyboardInterrupt):
        sweep(trials=12, runs=folder / "killed")
    monkeypatch.setattr(sweep_module, "write_atomic", write_atomic)
    assert untimed(sweep(trials=12, runs=folder / "killed").trials) == untimed(whole.trials)
    assert len(CurveTrainer.begun) == 2 * begun, "its training did not go on"


def test_two_processes_do_not_work_on_one_sweep(sweep: Callable[..., Sweep], folder: Path) -> None:
    sweep(trials=1)
    [lock] = (folder / "runs").glob(".sweep-*.lock")
    with FileLock(lock), pytest.raises(RunFailed, match="another process is working on this sweep"):
        sweep(trials=2)


def test_more_trials_continue_a_sweep_and_fresh_starts_over(sweep: Callable[..., Sweep]) -> None:
    few = sweep(trials=3)
    more = sweep(trials=5)
    assert (more.folder, more.trials[:3]) == (few.folder, few.trials)
    assert len(CurveTrainer.begun) == 5
    assert sweep(trials=5).trials == more.trials
    assert len(CurveTrainer.begun) == 5
    fresh = sweep(trials=3, fresh=True)
    assert fresh.folder != few.folder
    assert untimed(fresh.trials) == untimed(few.trials)
    assert sweep(trials=3).folder == fresh.folder


def test_nothing_is_tried_twice_and_the_sweep_ends_when_all_was_tried(sweep: Callable[..., Sweep]) -> None:
    found = sweep(trials=20, params=["train.options.rank=4,8", "train.options.schedule=linear,cosine"])
    assert sorted((one.options["rank"], one.options["schedule"]) for one in found.trials) == [
        (4, "cosine"),
        (4, "linear"),
        (8, "cosine"),
        (8, "linear"),
    ]
    assert resolve_recipe(found.recipe).recipe.train.trials == 4


# ------------------------------------------------------------------------------------------------------------ failures


def test_a_trial_that_cannot_be_trained_is_listed_and_the_others_go_on(sweep: Callable[..., Sweep]) -> None:
    found = sweep(trials=3, params={LEARNING_RATE: "1e-3,1e8,2e-3"})
    [failed] = [trial for trial in found.trials if trial.state == "failed"]
    assert failed.options == {"learning_rate": 1e8}
    assert failed.problem == "the training loss became nan. Lower train.options.learning_rate."
    assert found.trials[found.best - 1].options == {"learning_rate": 2e-3}
    assert "2 complete and 1 failed" in Path(found.recipe).read_text()


def test_a_full_disk_fails_no_trial(sweep: Callable[..., Sweep], monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(done: int) -> None:
        if done == STEPS + 3:
            raise RunFailed("cannot write the checkpoint: No space left on device") from OSError(28, "No space left")

    monkeypatch.setattr(CurveTrainer, "at_step", fill)
    with pytest.raises(RunFailed, match="No space left"):
        sweep(trials=3)
    monkeypatch.setattr(CurveTrainer, "at_step", lambda _: None)
    found = sweep(trials=3)
    assert {trial.state for trial in found.trials} == {"complete"}
    assert CurveTrainer.begun[2][1] == 3, "the second trial continues"


def test_a_decoding_rule_that_the_backend_does_not_follow_is_refused_before_a_trial(
    sweep: Callable[..., Sweep], monkeypatch: pytest.MonkeyPatch
) -> None:
    from liftbench_plugins.backends.transformers import TransformersBackend

    monkeypatch.setattr(TransformersBackend, "rules", frozenset())
    with pytest.raises(UsageError, match=r"does not follow generation\.min_words"):
        sweep(settings={"generation.min_words": 9})
    assert not CurveTrainer.begun


def test_a_recipe_that_cannot_be_trained_is_no_trial(sweep: Callable[..., Sweep]) -> None:
    with pytest.raises(RunFailed, match="the training loss became nan"):
        sweep(settings={LEARNING_RATE: 10.0}, params=["train.options.rank=8,16"])


def test_a_sweep_in_which_nothing_could_be_trained_writes_no_recipe(sweep: Callable[..., Sweep], folder: Path) -> None:
    with pytest.raises(RunFailed, match="none of 2 trials could be trained: the training loss became nan"):
        sweep(trials=2, params=[f"{LEARNING_RATE}=10,20"])
    assert not [*(folder / "runs").glob("*/recipe.toml")]


def test_values_that_do_not_go_together_fail_as_a_trial(sweep: Callable[..., Sweep]) -> None:
    found = sweep(trials=4, params=["train.options.rank=8,12", "train.options.micro=1,8"])
    assert {trial.problem for trial in found.trials} == {"", "train.options: rank (12) is not a multiple of micro (8)"}


def test_a_file_that_no_sweep_wrote_is_never_replaced(sweep: Callable[..., Sweep], folder: Path) -> None:
    mine = folder / "mine.toml"
    before = mine.read_text()
    with pytest.raises(UsageError, match="was not written by a sweep"):
        sweep(trials=1, out=mine)
    assert (mine.read_text(), CurveTrainer.begun) == (before, [])
    out = folder / "best.toml"
    assert sweep(trials=1, out=out).recipe == sweep(trials=2, out=out).recipe == str(out)
    assert resolve_recipe(str(out)).recipe.train.trials == 2


# ----------------------------------------------------------------------------------------------------------- the space


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1e-4..3e-3:log", Range(1e-4, 3e-3, log=True)),
        ("0.1..0.5", Range(0.1, 0.5)),
        ("4..64", Range(4, 64)),
        ("8,16,8", Choices((8, 16))),
        ("all, one", Choices(("all", "one"))),
        ("true,false", Choices((True, False))),
    ],
)
def test_values_are_written_as_a_range_or_a_list(text: str, values: Range | Choices) -> None:
    assert parse_param(f"train.options.x = {text}") == ("x", values)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("learning_rate=1,2", "does not name an option of the trainer"),
        ("train.limit=1,2", "does not name an option of the trainer"),
        ("train.options.rank", "does not name an option of the trainer"),
        ("train.options.rank=", "does not name an option of the trainer"),
        ("train.options.rank=8,,16", "a value is empty"),
        ("train.options.rank=8..4", "the range must rise"),
        (f"{LEARNING_RATE}=0..1:log", "from above 0"),
        (f"{LEARNING_RATE}=low..high", "is not a range of finite numbers"),
        (f"{LEARNING_RATE}=1..inf", "is not a range of finite numbers"),
        ('train.options.schedule=["cosine"]', "['cosine'] is not one value"),
        ("train.options.rank=8.0..16.0", "rank=8.0..16.0: train.options.rank: must be a whole number"),
        ("train.options.lerning_rate=1,2", "'lerning_rate'\nDid you mean 'learning_rate'"),
        ("train.options.rank=0,8", "must be a whole number >= 1"),
        ("train.options.rank=0.5..8", "must be a whole number"),
        ("train.options.schedule=cosine,square", "Invalid enum value 'square'"),
    ],
)
def test_a_wrong_parameter_is_refused_before_anything_is_trained(
    text: str, words: str, sweep: Callable[..., Sweep]
) -> None:
    with pytest.raises(UsageError) as told:
        sweep(params=[text])
    assert words in str(told.value)
    assert "--param" in told.value.what
    assert not CurveTrainer.begun


def test_the_values_of_an_option_are_given_once(sweep: Callable[..., Sweep]) -> None:
    with pytest.raises(UsageError, match="the values of rank are given twice"):
        sweep(params=["train.options.rank=8,16", "train.options.rank=4..5"])


def test_the_space_of_a_trainer_holds_the_recipes_own_values_and_none_that_it_does_not_allow(plugins: Plugins) -> None:
    spec = plugins.find("trainer", "curves")
    options = {"learning_rate": 0.02, "rank": 48, "micro": 16}
    space = default_space(CurveTrainer.search_space, spec, options, plugins)
    assert space == {"learning_rate": Range(1e-4, 0.02, log=True), "rank": Choices((16, 32, 48))}
    assert chosen_space(["train.options.rank=16,64"], spec, options, plugins) == {"rank": Choices((16, 64))}
    with pytest.raises(UsageError, match="does not say which of its options"):
        default_space({}, spec, options, plugins)


@pytest.mark.parametrize(
    ("values", "own", "expected"),
    [
        (Range(8, 32), 4, Range(4, 32)),
        (Range(8, 32), None, Range(8, 32)),
        (Choices((8, 32)), 16, Choices((8, 16, 32))),
        (Choices((8, 32)), None, Choices((8, 32, None))),
        (Choices(("linear",)), "cosine", Choices(("linear", "cosine"))),
        (Choices(("all-linear",)), ("q_proj",), Choices(("all-linear",))),
    ],
)
def test_the_recipes_own_value_is_put_beside_suggested_ones_where_it_may_be_drawn(
    values: Range | Choices, own: Any, expected: Range | Choices
) -> None:
    assert values.widened(own) == expected


def test_numbers_are_drawn_within_their_range_with_three_digits(sweep: Callable[..., Sweep]) -> None:
    found = sweep(trials=6, params=[f"{LEARNING_RATE}=0.0012344..0.0012346:log", "train.options.rank=5..7"])
    for trial in found.trials:
        rate, rank = trial.options["learning_rate"], trial.options["rank"]
        assert isinstance(rate, float)
        assert 0.0012344 <= rate <= 0.0012346
        assert rank in (5, 6, 7)
    wide = sweep(trials=4, params=[f"{LEARNING_RATE}=1e-4..1e-2:log"])
    assert all(
        float(f"{trial.options['learning_rate']:.3g}") == trial.options["learning_rate"] for trial in wide.trials
    )


# ------------------------------------------------------------------------------------------------------ what people see


def test_people_see_the_time_left_and_the_result_of_each_trial(sweep: Callable[..., Sweep]) -> None:
    said: list[str] = []
    shown: list[tuple[int, int]] = []
    sweep(trials=3, say=said.append, progress=lambda done, total, _: shown.append((done, total)))
    assert said[0].startswith("sweep ")
    assert said[1].startswith("trial 1 of 3: loss ")
    assert "after 1 min (learning_rate 0.001, rank 8); about 2 min left" in said[1]
    assert "left" not in said[3]
    assert shown[:STEPS] == [(step, STEPS) for step in range(1, STEPS + 1)]
    sweep(trials=3, say=said.append)
    assert said[4].startswith("continuing ")


class Recording(CurveTrainer):
    """Catches what a trainer may catch."""

    caught: ClassVar[list[Exception]] = []

    def train(self, request: Any) -> Any:
        try:
            return super().train(request)
        except Exception as error:
            self.caught.append(error)
            raise


def test_a_trainer_that_catches_errors_cannot_go_on_when_it_is_stopped(
    sweep: Callable[..., Sweep], monkeypatch: pytest.MonkeyPatch
) -> None:
    from ..support import curves

    monkeypatch.setattr(curves, "CurveTrainer", Recording)
    assert any(trial.state == "pruned" for trial in sweep(trials=12).trials)
    assert not Recording.caught
