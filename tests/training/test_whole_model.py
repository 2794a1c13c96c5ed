"""A training that leaves a whole model: it is scored, copied, told apart and judged as an adapter is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import liftbench
from liftbench.data.similarity.scored import ScoredSplit
from liftbench.errors import UsageError
from liftbench.extension.loader import load_plugins
from liftbench.files import write_lines
from liftbench.judging.leakage import leaks
from liftbench.measuring.backend import Generation
from liftbench.measuring.generate import generate_batch, open_backend
from liftbench.measuring.systems import resolve_system
from liftbench.models.adapters import adapter_sha256, read_adapter, read_rows
from liftbench.models.references import resolve
from liftbench.plugin_api import Conversation, Prompt, Turn
from liftbench.runs.directory import Run
from liftbench.workflow.setup import resolve_recipe

SETTINGS = ("generation.max_new_tokens=4", "model.precision=bfloat16", "metrics.names=['rougeL', 'content-overlap']")
TRAIN = ("train.options.batch_size=4", "train.options.learning_rate=2e-2", "train.options.max_steps=2")


def spoken(number: int) -> Conversation:
    turns = (Turn(role="customer", text=f"Order {number} is late."), Turn(role="agent", text="I will look."))
    return Conversation(id=f"c{number}", turns=turns, references=(f"The customer asks about order {number}.",))


class Made(NamedTuple):
    options: dict[str, Any]
    baseline: Run
    trained: Run

    @property
    def folder(self) -> Path:
        assert self.trained.adapter is not None
        return self.trained.adapter


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, tiny_chat_model: Path) -> Made:
    """The untuned model's run, and that of the trainer `full`."""
    folder = tmp_path_factory.mktemp("whole")
    write_lines(folder / "data" / "validation.jsonl", [spoken(number) for number in range(4)])
    write_lines(folder / "data" / "train.jsonl", [spoken(number) for number in range(10, 20)])
    (folder / "empty.toml").write_text("")
    options: dict[str, Any] = {
        "recipe": folder / "empty.toml",
        "model": str(tiny_chat_model),
        "dataset": str(folder / "data"),
        "runs": folder / "runs",
    }
    baseline = liftbench.baseline(**options, settings=SETTINGS)
    trained = liftbench.train(**options, plugin="full", settings=(*SETTINGS, *TRAIN))
    return Made(options, baseline, trained)


def test_a_full_training_leaves_a_whole_model_beside_its_provenance(made: Made, tiny_chat_model: Path) -> None:
    from safetensors.torch import load_file

    names = {path.name for path in made.folder.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "provenance.json", "rows.jsonl"} <= names
    weights, base = (load_file(folder / "model.safetensors") for folder in (made.folder, tiny_chat_model))
    assert weights.keys() == base.keys()
    assert {str(tensor.dtype) for tensor in weights.values()} == {"torch.bfloat16"}
    assert all((weights[name].float() != base[name].bfloat16().float()).any() for name in weights)
    config, its = (json.loads((folder / "config.json").read_text()) for folder in (made.folder, tiny_chat_model))
    assert config == its | {"dtype": "bfloat16"}
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        assert (made.folder / name).read_bytes() == (tiny_chat_model / name).read_bytes()
    provenance = json.loads((made.folder / "provenance.json").read_text())
    assert (provenance["trainer"], provenance["precision"], len(provenance["rows"])) == ("full", "bfloat16", 10)
    assert made.trained.training is not None
    assert made.trained.training.trainable_parameters == sum(tensor.numel() for tensor in weights.values())


def test_its_run_is_measured_on_its_weights_under_its_bases_name(made: Made, tiny_chat_model: Path) -> None:
    system, base = made.trained.manifest.system, made.baseline.manifest.system
    assert (made.trained.manifest.status, system.name) == ("complete", f"{base.name}+full")
    assert (system.model, system.precision, system.prompt) == (base.model, "bfloat16", base.prompt)
    assert system.adapter is not None
    assert system.adapter.whole_model is True
    assert system.adapter.base_sha256 == resolve(str(tiny_chat_model)).record.sha256
    texts, before = ({id_: one.text for id_, one in run.predictions.items()} for run in (made.trained, made.baseline))
    assert texts != before


@pytest.mark.parametrize("name", ["run", "folder", "copy"])
def test_it_is_scored_again_by_its_run_its_folder_and_a_copy(made: Made, tmp_path: Path, name: str) -> None:
    copy = shutil.copytree(made.folder, tmp_path / "copy")
    given = {"run": made.trained.id, "folder": str(made.folder), "copy": str(copy)}[name]
    options = {key: value for key, value in made.options.items() if key not in ("model", "runs")}
    again = liftbench.score(given, **options, runs=made.options["runs"], settings=SETTINGS, fresh=True)
    assert again.manifest.system == made.trained.manifest.system
    assert again.manifest.parent == made.trained.id
    assert {id_: one.text for id_, one in again.predictions.items()} == {
        id_: one.text for id_, one in made.trained.predictions.items()
    }
    assert again.training_rows == made.trained.training_rows
    assert again.manifest.family == made.trained.manifest.family


