"""The search of prompts: what is declared, in which order it is tried, what a kill leaves, and what is chosen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
from msgspec.structs import replace

from liftbench.data.jsonl import read_jsonl
from liftbench.errors import LiftbenchError, UsageError
from liftbench.extension.loader import Plugins, load_plugins
from liftbench.extension.registry import Registry
from liftbench.files import write_atomic, write_lines
from liftbench.measuring.harness import measure, new_manifest
from liftbench.measuring.plan import prepare
from liftbench.measuring.systems import Loadable, resolve_system
from liftbench.plugin_api import (
    BackendRequest,
    Conversation,
    Generation,
    Metric,
    MetricRequest,
    Prompt,
    Turn,
    hookimpl,
)
from liftbench.progress import no_progress
from liftbench.prompt_search.plan import TEMPLATES, Cut, common_opening, plan_tuning
from liftbench.prompt_search.search import merit, search
from liftbench.prompts.spec import prompt_spec
from liftbench.recipe.resolve import ResolvedRecipe
from liftbench.records.system import ModelRecord, System
from liftbench.runs.directory import Run
from liftbench.runs.open_run import open_run
from liftbench.workflow.setup import resolve_recipe

from ..support.stand_in import StandIn

GOOD = "Write well.\n\n{conversation}"
BAD = "Write badly.\n\n{conversation}"


class SuggestibleBackend(StandIn):
    """Writes what a reference would say if it is asked to write well, the more so after a prefill; then it rambles."""

    opened: ClassVar[int] = 0
    seen: ClassVar[list[str]] = []
    fail_after: ClassVar[int] = 10**9

    def __init__(self, request: BackendRequest) -> None:
        super().__init__(request)
        type(self).opened += 1

    def generate(self, prompts: Sequence[Prompt], max_new_tokens: int) -> list[Generation]:
        del max_new_tokens
        if len(self.seen) >= self.fail_after:
            raise KeyboardInterrupt
        self.seen.extend(prompt.text for prompt in prompts)
        return [Generation(text=self._write(prompt.text), new_tokens=9, finish_reason="length") for prompt in prompts]

    def _write(self, prompt: str) -> str:
        if prompt.endswith("Customer complains"):
            return " about the order. Agent asks for a message.\nAnd so on, and on, and on."
        if "Write well." in prompt:
            return "Customer complains, and on, and on.\nAnd so on, and on, and on."
        return "I am a language model."


class Descriptive(Metric):
    name = "descriptive"
    signature = "descriptive"
    direction = "neither"

    def __init__(self, request: MetricRequest) -> None:
        del request

    def score(self, texts: Sequence[str], conversations: Sequence[Conversation]) -> list[float | None]:
        del conversations
        return [1.0 for _ in texts]


class SuggestiblePlugin:
    @hookimpl
    def bench_register(self, registry: Registry) -> None:
        registry.backend("suggestible", target=f"{__name__}:SuggestibleBackend")
        registry.metric("descriptive", target=f"{__name__}:Descriptive")


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> Plugins:
    for name, value in (("opened", 0), ("seen", []), ("fail_after", 10**9)):
        monkeypatch.setattr(SuggestibleBackend, name, value)
    loaded = load_plugins()
    loaded.add(SuggestiblePlugin(), "suggestible")
    return loaded


@pytest.fixture
def folder(tmp_path: Path, conversations: list[Conversation]) -> Path:
    path = tmp_path / "support"
    path.mkdir()
    write_lines(path / "validation.jsonl", conversations[:3])
    write_lines(path / "train.jsonl", conversations[3:])
    return path


def recipe(folder: Path, *settings: str) -> ResolvedRecipe:
    told = [
        "model.backend=suggestible",
        'metrics.names=["rouge1", "rougeL"]',
        'metrics.headlines=["rougeL"]',
        f"prompt.template={BAD}",
        f"tune.templates=['''{GOOD}''']",
        "tune.conversations=4",
        *settings,
    ]
    return resolve_recipe(None, {"dataset": str(folder)}, [], told)


PLAIN = Loadable(
    system=System(
        kind="model",
        name="suggestible",
        model=ModelRecord(reference="nowhere", sha256="a" * 64, source="test"),
        precision="float32",
        backend="suggestible",
        prompt=prompt_spec(BAD, "", "plain"),
    ),
    model=Path("nowhere"),
)


def searched(resolved: ResolvedRecipe, plugins: Plugins, runs: Path) -> Run:
    """A search and the measurement of what it found, as `bench baseline --tune` does them."""
    measurement = prepare(resolved, plugins)
    plan = plan_tuning(resolved.recipe, measurement, plugins)
    manifest = new_manifest("baseline", PLAIN.system, measurement, resolved, argv=[], extra_key=plan.key)
    scored = [measurement.conversations[id_] for id_ in measurement.scored]
    with open_run(replace(manifest, tuned=True), scored, runs, fresh=False) as run:
        subject = search(run, plan, PLAIN, measurement, plugins, no_progress)
        return measure(run, measurement, subject, plugins, no_progress)


def prompts_tried(run: Run) -> list[tuple[str, str, int]]:
    """Template, prefill and number of shots of each pass."""
    first = {trial.generation_pass: trial.prompt for trial in reversed(run.trials)}
    return [(p.template, p.prefill, len(p.shots)) for _, p in sorted(first.items())]


# ---------------------------------------------------------------------------------------------------------- declared


def test_development_conversations_and_shots_are_apart_from_each_other_and_from_the_scored_ones(
    folder: Path, plugins: Plugins, conversations: list[Conversation]
) -> None:
    copied = replace(
        conversations[0], id="copy", turns=tuple(Turn(role=t.role, text=t.text.upper()) for t in conversations[0].turns)
    )
    write_lines(folder / "train.jsonl", [copied, *conversations])
    resolved = recipe(folder, "tune.conversations=100")
    plan = plan_tuning(resolved.recipe, prepare(resolved, plugins), plugins)
    development = [conversation.id for conversation in plan.development]
    shots = [shot.id for shot in plan.shots]
    assert sorted([*development, *shots]) == [conversation.id for conversation in conversations[3:]]


def test_the_plan_is_the_same_each_time_and_another_for_another_seed(folder: Path, plugins: Plugins) -> None:
    def plan(*settings: str) -> Any:
        resolved = recipe(folder, *settings)
        return plan_tuning(resolved.recipe, prepare(resolved, plugins), plugins)

    assert plan() == plan()
    assert plan("seed=1").development != plan().development
    assert plan("seed=1").shots == plan().shots
    keys = [plan(setting).key for setting in ("seed=0", "seed=1", "tune.trials=3", "tune.shots=[1]", 'tune.stop=["."]')]
    assert len(set(keys)) == len(keys)


def test_what_the_recipe_says_comes_first_and_nothing_twice(folder: Path, plugins: Plugins) -> None:
    resolved = recipe(
        folder,
        "prompt.shots=1",
        "prompt.prefill=Well",
        "prompt.max_words=7",
        'prompt.stop=["x", "y"]',
        "tune.shots=[2, 1, 0]",
        'tune.prefills=["Well ", "auto"]',
        'tune.max_words=[0, "auto", 12]',
        'tune.stop=[""]',
    )
    plan = plan_tuning(resolved.recipe, prepare(resolved, plugins), plugins)
    assert plan.templates == (BAD, GOOD)
    assert plan.prefills == ("Well", "Customer complains about the")
    assert plan.shot_counts == (1, 2, 0)
    # The median length of the references is 12 words.
    assert plan.cuts == (Cut(7, ("x", "y")), Cut(0, ()), Cut(12, ()))
    assert len(plan.shots) == 2


def test_without_templates_of_its_own_a_recipe_tries_those_that_ship(folder: Path, plugins: Plugins) -> None:
    resolved = recipe(folder, "tune.templates=[]")
    assert plan_tuning(resolved.recipe, prepare(resolved, plugins), plugins).templates == (BAD, *TEMPLATES)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["tune.templates=['Summarize.']"], "exactly once"),
        (["tune.shots=[10]"], "asks for 10 examples"),
        (["tune.shots=[9]"], "no conversations left"),
        (
            ['metrics.extra=["descriptive"]', 'metrics.headlines=["descriptive"]'],
            "a higher 'descriptive' is not better",
        ),
        (["data.train_split=trian"], "Did you mean 'train'"),
    ],
)
def test_what_cannot_be_searched_is_refused(settings: list[str], words: str, folder: Path, plugins: Plugins) -> None:
    resolved = recipe(folder, *settings)
    measurement = prepare(resolved, plugins)
    with pytest.raises(UsageError, match=words):
        plan_tuning(resolved.recipe, measurement, plugins)


@pytest.mark.parametrize("setting", ["tune.shots=[-1]", 'tune.max_words=["median"]', "tune.trials=0"])
def test_a_section_that_is_wrong_is_refused(setting: str, folder: Path) -> None:
    with pytest.raises(UsageError, match=setting.partition("=")[0]):
        recipe(folder, setting)


@pytest.mark.parametrize(
    ("texts", "opening"),
    [
        (["The customer says that x."] * 9 + ["A b c d."], "The customer says that"),
        (["The customer says x."] * 5 + ["The customer asks y."] * 5, "The customer"),
        (["The customer says x."] * 6 + ["The customer asks y."] * 4, "The customer says"),
        ([f"{n} words here" for n in range(30)], None),
        (["One"], None),
        ([], None),
    ],
)
def test_the_common_opening_of_summaries(texts: list[str], opening: str | None) -> None:
    assert common_opening(texts) == opening


def test_the_common_opening_of_real_summaries(tweetsumm: Path) -> None:
    conversations = read_jsonl(tweetsumm / "train.jsonl")
    assert common_opening([text for c in conversations for text in c.references]) == "Customer is complaining"


# ------------------------------------------------------------------------------------------------------------ search

PREFILLS = 'tune.prefills=["", "Customer complains"]'


def test_the_best_is_chosen_measured_and_recorded(folder: Path, plugins: Plugins, tmp_path: Path) -> None:
    run = searched(recipe(folder, PREFILLS), plugins, tmp_path / "runs").require_complete()
    assert run.tuning is not None
    chosen = run.trials[run.tuning.chosen - 1]
    assert chosen.prompt.prefill == "Customer complains"
    assert chosen.prompt.max_words > 0 or chosen.prompt.stop == ("\n",)
    assert chosen.gain == max(trial.gain or 0 for trial in run.trials)
    assert run.manifest.tuned
    assert run.manifest.system.prompt == chosen.prompt
    assert run.manifest.system.name == "suggestible (best prompt)"
    assert {prediction.text for prediction in run.predictions.values()} == {
        "Customer complains about the order. Agent asks for a message."
    }
    assert {prediction.finish_reason for prediction in run.predictions.values()} == {"stop"}
    assert (run.tuning.trials, run.tuning.possible, run.tuning.passes) == (32, 32, 8)
    assert "the prompt was chosen among 32 on 4 conversations of the split 'train'" in run.manifest.notes


def test_the_first_trial_is_the_plain_prompt_as_it_is(folder: Path, plugins: Plugins, tmp_path: Path) -> None:
    run = searched(recipe(folder), plugins, tmp_path / "runs")
    assert run.trials[0].prompt == PLAIN.system.prompt
    assert [trial.number for trial in run.trials] == list(range(1, len(run.trials) + 1))


def test_cuts_of_one_pass_cost_no_generation(folder: Path, plugins: Plugins, tmp_path: Path) -> None:
    run = searched(recipe(folder, PREFILLS), plugins, tmp_path / "runs")
    # 8 passes over 4 conversations, and the 3 scored ones; opened once to search and once to measure.
    assert len(SuggestibleBackend.seen) == 8 * 4 + 3
    assert SuggestibleBackend.opened == 2
    assert set(Counter(trial.generation_pass for trial in run.trials).values()) == {4}


def test_where_no_prompt_helps_the_plain_one_is_chosen(folder: Path, plugins: Plugins, tmp_path: Path) -> None:
    run = searched(recipe(folder, "tune.prefills=['']", f"tune.templates=['''{BAD} ''']"), plugins, tmp_path / "runs")
    assert run.tuning is not None
    assert run.tuning.chosen == 1
    assert run.manifest.system.prompt == PLAIN.system.prompt


def test_over_the_budget_one_thing_varies_at_a_time(folder: Path, plugins: Plugins, tmp_path: Path) -> None:
    resolved = recipe(folder, 'tune.prefills=["", "Well", "Customer complains"]', "tune.trials=6")
    run = searched(resolved, plugins, tmp_path / "runs")
    assert prompts_tried(run) == [
        (BAD, "", 0),
        (GOOD, "", 0),
        (GOOD, "Well", 0),
        (GOOD, "Customer complains", 0),
        (GOOD, "Customer complains", 2),
        # The second round begins, with the template again.
        (BAD, "Customer complains", 0),
    ]
    assert run.tuning is not None
    assert run.tuning.possible == 12 * 4


def test_the_budget_holds(folder: Path, plugins: Plugins, tmp_path: Path) -> None:
    run = searched(recipe(folder, PREFILLS, "tune.trials=3"), plugins, tmp_path / "runs")
    assert prompts_tried(run) == [(BAD, "", 0), (GOOD, "", 0), (GOOD, "Customer complains", 0)]


@pytest.mark.parametrize("passes_before", [0, 1, 2, 4])
@pytest.mark.parametrize("budget", [6, 12])
def test_a_killed_search_takes_the_same_way(
    passes_before: int, budget: int, folder: Path, plugins: Plugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolved = recipe(folder, 'tune.prefills=["", "Well", "Customer complains"]', f"tune.trials={budget}")
    whole = searched(resolved, plugins, tmp_path / "whole")
    monkeypatch.setattr(SuggestibleBackend, "seen", [])
    monkeypatch.setattr(SuggestibleBackend, "fail_after", 4 * passes_before)
    with pytest.raises(KeyboardInterrupt):
        searched(resolved, plugins, tmp_path / "runs")
    monkeypatch.setattr(SuggestibleBackend, "fail_after", 10**9)
    resumed = searched(resolved, plugins, tmp_path / "runs")
    assert [replace(trial, seconds=0) for trial in resumed.trials] == [replace(t, seconds=0) for t in whole.trials]
    assert resumed.manifest.system == whole.manifest.system
    assert len(SuggestibleBackend.seen) == 4 * len(prompts_tried(whole)) + 3


@pytest.mark.parametrize("kept", [5, 6.5])
def test_a_pass_that_a_kill_cut_is_made_again(
    kept: float, folder: Path, plugins: Plugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = searched(recipe(folder, PREFILLS), plugins, tmp_path / "runs")
    trials = run.folder / "tuning" / "trials.jsonl"
    lines = trials.read_bytes().splitlines(keepends=True)
    half = lines[int(kept)][: int(len(lines[int(kept)]) * (kept % 1))]
    trials.write_bytes(b"".join(lines[: int(kept)]) + half)
    (run.folder / "tuning" / "summary.json").unlink()
    monkeypatch.setattr(SuggestibleBackend, "seen", [])
    again = searched(recipe(folder, PREFILLS), plugins, tmp_path / "runs")
    assert [replace(trial, seconds=0) for trial in again.trials] == [replace(t, seconds=0) for t in run.trials]
    # Of 8 passes the first was there whole, and so is what was scored.
    assert len(SuggestibleBackend.seen) == 7 * 4


def test_a_complete_search_is_not_repeated(folder: Path, plugins: Plugins, tmp_path: Path) -> None:
    first = searched(recipe(folder), plugins, tmp_path / "runs")
    opened = SuggestibleBackend.opened
    again = searched(recipe(folder), plugins, tmp_path / "runs")
    assert (again.id, SuggestibleBackend.opened) == (first.id, opened)


def test_shots_that_do_not_fit_are_a_trial_with_a_problem(folder: Path, plugins: Plugins, tmp_path: Path) -> None:
    resolved = recipe(folder, "generation.max_input_tokens=40", "tune.prefills=['']", "tune.shots=[0, 4]")
    run = searched(resolved, plugins, tmp_path / "runs").require_complete()
    problems = [trial for trial in run.trials if trial.problem]
    assert {len(trial.prompt.shots) for trial in problems} == {4}
    assert {(trial.n, trial.gain) for trial in problems} == {(0, None)}
    assert all("with its 4 shots is longer than the limit of 40 tokens" in trial.problem for trial in problems)
    again = searched(resolved, plugins, tmp_path / "again")
    assert len(again.trials) == len(run.trials)


def test_a_plain_prompt_that_does_not_fit_ends_the_search(folder: Path, plugins: Plugins, tmp_path: Path) -> None:
    with pytest.raises(LiftbenchError, match="longer than the limit of 2 tokens"):
        searched(recipe(folder, "generation.max_input_tokens=2"), plugins, tmp_path / "runs")


@pytest.mark.parametrize(
    ("means", "value"),
    [
        ({"a": 0.2, "b": 0.8}, 0.4),
        ({"a": 0.2, "b": 0.0}, 0.0),
        ({"a": 0.2, "b": -0.3}, 0.0),
        ({"a": 0.2, "b": None}, 0.0),
        ({}, 0.0),
    ],
)
def test_the_merit_of_a_trial(means: dict[str, float | None], value: float) -> None:
    assert merit(means, ("a", "b")) == pytest.approx(value)


def test_a_run_with_a_prompt_that_was_found_is_scored_with_it(
    folder: Path, plugins: Plugins, tmp_path: Path, tiny_base_model: Path
) -> None:
    resolved = recipe(folder, PREFILLS)
    run = searched(resolved, plugins, tmp_path / "runs")
    model = ModelRecord(reference=str(tiny_base_model), sha256="a" * 64, source="folder")
    manifest = replace(run.manifest, system=replace(run.manifest.system, model=model))
    write_atomic(run.folder / "manifest.json", manifest)
    loadable, parent = resolve_system(run.id, resolved.recipe, tmp_path / "runs")
    assert loadable.system.prompt == run.manifest.system.prompt
    assert loadable.system.name.endswith(" (best prompt)")
    assert parent == run.id
    assert loadable.notes == [f"the prompt is the one that {run.id} found on development data"]
    (run.folder / "tuning" / "summary.json").unlink()
    with pytest.raises(UsageError, match="--tune"):
        resolve_system(run.id, resolved.recipe, tmp_path / "runs")
