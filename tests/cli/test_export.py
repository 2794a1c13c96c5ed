"""What is exported is what was trained, says how far it is from what was scored, and is judged as the adapter is."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

import liftbench
from liftbench.data.helpdesk import Helpdesk
from liftbench.files import write_atomic, write_lines
from liftbench.models.adapters import read_adapter, read_rows
from liftbench.records.export import ExportRecord
from liftbench.runs.directory import Run

SETTINGS: dict[str, Any] = {
    "generation.max_new_tokens": 8,
    "generation.batch_size": 4,
    "metrics.names": ["rouge1", "rougeL"],
    "metrics.headlines": ["rougeL"],
    "guards.slices": [],
    "train.options.max_steps": 4,
    "train.options.batch_size": 2,
    "train.options.learning_rate": 0.02,
}


class Made(NamedTuple):
    """A baseline and an adapter on NF4, of the tiny LLaMA."""

    baseline: Run
    trained: Run
    runs: Path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, tiny_chat_model: Path) -> Made:
    folder = tmp_path_factory.mktemp("export")
    write_lines(folder / "support" / "validation.jsonl", list(Helpdesk(None).read("test"))[:4])
    write_lines(folder / "support" / "train.jsonl", list(Helpdesk(None).read("train"))[:8])
    common: dict[str, Any] = {
        "model": tiny_chat_model,
        "dataset": folder / "support",
        "settings": SETTINGS,
        "runs": folder / "runs",
    }
    baseline = liftbench.baseline(**common)
    return Made(baseline, liftbench.train(plugin="qlora", **common), folder / "runs")


def card_of(folder: Path) -> Any:
    from huggingface_hub import ModelCard

    return ModelCard.load(folder / "README.md")


def texts(run: Run) -> dict[str, str]:
    return {id_: prediction.text for id_, prediction in run.predictions.items()}


def test_an_adapter_is_exported_as_it_is(made: Made, tmp_path: Path) -> None:
    done = liftbench.export(made.trained, to=tmp_path / "out", runs=made.runs)
    adapter = made.trained.adapter
    assert adapter is not None
    assert read_adapter(done.folder) == read_adapter(adapter)
    assert read_rows(done.folder) == read_rows(adapter)
    assert (done.record.scored, done.record.drift, done.record.dtype) == (made.trained.id, None, None)
    assert done.scored is not None
    assert done.verdict is not None
    text = (done.folder / "README.md").read_text()
    assert "What was scored is exactly what is here" in text
    assert made.trained.manifest.key[:16] in text
    assert "on other weights of this name the adapter is another system" in text


def test_a_run_in_another_folder_is_scored_as_it_is_there(made: Made, tmp_path: Path) -> None:
    done = liftbench.export(made.trained.folder, to=tmp_path / "out", runs=tmp_path / "none")
    assert done.scored is not None
    assert done.scored.id == made.trained.id


def test_a_card_names_no_folder_of_this_machine(made: Made, tmp_path: Path) -> None:
    done = liftbench.export(made.trained, form="merged", to=tmp_path / "out", runs=made.runs, conversations=1)
    text = (done.folder / "README.md").read_text()
    assert str(made.runs) in str(made.trained.manifest.argv)
    assert f"bench export {made.trained.id} --as merged --to out --score --runs runs" in text
    assert "runs=runs" in text
    assert "/tmp" not in text
    assert str(made.runs.parent) not in text


@pytest.mark.parametrize("form", ["merged", "gguf"])
def test_what_is_shipped_is_scored_and_judged_as_the_adapter_is(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: Any
) -> None:
    monkeypatch.setenv("LIFTBENCH_CACHE", str(tmp_path / "cache"))
    runs = shutil.copytree(made.runs, tmp_path / "runs")
    steps: list[tuple[int, int]] = []
    offered = liftbench.export(
        form=form, to=tmp_path / "out", runs=runs, progress=lambda done, total, _: steps.append((done, total))
    )
    drift = offered.record.drift
    assert drift is not None
    assert (8, 8) in steps  # of both systems
    assert drift.conversations == [conversation.id for conversation in made.trained.conversations]
    assert 0 < drift.mean < drift.largest < 2
    assert 0 < drift.divergence < 0.1
    assert drift.same_choices > 0.8
    assert (offered.scored, offered.record.scored) == (None, None)
    assert " --score --runs runs\n```" in (offered.folder / "README.md").read_text()

    said: list[str] = []
    done = liftbench.export(form=form, to=tmp_path / "out", runs=runs, score=True, say=said.append)
    assert any("already exported" in line for line in said)
    run = done.scored
    assert run is not None
    assert run.manifest.system.name == made.trained.manifest.system.name + {
        "merged": ", merged bfloat16",
        "gguf": ", GGUF bfloat16",
    }.get(form, "")
    assert (run.manifest.parent, run.manifest.protocol) == (made.trained.id, made.trained.manifest.protocol)
    assert run.manifest.family == made.trained.manifest.family
    assert run.training_rows == made.trained.training_rows
    same = sum(text == texts(made.trained)[id_] for id_, text in texts(run).items())
    assert same == drift.same_texts
    # Judged with nothing unknown: its base, its rows and its training are the adapter's.
    comparison = liftbench.compare(made.baseline.folder, run, runs=runs)
    guards = {guard.name: guard for guard in comparison.candidates[0].verdict.guards}
    assert [guards[name].state for name in ("same base", "leakage", "seeds")] == ["passed"] * 3
    assert done.verdict is not None
    assert done.verdict.sentence == comparison.candidates[0].verdict.sentence
    # The folder by itself is the same system: nothing is measured again.
    assert (
        liftbench.score(done.folder, dataset=made.runs.parent / "support", settings=SETTINGS, runs=runs).manifest.system
        == run.manifest.system
    )
    assert "What was scored is exactly what is here" in (done.folder / "README.md").read_text()
    assert msgspec.json.decode((done.folder / "export.json").read_bytes(), type=ExportRecord) == done.record


def test_the_card_is_one_that_the_hub_reads(made: Made, tmp_path: Path) -> None:
    done = liftbench.export(made.trained, to=tmp_path / "out", runs=made.runs)
    data = card_of(done.folder).data
    assert data.library_name == "peft"
    assert {"summarization", "qlora"} <= set(data.tags)
    assert (data.datasets, data.license) == (["support"], None)
    means = {row.name: row.mean for row in made.trained.summary.metrics}
    found = {result.metric_name: result for result in data.eval_results}
    assert found.keys() == {"ROUGE-1", "ROUGE-L"}
    assert found["ROUGE-L"].metric_value == pytest.approx(means["rougeL"], abs=1e-4)
    assert (found["ROUGE-L"].metric_type, found["ROUGE-L"].task_type) == ("rouge", "summarization")
    assert found["ROUGE-L"].dataset_split == "validation"
    text = card_of(done.folder).text
    assert "No licence is named here" in text
    assert "Guards that did not pass" in text
    assert f"| ROUGE-L | {means['rougeL']:.3f} |" in text
    assert "learning\\_rate = 0.02" in text


def test_a_card_has_no_results_of_what_was_not_scored(made: Made, tmp_path: Path) -> None:
    done = liftbench.export(made.trained, form="merged", to=tmp_path / "out", runs=made.runs, conversations=1)
    card = card_of(done.folder)
    assert card.data.library_name == "transformers"
    assert card.data.eval_results is None
    assert "**A verdict is about what was scored, and this was not.** The figures here are those of" in card.text
    assert " of 1 texts are the same" in card.text


def test_a_whole_model_is_exported_as_what_it_is(made: Made, tmp_path: Path, tiny_chat_model: Path) -> None:
    settings = {key: value for key, value in SETTINGS.items() if "learning_rate" not in key}
    support, runs = made.runs.parent / "support", tmp_path / "runs"
    run = liftbench.train(plugin="full", model=tiny_chat_model, dataset=support, settings=settings, runs=runs)
    done = liftbench.export(run, form="merged", to=tmp_path / "out", runs=runs)
    assert done.record.drift is not None
    # It is in bfloat16 already.
    assert (done.record.drift.largest, done.record.drift.same_texts) == (0, 4)
    assert "all of whose weights were trained" in card_of(done.folder).text
    assert liftbench.export(run, to=tmp_path / "as-it-is", runs=runs).record.scored == run.id


def test_a_licence_and_a_name_come_from_the_base(made: Made, tmp_path: Path, tiny_chat_model: Path) -> None:
    base = shutil.copytree(tiny_chat_model, tmp_path / "base")
    (base / "README.md").write_text("---\nlanguage: en\nlicense: mit\n---\n# Base\n")
    done = liftbench.export(made.trained, to=tmp_path / "out", runs=made.runs, model=str(base))
    assert card_of(done.folder).data.license == "mit"
    assert "No licence" not in card_of(done.folder).text


def test_the_command_prints_the_drift_and_the_offer(
    made: Made, tmp_path: Path, command_line: Callable[..., Any]
) -> None:
    arguments = ["export", made.trained.id, "--as", "merged", "--to", "out", "--runs", str(made.runs)]
    done = command_line(*arguments)
    assert done.code == 0, done.err
    assert "drift from what was scored, over" in done.out
    assert "of 4 texts are the same" in done.out
    offer = next(line for line in done.out.splitlines() if line.startswith("bench export"))
    assert offer == f"bench export {made.trained.id} --as merged --to out --score --runs {made.runs}"
    again = json.loads(command_line(*arguments, "--json").out)
    assert again["export"]["drift"]["tokens"] > 0
    assert again["offer"] == offer
    changed = command_line(*arguments, "--dtype", "float16")
    assert (changed.code, "--force" in changed.err) == (2, True)
    assert command_line(*arguments, "--dtype", "float16", "--force", "--conversations", "1").code == 0
    half = command_line(*arguments, "--dtype", "float16", "--baseline", made.baseline.id)
    assert "--score --dtype float16 --runs" in half.out
    assert "what the training left: Not proven: " in half.out
    assert json.loads((tmp_path / "out" / "export.json").read_text())["dtype"] == "float16"


def test_what_is_in_the_folder_stays_if_the_export_fails(made: Made, tmp_path: Path, tiny_base_model: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(liftbench.UsageError, match="something else than an export"):
        liftbench.export(made.trained, to=tmp_path / "out", runs=made.runs, force=True)
    with pytest.raises(liftbench.UsageError, match="reads GGUF files in bfloat16"):
        liftbench.export(made.trained, form="gguf", dtype="float16", to=tmp_path / "out", runs=made.runs, force=True)
    with pytest.raises(liftbench.UsageError, match="on 0 conversations"):
        liftbench.export(made.trained, form="merged", to=tmp_path / "out", runs=made.runs, force=True, conversations=0)
    with pytest.raises(liftbench.UsageError, match="does not fit"):
        liftbench.export(made.trained, to=tmp_path / "out", runs=made.runs, force=True, model=str(tiny_base_model))
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]


def test_a_run_without_an_adapter_is_refused(made: Made, tmp_path: Path) -> None:
    with pytest.raises(liftbench.UsageError, match=r"trained nothing(.|\n)*bench train"):
        liftbench.export(made.baseline, to=tmp_path / "out", runs=made.runs)
    with pytest.raises(liftbench.UsageError, match="no trained run"):
        liftbench.export(to=tmp_path / "out", runs=tmp_path)


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "provenance.json"])
def test_an_adapter_that_was_changed_is_not_exported_with_its_provenance(made: Made, tmp_path: Path, name: str) -> None:
    run = Run(shutil.copytree(made.trained.folder, tmp_path / made.trained.id))
    assert run.adapter is not None
    if name == "provenance.json":
        provenance = json.loads((run.adapter / name).read_text())
        write_atomic(run.adapter / name, provenance | {"rows": {}})
    else:
        data = bytearray((run.adapter / name).read_bytes())
        data[-1] ^= 1
        (run.adapter / name).write_bytes(data)
    with pytest.raises(liftbench.UsageError, match="is not the one that it trained"):
        liftbench.export(run, to=tmp_path / "out", runs=tmp_path)


def test_the_card_says_that_other_seeds_were_scored_in_another_form(made: Made, tmp_path: Path) -> None:
    runs = shutil.copytree(made.runs, tmp_path / "runs")
    second = liftbench.train(
        plugin="qlora",
        model=made.trained.manifest.system.model.reference,  # type: ignore[union-attr]
        dataset=made.runs.parent / "support",
        settings=SETTINGS | {"seed": 1},
        runs=runs,
    )
    done = liftbench.export(made.trained, form="merged", to=tmp_path / "out", runs=runs, score=True)
    told = f"other seeds of this training: `{second.manifest.system.name}` (run `{second.id}`)."
    assert told in (done.folder / "README.md").read_text()


def test_an_export_without_its_weights_is_not_taken_for_one(made: Made, tmp_path: Path) -> None:
    done = liftbench.export(made.trained, to=tmp_path / "out", runs=made.runs)
    (done.folder / "adapter_model.safetensors").unlink()
    with pytest.raises(liftbench.UsageError, match="another export in it"):
        liftbench.export(made.trained, to=tmp_path / "out", runs=made.runs)


def test_other_weights_do_not_pass_for_an_export(made: Made, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    done = liftbench.export(made.trained, form="merged", to=tmp_path / "out", runs=made.runs, conversations=1)
    path = done.folder / "model.safetensors"
    save_file({name: tensor * 1.5 for name, tensor in load_file(path).items()}, path, metadata={"format": "pt"})
    assert read_rows(done.folder) is None
    with pytest.raises(liftbench.UsageError, match="another export in it"):
        liftbench.export(made.trained, form="merged", to=tmp_path / "out", runs=made.runs)
