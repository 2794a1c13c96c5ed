"""Trainings in two processes give the adapter of one: whole weights, divided weights, killed, and on two machines."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
import yaml

from liftbench.errors import RunFailed, UsageError
from liftbench.extension.loader import load_plugins
from liftbench.files import write_lines
from liftbench.records.conversation import Conversation
from liftbench.records.training import CurvePoint
from liftbench.runs.directory import Run
from liftbench.training import launched
from liftbench.training.launch import command, parse_launch
from liftbench.training.launched import train_launched
from liftbench.training.ranks import Ranks
from liftbench.training.trainer import TrainRequest, TrainResult
from liftbench_plugins.loading import device, load_model
from liftbench_plugins.trainers.low_rank import LoRATrainer, QLoRATrainer
from liftbench_plugins.trainers.options import LoRAOptions
from liftbench_plugins.trainers.rows import Row, Schedule

from ..support.trainings import train_request

ROOT = Path(__file__).resolve().parents[2]
TWO = Ranks(count=2)

on_cpu = pytest.mark.skipif(device() != "cpu", reason="two processes share no GPU")


@pytest.fixture
def request_for(
    tiny_chat_model: Path, conversations: list[Conversation], tmp_path: Path
) -> Callable[..., TrainRequest]:
    """A request of four steps; the last batch has one conversation, which two processes cannot share."""

    def build(name: str, record: Callable[[CurvePoint], None] = lambda _: None, **changes: Any) -> TrainRequest:
        options = {"batch_size": 4, "rank": 4, "alpha": 8, "learning_rate": 1e-2} | changes
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        return train_request(tiny_chat_model, conversations, folder, msgspec.convert(options, LoRAOptions), record)

    return build


def launch(request: TrainRequest, text: str, trainer: str) -> TrainResult:
    spec = load_plugins().find("trainer", trainer)
    return train_launched(spec, request, parse_launch(text), request.folder / "request.json")


def difference(one: Path, other: Path) -> float:
    """The largest difference of a weight between two adapters."""
    from safetensors.torch import load_file

    a, b = (load_file(adapter / "adapter_model.safetensors") for adapter in (one, other))
    assert a.keys() == b.keys()
    return max(float((a[name] - b[name]).abs().max()) for name in a)


def process_of(rank: int) -> psutil.Process:
    """The process of a rank that this one has launched."""
    for process in psutil.Process().children(recursive=True):
        if process.environ().get("RANK") == str(rank):
            return process
    raise AssertionError(f"there is no process of rank {rank}")


# ------------------------------------------------------------------------------------------------------- two processes


@on_cpu
def test_a_killed_process_ends_the_training_which_continues_to_the_adapter_of_one_process(
    request_for: Callable[..., TrainRequest],
) -> None:
    expected: list[CurvePoint] = []
    alone = LoRATrainer().train(request_for("alone", expected.append))

    def kill(point: CurvePoint) -> None:
        if point.step == 2:
            process_of(1).kill()

    with pytest.raises(RunFailed, match=r"process 1 of 2 was killed by SIGKILL .*\nThe same command continues"):
        launch(request_for("together", kill), "2", "lora")
    assert not psutil.Process().children(recursive=True)

    points: list[CurvePoint] = []
    together = launch(request_for("together", points.append), "2", "lora")
    assert [point.step for point in points if point.loss is not None] == [2, 3, 4], "it continues from a checkpoint"
    assert difference(alone.adapter, together.adapter) < 1e-5
    for point, other in zip(points, expected[2:], strict=True):
        assert (point.step, point.epoch) == (other.step, other.epoch)
        assert (point.loss is None) == (other.loss is None)
        losses = [one.loss or one.validation_loss for one in (point, other)]
        assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    for name in ("steps", "best_step", "rows_trained", "rows_reported", "tokens", "target_tokens"):
        assert getattr(together.summary, name) == getattr(alone.summary, name), name
    assert (alone.summary.processes, together.summary.processes) == (None, 2)
    left = sorted(path.name for path in (together.adapter.parent).iterdir())
    assert left == ["adapter", "checkpoints", "launch.log"]


@on_cpu
def test_weights_in_nf4_that_are_divided_over_processes_give_the_adapter_of_whole_ones(
    request_for: Callable[..., TrainRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    # As on a GPU: computed in bfloat16 under the policy of FSDP, where dropout hits nothing.
    options = {"dropout": 1e-9}
    alone = QLoRATrainer().train(request_for("alone", **options))

    def over_cpus(*arguments: Any) -> list[str]:
        worker, stand_in = "liftbench.training.worker", "tests.support.fsdp_on_cpu"
        return [stand_in if word == worker else word for word in command(*arguments)]

    monkeypatch.setattr(launched, "command", over_cpus)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])))
    request = request_for("divided", **options)
    divided = launch(request, "fsdp2:2", "qlora")
    assert difference(alone.adapter, divided.adapter) < 1e-5
    # 14 linear layers; their 28 adapter matrices, the embeddings and 5 norms are divided as well.
    assert "divided: 48, whole: [], in NF4: 14" in (request.folder / "launch.log").read_text()


SRUN = """#!/bin/sh
# Stands for Slurm's, with two machines that are this one.
while [ "$1" != bash ]; do shift; done
SLURM_PROCID=1 "$@" &
SLURM_PROCID=0 "$@"
status=$?
wait
exit $status
"""


@on_cpu
def test_two_machines_of_a_slurm_job_train_a_run_that_is_scored_as_ever(
    tiny_chat_model: Path,
    conversations: list[Conversation],
    tmp_path: Path,
    command_line: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_lines(tmp_path / "support" / "validation.jsonl", conversations[:3])
    write_lines(tmp_path / "support" / "train.jsonl", conversations[3:])
    (tmp_path / "bin").mkdir()
    srun = tmp_path / "bin" / "srun"
    srun.write_text(SRUN)
    srun.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    meeting = {"num_machines": 2, "main_process_ip": "127.0.0.1", "main_process_port": port}
    nodes = tmp_path / "nodes.yaml"
    nodes.write_text(yaml.safe_dump({"distributed_type": "MULTI_GPU", "num_processes": 2, **meeting}))
    settings = ["generation.max_new_tokens=4", "metrics.names=['rougeL']", "metrics.headlines=['rougeL']"]
    settings += ["train.options.batch_size=2", "train.options.max_steps=2", "train.options.learning_rate=1e-2"]
    common = ["--dataset", "support", "--split", "validation", "--model", str(tiny_chat_model), "--plugin", "lora"]
    common += [word for setting in settings for word in ("--set", setting)]

    runs = []
    for name, more in (("alone", []), ("together", ["--launch", str(nodes)])):
        done = command_line("train", *common, "--runs", name, "--json", *more)
        assert done.code == 0, done.err
        runs.append(Run(Path(json.loads(done.out)["folder"])))
    alone, together = runs
    assert together.manifest.status == "complete"
    assert together.manifest.key == alone.manifest.key
    assert together.training is not None
    assert together.training.processes == 2
    assert alone.adapter is not None
    assert together.adapter is not None
    assert difference(alone.adapter, together.adapter) < 1e-5
    assert [point.step for point in together.curve] == [point.step for point in alone.curve]
    assert not list(Path("together").glob(".*.json")), "the request holds conversations"


# ------------------------------------------------------------------------------------------------------- shared batches


def plan_of(rows: int, batch_size: int) -> Schedule:
    made = [Row(pairs=((number, 0),), prompt_ids=[number], targets=[[1]], shortened=False) for number in range(rows)]
    return Schedule(rows=made, batch_size=batch_size, rows_per_epoch=rows, left_out={})


@pytest.mark.parametrize(("processes", "micro_batch"), [(2, 1), (2, 2), (3, 1), (4, 1)])
@pytest.mark.parametrize("rows", [1, 4, 6, 7, 8])
def test_every_process_gets_as_many_rows_of_a_batch_and_none_twice(rows: int, processes: int, micro_batch: int) -> None:
    from liftbench_plugins.trainers.ranks import accumulation, share

    ranks = Ranks(count=processes)
    plan = plan_of(rows, 4)
    shared = share(plan, micro_batch, ranks)
    assert [row for row in shared if row.targets] == plan.rows
    turns = accumulation(4, micro_batch, ranks)
    in_a_batch = turns * micro_batch * processes
    assert len(shared) % (micro_batch * processes) == 0
    for step in range(plan.steps):
        batch = shared[step * in_a_batch : (step + 1) * in_a_batch]
        assert [row for row in batch if row.targets] == plan.rows[step * 4 : (step + 1) * 4]


def test_one_process_has_its_rows_as_they_are() -> None:
    from liftbench_plugins.trainers.ranks import accumulation, share

    plan = plan_of(7, 4)
    assert share(plan, 2, Ranks()) == plan.rows
    assert accumulation(4, 2, Ranks()) == 2


def test_a_batch_that_is_too_small_for_the_processes_is_refused() -> None:
    from liftbench_plugins.trainers.ranks import accumulation

    with pytest.raises(UsageError, match=r"batch_size is 4, too small for 3 processes with 2 .*\nLaunch fewer"):
        accumulation(4, 2, Ranks(count=3))


def test_a_row_without_a_target_adds_nothing_to_loss_and_gradient(tiny_chat_model: Path) -> None:
    import torch
    from peft import LoraConfig, get_peft_model

    from liftbench_plugins.trainers.fused_lora import fuse
    from liftbench_plugins.trainers.sft import base_for_training
    from liftbench_plugins.trainers.shared_prefix import collate, target_loss

    model = get_peft_model(base_for_training(tiny_chat_model, "bfloat16"), LoraConfig(target_modules="all-linear"))
    fuse(model)
    row, nothing = {"prompt_ids": [5, 6, 7], "targets": [[8, 9]]}, {"prompt_ids": [5], "targets": []}
    inputs = {
        name: value.to(device()) if isinstance(value, torch.Tensor) else value
        for name, value in collate([nothing], 0).items()
    }
    loss, tokens = target_loss(model, inputs)
    loss.backward()
    assert (loss.item(), tokens) == (0.0, 0)
    gradients = [parameter.grad for parameter in model.parameters() if parameter.requires_grad]
    # A process without a target takes part in the exchange all the same: every weight has a gradient.
    assert gradients
    assert all(gradient is not None and not gradient.any() for gradient in gradients)
    both, alone = collate([row, nothing], 0), collate([row], 0)
    assert (both["labels"].tolist(), both["sources"].tolist()) == (alone["labels"].tolist(), alone["sources"].tolist())


# ------------------------------------------------------------------------------------------------------ divided weights


def test_nf4_stored_as_bfloat16_is_the_same_weights(tiny_chat_model: Path) -> None:
    import torch

    ids = torch.tensor([[5, 6, 7]], device=device())
    logits = []
    for stored in ("uint8", "bfloat16"):
        model = load_model(tiny_chat_model, "nf4", packed_as=stored)
        weight = model.model.layers[0].mlp.up_proj.weight
        assert (type(weight).__name__, str(weight.dtype)) == ("Params4bit", f"torch.{stored}")
        with torch.no_grad():
            logits.append(model(input_ids=ids).logits)
    assert torch.equal(logits[0], logits[1])


def test_weights_are_not_divided_over_cpus_without_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    from liftbench_plugins.trainers import ranks

    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    monkeypatch.setattr(ranks, "device", lambda: "cpu")
    with pytest.raises(UsageError, match=r"over GPUs only.*\nUse --launch N"):
        ranks.join(TWO)


@pytest.mark.parametrize("sharded", [True, False])
def test_a_checkpoint_of_divided_weights_is_not_continued_with_whole_ones(tmp_path: Path, sharded: bool) -> None:
    from liftbench_plugins.trainers import checkpoints

    checkpoint = checkpoints.path(tmp_path, 3)
    checkpoint.mkdir()
    if sharded:
        (checkpoint / checkpoints.SHARDED).touch()
    checkpoints.require_kind(checkpoint, sharded=sharded)
    with pytest.raises(UsageError, match=r"step 3 was saved with .*\nContinue with the --launch .*--fresh"):
        checkpoints.require_kind(checkpoint, sharded=not sharded)