def test_a_conversation_that_it_was_trained_on_is_a_leak(made: Made) -> None:
    rows = read_rows(made.folder)
    assert rows is not None
    assert {leak.id for leak in leaks(ScoredSplit([spoken(10), spoken(3)]), {}, rows)} == {"c10"}


def change_weights(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = folder / "model.safetensors"
    save_file({name: tensor * 1.01 for name, tensor in load_file(path).items()}, path, {"format": "pt"})


def change_stop(folder: Path) -> None:
    path = folder / "generation_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"eos_token_id": [0, 5]}))


@pytest.mark.parametrize("change", [change_weights, change_stop])
def test_what_was_changed_after_its_training_is_not_vouched_for(
    made: Made, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    copy = shutil.copytree(made.folder, tmp_path / "copy")
    before = adapter_sha256(copy)
    change(copy)
    record, _ = read_adapter(copy)
    assert record.sha256 != before
    assert (record.rows, record.seed, record.family) == (None, None, None)
    assert read_rows(copy) is None


def test_without_provenance_it_is_a_model_like_any_other(made: Made, tmp_path: Path) -> None:
    copy = shutil.copytree(made.folder, tmp_path / "copy")
    (copy / "provenance.json").unlink()
    recipe = resolve_recipe(str(made.options["recipe"]), {"dataset": made.options["dataset"]}, [], []).recipe
    subject, parent = resolve_system(str(copy), recipe, made.options["runs"])
    assert (subject.system.adapter, subject.adapter, subject.trained, parent) == (None, None, None, None)
    assert subject.system.model is not None
    assert subject.system.model.reference == str(copy)


def test_another_base_or_precision_than_its_own_is_refused(made: Made, tiny_base_model: Path) -> None:
    options = {key: value for key, value in made.options.items() if key not in ("model",)}
    with pytest.raises(UsageError, match="does not fit: it was trained on weights"):
        liftbench.score(str(made.folder), **options, model=str(tiny_base_model), settings=SETTINGS)
    with pytest.raises(UsageError, match="would be scored in float32"):
        liftbench.score(str(made.folder), **options, precision="float32", settings=SETTINGS)


def test_a_damaged_one_is_refused(made: Made, tmp_path: Path) -> None:
    copy = shutil.copytree(made.folder, tmp_path / "copy")
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    with pytest.raises(UsageError, match="cut off or damaged"):
        read_adapter(copy)


def test_its_verdict_knows_its_base_and_its_rows(made: Made) -> None:
    comparison = liftbench.compare(made.baseline, [made.trained])
    [judged] = comparison.candidates
    guards = {guard.name: guard for guard in judged.verdict.guards}
    assert guards["same base"].state == "passed"
    assert "trained from the baseline's own weights" in guards["same base"].words
    assert guards["leakage"].state == "passed"


def test_the_prompt_in_training_is_that_of_scoring_token_for_token(
    made: Made, tiny_chat_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from liftbench_plugins.loading import load_tokenizer
    from liftbench_plugins.trainers.rows import Encoder

    recipe = resolve_recipe(str(made.options["recipe"]), {"dataset": made.options["dataset"]}, [], []).recipe
    plugins = load_plugins()
    subject, _ = resolve_system(str(made.folder), recipe, made.options["runs"])
    backend = open_backend(subject, recipe, plugins)
    given: list[list[int]] = []

    def record(prompts: Sequence[Prompt], _: int) -> list[Generation]:
        given.extend(prompt.token_ids for prompt in prompts)
        return [Generation(text="", new_tokens=1, finish_reason="stop") for _ in prompts]

    monkeypatch.setattr(backend, "generate", record)
    scored = [spoken(number) for number in range(4)]
    assert subject.system.prompt is not None
    generate_batch(backend, scored, subject.system.prompt, recipe, [])
    budget = recipe.generation.max_input_tokens
    encoder = Encoder(
        scored, subject.system.prompt, load_tokenizer(tiny_chat_model), max_input_tokens=budget, context=2048
    )
    rows = [encoder.row([(number, 0)])[0] for number in range(4)]
    assert given == [row.prompt_ids for row in rows if row]


def test_a_summary_is_written_with_it(made: Made) -> None:
    options = {key: value for key, value in made.options.items() if key not in ("dataset",)}
    one = liftbench.summarize(spoken(3), adapter=made.folder, **options, settings=SETTINGS)
    assert one.text == made.trained.predictions["c3"].text
