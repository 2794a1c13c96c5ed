"""A training that was killed has the same result, byte for byte, as one that was not."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from liftbench.records.training import CurvePoint
from liftbench.training.trainer import TrainRequest
from liftbench_plugins.trainers import checkpoints
from liftbench_plugins.trainers.full import FullTrainer
from liftbench_plugins.trainers.low_rank import QLoRATrainer
from liftbench_plugins.trainers.options import FullOptions, LoRAOptions
from liftbench_plugins.trainers.trl_trainer import TRLTrainer

from ..support.trainings import UNLIKE, Killed, files

SIX_STEPS = {"epochs": 6, "max_steps": 6, "evaluations_per_epoch": 1, "learning_rate": 1e-2}
"""Evaluations, and so checkpoints, after steps 2, 4 and 6 (nine rows an epoch in batches of four)."""

WAYS: dict[str, tuple[type[TRLTrainer], dict[str, Any]]] = {
    "qlora": (QLoRATrainer, {"kind": LoRAOptions, "dropout": 0.1, **SIX_STEPS}),
    "full": (FullTrainer, {"kind": FullOptions, "neftune": 5.0, **SIX_STEPS}),
}
"""Each draws random numbers in every step: a resume has to restore their state, too."""


@pytest.fixture(scope="module")
def uninterrupted() -> dict[str, Any]:
    return {}


@pytest.mark.parametrize(
    ("way", "step", "of"),
    [
        ("qlora", 1, "loss"),
        ("qlora", 3, "loss"),
        ("qlora", 4, "validation_loss"),
        ("qlora", 6, "validation_loss"),
        ("full", 2, "validation_loss"),
        ("full", 5, "loss"),
    ],
)
def test_a_resumed_training_gives_the_same_result(
    request_for: Callable[..., TrainRequest], uninterrupted: dict[str, Any], way: str, step: int, of: str
) -> None:
    trainer, options = WAYS[way]
    if way not in uninterrupted:
        whole = trainer().train(request_for(run="whole", **options))
        uninterrupted[way] = files(whole.adapter), whole.summary

    def kill(point: CurvePoint) -> None:
        if point.step == step and getattr(point, of) is not None:
            raise Killed

    with pytest.raises(Killed):
        trainer().train(request_for(run="parts", record=kill, **options))
    again: list[CurvePoint] = []
    result = trainer().train(request_for(run="parts", record=again.append, **options))
    assert again[0].step == (step - 1) // 2 * 2 + 1, "it should continue from the newest checkpoint"
    expected, summary = uninterrupted[way]
    assert files(result.adapter) == expected
    for name in ("steps", "best_step", "best_validation_loss", "rows_trained", "tokens"):
        assert getattr(result.summary, name) == getattr(summary, name), name


def test_a_training_stopped_early_and_killed_before_its_adapter_was_out_does_not_train_on(
    request_for: Callable[..., TrainRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"epochs": 12, "learning_rate": 2e-2, "evaluations_per_epoch": 1, "patience": 1, "validation": UNLIKE}
    expected = QLoRATrainer().train(request_for(run="whole", **options))

    def killed(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "publish", killed)
        with pytest.raises(Killed):
            QLoRATrainer().train(request_for(run="parts", **options))
    points: list[CurvePoint] = []
    result = QLoRATrainer().train(request_for(run="parts", record=points.append, **options))
    assert points == []
    assert files(result.adapter) == files(expected.adapter)
    assert result.summary.steps == expected.summary.steps


VICTIM = """
import os, signal, sys
from pathlib import Path
import msgspec
from liftbench.plugin_api import Conversation, ModelRecord, TrainRequest, no_progress, prompt_spec
from {module} import {trainer}
from liftbench_plugins.trainers.options import {options}

folder = Path(__file__).parent
part = tuple[Conversation, ...]
train, validation, values = msgspec.json.decode(
    (folder / "asked.json").read_bytes(), type=tuple[part, part, {options}]
)

def kill(point):
    if point.step == {step}:
        os.kill(os.getpid(), signal.SIGKILL)

{trainer}().train(TrainRequest(
    model=Path({model!r}),
    model_record=ModelRecord(reference="tiny", sha256="0" * 64, source="test"),
    train=train, validation=validation, prompt=prompt_spec("Sum up:\\n{{conversation}}", "", "chat"),
    max_input_tokens=300, max_new_tokens=40, seed=0, folder=folder / "parts", record=kill, progress=no_progress,
    options=values,
))
"""


@pytest.mark.parametrize("way", WAYS)
def test_a_process_killed_at_a_random_step_resumes_to_the_same_result(
    request_for: Callable[..., TrainRequest], tmp_path: Path, way: str
) -> None:
    import torch

    seed = int(os.environ.get("LIFTBENCH_TEST_SEED") or random.SystemRandom().randrange(10**6))
    step = random.Random(seed).randint(1, 6)
    print(f"killed at step {step}: repeat with LIFTBENCH_TEST_SEED={seed}")
    trainer, options = WAYS[way]
    expected = trainer().train(request_for(run="whole", **options))
    request = request_for(run="parts", **options)
    (tmp_path / "asked.json").write_bytes(msgspec.json.encode([request.train, request.validation, request.options]))
    (tmp_path / "victim.py").write_text(
        VICTIM.format(
            module=trainer.__module__,
            trainer=trainer.__name__,
            options=type(request.options).__name__,
            step=step,
            model=str(request.model),
        )
    )
    environment = os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())}
    victim = subprocess.run(
        [sys.executable, str(tmp_path / "victim.py")], capture_output=True, text=True, check=False, env=environment
    )
    assert victim.returncode == -signal.SIGKILL, victim.stderr
    assert victim.stderr == "", "libraries' noise reached the screen"
    assert not (request.folder / "adapter").exists()
    # A kill while a checkpoint is written leaves a part of it.
    half = request.folder / "checkpoints" / "checkpoint-6"
    half.mkdir(exist_ok=True)
    (half / checkpoints.STATE).unlink(missing_ok=True)
    (half / checkpoints.WEIGHTS).write_bytes(b"half")
    assert files(trainer().train(request).adapter) == files(expected.adapter)


def test_the_checkpoints_of_a_full_training_keep_one_optimizer(request_for: Callable[..., TrainRequest]) -> None:
    def kill(point: CurvePoint) -> None:
        if point.step == 6:
            raise Killed

    # The validation loss rises from the first evaluation on, so the best checkpoint is not the newest.
    trainer, options = WAYS["full"]
    request = request_for(record=kill, validation=UNLIKE, **options | {"patience": 9, "learning_rate": 3e-2})
    with pytest.raises(Killed):
        trainer().train(request)
    kept = {path.name: (path / checkpoints.OPTIMIZER).is_file() for path in (request.folder / "checkpoints").iterdir()}
    newest = json.loads((request.folder / "checkpoints" / "checkpoint-4" / checkpoints.STATE).read_text())
    assert newest["best_global_step"] == 2
    assert kept == {"checkpoint-2": False, "checkpoint-4": True}
