"""Training through a third party's plugin: what it is handed, what is written down, how its adapter is scored."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, ClassVar

import pytest
from msgspec import Struct
from msgspec.structs import replace

from liftbench.data.similarity.scored import ScoredSplit
from liftbench.errors import LiftbenchError, UsageError
from liftbench.extension.loader import Plugins, load_plugins
from liftbench.extension.registry import Registry
from liftbench.files import read_lines, write_lines
from liftbench.judging.leakage import leaks
from liftbench.measuring.harness import new_manifest
from liftbench.measuring.plan import Measurement, prepare
from liftbench.measuring.systems import resolve_system, untuned
from liftbench.models.adapters import read_rows
from liftbench.models.references import resolve
from liftbench.plugin_api import (
    Conversation,
    CurvePoint,
    Trainer,
    TrainingSummary,
    TrainRequest,
    TrainResult,
    Turn,
    hookimpl,
)
from liftbench.progress import no_progress
from liftbench.recipe.resolve import ResolvedRecipe
from liftbench.runs.directory import Run
from liftbench.runs.open_run import open_run
from liftbench.training.adapter import Curve, copy_rows, plan_training, train
from liftbench.workflow.setup import resolve_recipe

from ..support.build import write_run


class ScaleOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    scale: float = 0.1


class ScaleTrainer(Trainer):
    """Learns nothing: an adapter of random weights, in the way that PEFT saves one."""

    precision: ClassVar[str] = "float32"
    requests: ClassVar[list[TrainRequest]] = []
    fail: ClassVar[bool] = False

    def train(self, request: TrainRequest) -> TrainResult:
        import torch
        from peft import LoraConfig, get_peft_model
        from transformers import AutoModelForCausalLM

        self.requests.append(request)
        for step in (1, 2):
            request.record(CurvePoint(step=step, epoch=step / 2, loss=1 / step))
        if self.fail:
            raise KeyboardInterrupt
        torch.manual_seed(request.seed)
        model = AutoModelForCausalLM.from_pretrained(request.model)
        adapted = get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False))
        adapted.save_pretrained(request.folder / "adapter")
        summary = TrainingSummary(
            trainer="scale",
            steps=2,
            best_step=2,
            best_validation_loss=None,
            stopped_early=False,
            conversations=len(request.train),
            validation_conversations=len(request.validation),
            rows_trained=len(request.train),
            rows_reported={},
            shortened=0,
            target_tokens=1,
            tokens=1,
            trainable_parameters=1,
            seconds=0.1,
            peak_memory_bytes=1,
            device="cpu",
        )
        return TrainResult(adapter=request.folder / "adapter", precision="float32", summary=summary)


class ThirdParty:
    @hookimpl
    def bench_register(self, registry: Registry) -> None:
        registry.trainer("scale", target=f"{__name__}:ScaleTrainer", options=f"{__name__}:ScaleOptions")


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> Plugins:
    monkeypatch.setattr(ScaleTrainer, "requests", [])
    monkeypatch.setattr(ScaleTrainer, "fail", False)
    loaded = load_plugins()
    loaded.add(ThirdParty(), "third-party", "third-party 1.0")
    return loaded


@pytest.fixture
def resolved(tmp_path: Path, conversations: list[Conversation], tiny_chat_model: Path) -> ResolvedRecipe:
    folder = tmp_path / "support"
    folder.mkdir()
    write_lines(folder / "validation.jsonl", conversations[:4])
    # Two of the scored conversations are in the training split too: one by its id, one under another id.
    again = Conversation(id="again", turns=conversations[1].turns, references=("Other words.",))
    write_lines(folder / "train.jsonl", [*conversations[4:], conversations[0], again])
    given = {"dataset": str(folder), "model": str(tiny_chat_model), "plugin": "scale"}
    settings = ["train.options={scale=0.2}", "generation.max_new_tokens=4", "model.precision=float32", "seed=7"]
    return resolve_recipe(str(_empty(tmp_path)), given, [], settings)


def _empty(folder: Path) -> Path:
    path = folder / "empty.toml"
    path.write_text("")
    return path


def trained(resolved: ResolvedRecipe, plugins: Plugins, runs: Path) -> tuple[Run, Measurement]:
    measurement = prepare(resolved, plugins)
    plan = plan_training(resolved.recipe, measurement, plugins)
    model = resolve(resolved.recipe.model.reference)
    base = untuned(resolved.recipe, model)
    manifest = new_manifest("train", base.system, measurement, resolved, argv=[], extra_key=plan.key)
    with open_run(manifest, [], runs, fresh=False) as run:
        train(run, plan, base, model, no_progress)
        return Run(run.folder), measurement


def test_a_trainer_never_sees_the_scored_split(resolved: ResolvedRecipe, plugins: Plugins, tmp_path: Path) -> None:
    run, measurement = trained(resolved, plugins, tmp_path / "runs")
    [request] = ScaleTrainer.requests
    seen = {c.id for c in (*request.train, *request.validation)}
    assert not seen & set(measurement.scored)
    assert "again" not in seen
    assert len(seen) == 8
    assert any("2 conversations of the training split were left out" in note for note in run.manifest.notes)


def test_the_request_holds_what_was_asked_for(resolved: ResolvedRecipe, plugins: Plugins, tmp_path: Path) -> None:
    run, _ = trained(resolved, plugins, tmp_path / "runs")
    [request] = ScaleTrainer.requests
    assert request.options == ScaleOptions(scale=0.2)
    assert request.seed == 7
    assert request.folder == run.folder / "training"
    assert request.prompt.style == "chat"
    assert len(request.validation) == 1


def test_the_run_tells_where_its_adapter_came_from(resolved: ResolvedRecipe, plugins: Plugins, tmp_path: Path) -> None:
    run, _ = trained(resolved, plugins, tmp_path / "runs")
    assert run.manifest.status == "trained"
    assert run.adapter is not None
    provenance = json.loads((run.adapter / "provenance.json").read_text())
    assert provenance["trainer"] == "scale"
    assert provenance["options"] == {"scale": 0.2}
    assert provenance["run"] == run.id
    assert len(provenance["rows"]) == 8
    system = run.manifest.system
    assert system.adapter is not None
    assert system.model is not None
    assert system.adapter.base_sha256 == system.model.sha256
    assert [point.step for point in run.curve] == [1, 2]


def test_a_finished_training_is_not_done_again(resolved: ResolvedRecipe, plugins: Plugins, tmp_path: Path) -> None:
    trained(resolved, plugins, tmp_path / "runs")
    trained(resolved, plugins, tmp_path / "runs")
    assert len(ScaleTrainer.requests) == 1


def test_an_interrupted_training_is_continued_in_its_run(
    resolved: ResolvedRecipe, plugins: Plugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScaleTrainer, "fail", True)
    with pytest.raises(KeyboardInterrupt):
        trained(resolved, plugins, tmp_path / "runs")
    monkeypatch.setattr(ScaleTrainer, "fail", False)
    run, _ = trained(resolved, plugins, tmp_path / "runs")
    first, second = ScaleTrainer.requests
    assert first.folder == second.folder
    assert first.train == second.train
    assert [point.step for point in run.curve] == [1, 2]


def test_a_resumed_curve_drops_what_is_done_again(tmp_path: Path) -> None:
    path = tmp_path / "curve.jsonl"
    for number in (1, 2, 3, 4):
        Curve(path).record(CurvePoint(step=number, epoch=0))
    with path.open("ab") as file:
        file.write(b'{"step": 5, "ep')
    curve = Curve(path)
    curve.record(CurvePoint(step=3, epoch=0, loss=1.0))
    curve.record(CurvePoint(step=3, epoch=0, validation_loss=2.0))
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(row["step"], row["loss"], row["validation_loss"]) for row in rows] == [
        (1, None, None),
        (2, None, None),
        (3, 1.0, None),
        (3, None, 2.0),
    ]


# ------------------------------------------------------------------------------------------- adapters and their bases


def test_an_adapter_is_found_by_its_run_or_folder_on_its_own_base(
    resolved: ResolvedRecipe, plugins: Plugins, tmp_path: Path, tiny_chat_model: Path
) -> None:
    run, _ = trained(resolved, plugins, tmp_path / "runs")
    for name in (run.id, str(run.folder), str(run.adapter)):
        subject, parent = resolve_system(name, resolved.recipe, tmp_path / "runs")
        assert parent == run.id
        assert subject.system == run.manifest.system
        assert subject.model == tiny_chat_model
        assert subject.notes == []


@pytest.mark.parametrize("told", ["precision", "base"])
def test_an_adapter_elsewhere_than_on_its_base_is_refused_unless_told(
    told: str, resolved: ResolvedRecipe, plugins: Plugins, tmp_path: Path, tiny_base_model: Path
) -> None:
    run, _ = trained(resolved, plugins, tmp_path / "runs")
    other: dict[str, Any] = {"precision": "bfloat16"} if told == "precision" else {"base": str(tiny_base_model)}
    with pytest.raises(UsageError, match="--allow-mismatch"):
        resolve_system(run.id, resolved.recipe, tmp_path / "runs", **other)
    subject, _ = resolve_system(run.id, resolved.recipe, tmp_path / "runs", allow_mismatch=True, **other)
    assert any("was scored anyway" in note for note in subject.notes)


def test_what_an_adapter_from_elsewhere_does_not_tell_is_unknown(
    resolved: ResolvedRecipe, plugins: Plugins, tmp_path: Path
) -> None:
    run, _ = trained(resolved, plugins, tmp_path / "runs")
    assert run.adapter is not None
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(run.adapter, elsewhere)
    (elsewhere / "provenance.json").unlink()
    subject, parent = resolve_system(str(elsewhere), resolved.recipe, tmp_path / "runs")
    adapter = subject.system.adapter
    assert adapter is not None
    assert (parent, adapter.trainer, adapter.base_sha256, adapter.precision) == (None, None, None, None)
    assert subject.system.name.endswith("+elsewhere")
    assert len(subject.notes) == 2


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda f: (f / "adapter_model.safetensors").rename(f / "adapter_model.bin"), "safetensors"),
        (lambda f: (f / "provenance.json").write_text("{"), "damaged"),
    ],
)
def test_an_adapter_that_cannot_be_trusted_is_refused(
    damage: Any, words: str, resolved: ResolvedRecipe, plugins: Plugins, tmp_path: Path
) -> None:
    run, _ = trained(resolved, plugins, tmp_path / "runs")
    assert run.adapter is not None
    damage(run.adapter)
    with pytest.raises(LiftbenchError, match=words):
        resolve_system(str(run.adapter), resolved.recipe, tmp_path / "runs")


def test_a_train_run_without_an_adapter_yet_says_so(
    resolved: ResolvedRecipe, plugins: Plugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScaleTrainer, "fail", True)
    with pytest.raises(KeyboardInterrupt):
        trained(resolved, plugins, tmp_path / "runs")
    [folder] = (tmp_path / "runs").glob("2*")
    with pytest.raises(UsageError, match="no adapter yet"):
        resolve_system(folder.name, resolved.recipe, tmp_path / "runs")


def test_a_trainer_must_leave_its_adapter_where_it_was_told(
    resolved: ResolvedRecipe, plugins: Plugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = ScaleTrainer.train

    def astray(self: ScaleTrainer, request: TrainRequest) -> TrainResult:
        result = original(self, request)
        return TrainResult(adapter=tmp_path, precision=result.precision, summary=result.summary)

    monkeypatch.setattr(ScaleTrainer, "train", astray)
    with pytest.raises(LiftbenchError, match="left its adapter in"):
        trained(resolved, plugins, tmp_path / "runs")


def test_the_whole_scored_split_is_kept_from_training_under_a_limit_too(
    resolved: ResolvedRecipe, plugins: Plugins
) -> None:
    limited = replace(resolved, recipe=replace(resolved.recipe, data=replace(resolved.recipe.data, limit=1)))
    measurement = prepare(limited, plugins)
    split = plan_training(limited.recipe, measurement, plugins).split
    assert len(measurement.scored) == 1
    assert split.left_out == 2


@pytest.mark.parametrize(
    ("setting", "same"),
    [
        ("seed=8", True),
        ("metrics.target=0.5", True),
        ("train.options={scale=0.3}", False),
        ("train.limit=5", False),
        ("train.validation_fraction=0.3", False),
        ("train.trials=0", True),
        ("train.trials=5", False),
        ("generation.max_input_tokens=900", False),
        ("data.clean=false", False),
        ("data.split=train", False),
    ],
)
def test_only_the_seed_may_differ_within_a_family(
    setting: str, same: bool, resolved: ResolvedRecipe, plugins: Plugins, tmp_path: Path
) -> None:
    given = {"dataset": str(tmp_path / "support"), "model": resolved.recipe.model.reference, "plugin": "scale"}
    settings = ["data.train_split=more", "train.options={scale=0.2}", setting]
    write_lines(
        tmp_path / "support" / "more.jsonl",
        [Conversation(id=f"m{n}", turns=(Turn(role="customer", text=f"Hi {n}"),), references=("x",)) for n in range(9)],
    )
    one, other = (
        plan_training(recipe.recipe, prepare(recipe, plugins), plugins)
        for recipe in (resolve_recipe(str(_empty(tmp_path)), given, [], some) for some in (settings[:2], settings))
    )
    assert (one.family == other.family) is same
    assert one.family != one.key


def test_what_nearly_is_a_scored_conversation_is_left_out_and_the_run_says_why(
    resolved: ResolvedRecipe, plugins: Plugins, tmp_path: Path
) -> None:
    def long(id_: str, last: str) -> Conversation:
        words = " ".join(f"w{number}" for number in range(60))
        return Conversation(id=id_, turns=(Turn(role="customer", text=f"{words} {last}"),), references=("Words.",))

    folder = tmp_path / "support"
    scored, training = (read_lines(folder / f"{name}.jsonl", Conversation) for name in ("validation", "train"))
    write_lines(folder / "validation.jsonl", [*scored, long("s", "end")])
    write_lines(folder / "train.jsonl", [*training, long("t", "finish")])
    run, _ = trained(resolved, plugins, tmp_path / "runs")
    reasons = "2 are in the scored split and 1 are nearly the same as one of it"
    assert f"3 conversations of the training split were left out: {reasons}" in run.manifest.notes


def scored_elsewhere(adapter: Path, resolved: ResolvedRecipe, plugins: Plugins, runs: Path) -> Run:
    """The run of an adapter that is known by its folder alone."""
    measurement = prepare(resolved, plugins)
    subject, _ = resolve_system(str(adapter), resolved.recipe, runs)
    with open_run(new_manifest("score", subject.system, measurement, resolved, argv=[]), [], runs, fresh=False) as run:
        if (rows := read_rows(adapter)) is not None:
            copy_rows(run, rows)
        return Run(run.folder)


def test_an_adapter_that_was_trained_on_what_is_scored_is_found_out_wherever_it_is_copied(
    resolved: ResolvedRecipe, plugins: Plugins, tmp_path: Path
) -> None:
    run, measurement = trained(resolved, plugins, tmp_path / "runs")
    assert run.adapter is not None
    elsewhere = shutil.copytree(run.adapter, tmp_path / "elsewhere")
    copied = scored_elsewhere(elsewhere, resolved, plugins, tmp_path / "other")
    assert copied.training_rows == run.training_rows
    assert (copied.training, copied.training_options, copied.curve, copied.adapter) == (None, {}, [], None)
    rows = copied.training_rows
    assert rows is not None
    assert leaks(ScoredSplit(list(measurement.conversations.values())), {}, rows) == []
    trained_on = read_lines(tmp_path / "support" / "train.jsonl", Conversation)[:8]
    assert {leak.id: leak.kind for leak in leaks(ScoredSplit(trained_on), {}, rows)} == {
        row.id: "trained on" if row.part == "train" else "chose the checkpoint" for row in rows
    }


def test_rows_that_a_run_has_stay_and_what_no_adapter_tells_is_not_known(
    resolved: ResolvedRecipe, plugins: Plugins, tmp_path: Path
) -> None:
    run, _ = trained(resolved, plugins, tmp_path / "runs")
    assert run.adapter is not None
    scored_elsewhere(run.adapter, resolved, plugins, tmp_path / "other")
    (run.adapter / "rows.jsonl").unlink()
    again = scored_elsewhere(run.adapter, resolved, plugins, tmp_path / "other")
    assert again.training_rows == run.training_rows
    assert scored_elsewhere(run.adapter, resolved, plugins, tmp_path / "new").training_rows is None


def test_a_run_that_only_scored_an_adapter_is_not_taken_for_the_untuned_model(
    resolved: ResolvedRecipe, tmp_path: Path
) -> None:
    run = write_run(tmp_path / "runs", command="score")
    assert run.manifest.system.adapter is not None
    with pytest.raises(UsageError, match="no adapter of its own"):
        resolve_system(run.id, resolved.recipe, tmp_path / "runs")
