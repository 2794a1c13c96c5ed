"""Which checkpoint is continued from, when a training has run out of patience, and how an adapter is published."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from liftbench_plugins.trainers import checkpoints


def write_checkpoint(folder: Path, step: int, *, state: str = "{}", modules: tuple[str, ...] = ("b", "a")) -> Path:
    checkpoint = checkpoints.path(folder, step)
    checkpoint.mkdir(parents=True)
    (checkpoint / checkpoints.WEIGHTS).write_bytes(b"weights of %d" % step)
    config = {"target_modules": list(modules), "r": 4, "base_model_name_or_path": "/somewhere/local"}
    (checkpoint / checkpoints.CONFIG).write_text(json.dumps(config))
    (checkpoint / checkpoints.STATE).write_text(state)
    return checkpoint


def test_the_newest_checkpoint_is_by_step_not_by_name(tmp_path: Path) -> None:
    for step in (9, 10, 2):
        write_checkpoint(tmp_path, step)
    assert checkpoints.newest_whole(tmp_path) == checkpoints.path(tmp_path, 10)


@pytest.mark.parametrize("damage", ["no state", "half a state", "no weights"])
def test_what_a_kill_left_unfinished_is_deleted_and_the_one_before_is_taken(tmp_path: Path, damage: str) -> None:
    before, broken = write_checkpoint(tmp_path, 3), write_checkpoint(tmp_path, 6)
    if damage == "no state":
        (broken / checkpoints.STATE).unlink()
    elif damage == "half a state":
        (broken / checkpoints.STATE).write_text('{"global_step": ')
    else:
        (broken / checkpoints.WEIGHTS).unlink()
    assert checkpoints.newest_whole(tmp_path) == before
    assert not broken.exists()


def test_without_a_checkpoint_there_is_nothing_to_continue(tmp_path: Path) -> None:
    assert checkpoints.newest_whole(tmp_path) is None
    assert checkpoints.newest_whole(tmp_path / "missing") is None


@pytest.mark.parametrize(
    ("losses", "patience", "expected"),
    [
        ([], 1, False),
        ([3.0], 1, False),
        ([3.0, 2.0], 1, False),
        ([2.0, 3.0], 1, True),
        ([2.0, 2.0], 1, True),
        ([2.0, 3.0], 2, False),
        ([2.0, 3.0, 2.5], 2, True),
        ([2.0, 3.0, 1.9, 2.0], 2, False),
    ],
)
def test_patience_counts_evaluations_since_the_best(losses: list[float], patience: int, expected: bool) -> None:
    assert checkpoints.out_of_patience(losses, patience) is expected


def test_an_adapter_names_its_base_as_the_user_does_and_is_equal_for_equal_trainings(tmp_path: Path) -> None:
    published = []
    for number, modules in enumerate((("q", "v", "k"), ("k", "q", "v"))):
        checkpoint = write_checkpoint(tmp_path / str(number), 5, modules=modules)
        adapter = tmp_path / str(number) / "adapter"
        checkpoints.publish(checkpoint, adapter, "smollm2-135m")
        published.append({file.name: file.read_bytes() for file in adapter.iterdir()})
    assert published[0] == published[1]
    assert published[0][checkpoints.WEIGHTS] == b"weights of 5"
    config = json.loads(published[0][checkpoints.CONFIG])
    assert (config["base_model_name_or_path"], config["r"]) == ("smollm2-135m", 4)


def test_publishing_again_replaces_and_leaves_nothing_beside_the_adapter(tmp_path: Path) -> None:
    adapter = tmp_path / "adapter"
    (tmp_path / ".adapter").mkdir()
    (tmp_path / ".adapter" / "rest of a killed attempt").touch()
    for step in (1, 2):
        checkpoints.publish(write_checkpoint(tmp_path / "checkpoints", step), adapter, "base")
    assert (adapter / checkpoints.WEIGHTS).read_bytes() == b"weights of 2"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["adapter", "checkpoints"]
    assert sorted(path.name for path in adapter.iterdir()) == [checkpoints.CONFIG, checkpoints.WEIGHTS]


def write_model(folder: Path, *, files: tuple[str, ...] = ("model.safetensors",)) -> Path:
    folder.mkdir(parents=True)
    for name in files:
        (folder / name).write_bytes(f"weights in {folder.name}".encode())
    (folder / "config.json").write_text('{"hidden_size": 64, "torch_dtype": "float32"}')
    for name in ("tokenizer.json", "generation_config.json", "notes.md", "provenance.json", "conversion.json"):
        (folder / name).write_text(f"{name} of {folder.name}")
    return folder


def test_a_whole_model_has_the_weights_of_its_checkpoint_and_everything_else_of_its_base(tmp_path: Path) -> None:
    base, checkpoint = write_model(tmp_path / "base"), write_model(tmp_path / "checkpoint-3")
    model = tmp_path / "adapter"
    checkpoints.publish_model(checkpoint, model, base, dtype="bfloat16")
    found = {path.name: path.read_text() for path in model.iterdir()}
    assert json.loads(found.pop("config.json")) == {"hidden_size": 64, "dtype": "bfloat16"}
    assert found == {
        "model.safetensors": "weights in checkpoint-3",
        "tokenizer.json": "tokenizer.json of base",
        "generation_config.json": "generation_config.json of base",
    }


def test_weights_in_several_files_come_with_their_own_index(tmp_path: Path) -> None:
    parts = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json")
    base, checkpoint = write_model(tmp_path / "base", files=parts[2:]), write_model(tmp_path / "trained", files=parts)
    checkpoints.publish_model(checkpoint, tmp_path / "adapter", base)
    assert {path.name for path in checkpoints.weights_of(tmp_path / "adapter")} == set(parts[:2])
    assert (tmp_path / "adapter" / parts[2]).read_text() == "weights in trained"


def test_only_the_newest_checkpoint_keeps_its_optimizer_and_times_stay(tmp_path: Path) -> None:
    folders = [write_checkpoint(tmp_path, step) for step in (2, 4, 10)]
    for folder in folders:
        (folder / checkpoints.OPTIMIZER).touch()
    before = [folder.stat().st_mtime_ns for folder in folders]
    checkpoints.drop_old_optimizers(tmp_path, 10)
    assert [(folder / checkpoints.OPTIMIZER).is_file() for folder in folders] == [False, False, True]
    assert [folder.stat().st_mtime_ns for folder in folders] == before
    assert checkpoints.newest_whole(tmp_path) == folders[2]
