"""The `qlora` trainer from request to adapter, on a tiny LLaMA in NF4."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from liftbench.errors import PrerequisiteError, RunFailed
from liftbench.extension.loader import load_plugins
from liftbench.records.conversation import Conversation, Turn
from liftbench.records.training import CurvePoint
from liftbench.training.trainer import TrainRequest, TrainResult
from liftbench_plugins.loading import device
from liftbench_plugins.trainers.low_rank import LoRATrainer, QLoRATrainer
from liftbench_plugins.trainers.options import LoRAOptions

from ..support.trainings import train_request

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def request_for(
    tiny_chat_model: Path, conversations: list[Conversation], tmp_path: Path
) -> Callable[..., TrainRequest]:
    """A request on nine training and three validation conversations, with options and fields changed."""

    def build(*, run: str = "run", record: Callable[[CurvePoint], None] | None = None, **changes: Any) -> TrainRequest:
        fields = {name: changes.pop(name) for name in ("train", "validation", "model") if name in changes}
        usual = train_request(
            tiny_chat_model,
            conversations,
            tmp_path / run,
            msgspec.convert({"batch_size": 4, "rank": 4, "alpha": 8, "references": "one"} | changes, LoRAOptions),
            record or (lambda _: None),
        )
        return msgspec.structs.replace(usual, **fields)

    return build


def train(request: TrainRequest) -> TrainResult:
    return QLoRATrainer().train(request)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


UNLIKE = tuple(
    Conversation(id=text, turns=(Turn(role="customer", text="7 8 9!"),), references=(text,))
    for text in ("QUITE UNLIKE: 123 (ANYTHING) ELSE?", "NO!")
)
"""For validation: what is learned from the others makes its loss rise after a few steps."""


class Killed(Exception):
    """Stands for a kill in the tests that can do without a process of their own."""


# ------------------------------------------------------------------------------------------------------------ options


def test_options_are_checked_without_torch() -> None:
    code = (
        "import sys, liftbench_plugins.trainers.low_rank as q; q.LoRAOptions(rank=8); "
        "sys.exit(','.join({'torch', 'transformers', 'numpy', 'datasets'} & set(sys.modules)) or 0)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"rank": 0}, ">= 1"),
        ({"dropout": 1.0}, "< 1"),
        ({"learning_rate": 0}, "> 0"),
        ({"epochs": 0}, "> 0"),
        ({"batch_size": 6, "micro_batch": 4}, "not a multiple of micro_batch"),
        ({"warmup_ratio": 0.1}, "unknown field `warmup_ratio`"),
        ({"target": "some-linear"}, "some-linear"),
    ],
)
def test_options_out_of_range_are_refused(values: dict[str, Any], reason: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=reason):
        msgspec.convert(values, LoRAOptions)


# --------------------------------------------------------------------------------------------------------- end to end


def test_a_training_leaves_an_adapter_its_counts_and_its_curve(request_for: Callable[..., TrainRequest]) -> None:
    import torch

    points: list[CurvePoint] = []
    request = request_for(epochs=1.5, learning_rate=1e-2, record=points.append)
    result = train(request)
    summary = result.summary

    assert result.adapter == request.folder / "adapter"
    assert result.precision == "nf4"
    assert sorted(files(result.adapter)) == ["adapter_config.json", "adapter_model.safetensors"]
    config = json.loads((result.adapter / "adapter_config.json").read_text())
    assert (config["base_model_name_or_path"], config["r"], config["lora_alpha"]) == ("tiny", 4, 8)
    assert {name.rpartition(".")[2] for name in config["target_modules"]} == {
        *("q_proj", "k_proj", "v_proj", "o_proj"),
        *("gate_proj", "up_proj", "down_proj"),
    }

    rows = 9 + 4
    assert (summary.steps, summary.stopped_early) == (math.ceil(rows / 4), False)
    assert (summary.conversations, summary.validation_conversations) == (9, 3)
    references = sum(len(conversation.references) for conversation in request.train)
    assert (summary.rows_trained or 0) + sum(summary.rows_reported.values()) == references
    assert (summary.tokens or 0) > (summary.target_tokens or 0) > rows
    assert summary.trainable_parameters > 0
    on_cpu = device() == "cpu"
    assert summary.device == ("cpu" if on_cpu else torch.cuda.get_device_name(0))
    # On the CPU the peak is that of the whole process, libraries included.
    assert (summary.peak_memory_bytes or 0) > (10**8 if on_cpu else 0)
    assert summary.seconds > 0

    losses = [point for point in points if point.loss is not None]
    validations = [point for point in points if point.validation_loss is not None]
    assert [point.step for point in losses] == [1, 2, 3, 4]
    assert losses[-1].epoch == pytest.approx(rows / 9)
    assert max(point.learning_rate or 0 for point in losses) == pytest.approx(1e-2)
    assert validations[-1].step == summary.steps
    assert summary.best_validation_loss == min(point.validation_loss or math.inf for point in validations)
    assert summary.best_step in {point.step for point in validations}
    assert [path.name for path in (request.folder / "checkpoints").iterdir()] == ["finished.json"]


@pytest.mark.parametrize("trainer", [LoRATrainer, QLoRATrainer])
@pytest.mark.parametrize(
    "options",
    [{}, {"rslora": True}, {"dora": True}, {"neftune": 5.0}, {"dropout": 0.1}],
    ids=lambda o: "".join(o) or "-",
)
def test_each_way_of_training_learns_and_is_loaded_with_the_logits_it_had(
    request_for: Callable[..., TrainRequest], trainer: type[LoRATrainer], options: dict[str, Any]
) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoTokenizer

    from liftbench_plugins.backends.adapter import with_adapter
    from liftbench_plugins.loading import load_model

    points: list[CurvePoint] = []
    request = request_for(learning_rate=2e-2, max_steps=6, epochs=9, record=points.append, **options)
    result = trainer().train(request)
    losses = [point.loss for point in points if point.loss is not None]
    assert losses[-1] < losses[0] - 0.2
    assert (result.precision, result.summary.trainer) == (trainer.precision, trainer.name)

    ids = torch.tensor([AutoTokenizer.from_pretrained(request.model)("Customer: my parcel is lost.")["input_ids"]])
    with torch.no_grad():
        peft = PeftModel.from_pretrained(load_model(request.model, trainer.precision), result.adapter).eval()
        scored = with_adapter(load_model(request.model, trainer.precision), result.adapter)
        base = load_model(request.model, trainer.precision)
        logits = [model(input_ids=ids.to(device())).logits.float() for model in (peft, scored, base)]
    # What is scored computes the adapter in bfloat16, as the training did; PEFT alone computes it in float32.
    assert (logits[0] - logits[1]).norm() < 0.03 * logits[0].norm()
    assert (logits[2] - logits[1]).norm() > 0.1 * logits[0].norm()


@pytest.mark.gpu
def test_a_training_runs_on_the_gpu(request_for: Callable[..., TrainRequest]) -> None:
    import torch

    summary = train(request_for(max_steps=2)).summary
    assert summary.device == torch.cuda.get_device_name(0)
    assert 0 < (summary.peak_memory_bytes or 0) < torch.cuda.get_device_properties(0).total_memory


def test_a_finished_training_is_reported_again_and_not_repeated(request_for: Callable[..., TrainRequest]) -> None:
    first = train(request_for(max_steps=1))
    before = files(first.adapter)
    points: list[CurvePoint] = []
    again = train(request_for(max_steps=1, record=points.append))
    assert (again, points, files(again.adapter)) == (first, [], before)


def test_losses_are_means_over_target_tokens_and_the_best_checkpoint_is_the_adapter(
    request_for: Callable[..., TrainRequest],
) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoTokenizer

    from liftbench_plugins.loading import load_model
    from liftbench_plugins.trainers.rows import Encoder, Row, schedule, validation_rows

    points: list[CurvePoint] = []
    options = {"epochs": 12, "learning_rate": 2e-2, "evaluations_per_epoch": 1, "patience": 99, "references": "all"}
    request = request_for(validation=UNLIKE, record=points.append, **options)
    summary = train(request).summary
    assert 0 < (summary.best_step or 0) < (summary.steps or 0)

    tokenizer = AutoTokenizer.from_pretrained(request.model)

    def encoder(part: tuple[Conversation, ...]) -> Encoder:
        return Encoder(part, request.prompt, tokenizer, max_input_tokens=300, context=1024)

    def mean_loss(model: Any, rows: list[Row]) -> float:
        """By the plain model on each reference alone, in a row of its own."""
        total, count = 0.0, 0
        model.eval()
        for row in rows:
            for target in row.targets:
                ids = torch.tensor([row.prompt_ids + target], device=device())
                with torch.no_grad(), torch.autocast(device().partition(":")[0], torch.bfloat16):
                    logits = model(input_ids=ids).logits[0, len(row.prompt_ids) - 1 : -1]
                labels = torch.tensor(target, device=device())
                total += torch.nn.functional.cross_entropy(logits.float(), labels, reduction="sum").item()
                count += len(target)
        return total / count

    base = load_model(request.model, "nf4")
    plan = schedule(
        request.train, encoder(request.train), references="all", epochs=12, batch_size=4, max_steps=None, seed=0
    )
    # A new adapter adds nothing, so the first step's loss is the base's.
    assert points[0].loss == pytest.approx(mean_loss(base, plan.first_rows(1)), rel=5e-3)
    adapted = PeftModel.from_pretrained(base, request.folder / "adapter")
    rows = validation_rows(request.validation, encoder(request.validation), "all", seed=0)
    assert summary.best_validation_loss == pytest.approx(mean_loss(adapted, rows), rel=5e-3)


def test_adapter_weights_are_float32_and_a_tiny_update_is_not_rounded_away(
    request_for: Callable[..., TrainRequest],
) -> None:
    from safetensors.torch import load_file

    request = request_for(learning_rate=1e-5, max_steps=3, warmup=0.0, validation=())
    weights = load_file(train(request).adapter / "adapter_model.safetensors")
    assert {str(tensor.dtype) for tensor in weights.values()} == {"torch.float32"}
    for name, tensor in weights.items():
        if "lora_A" in name:
            # Initial values are bfloat16; 1e-5 more or less on weights of 0.1 exists in float32 alone.
            assert (tensor != tensor.bfloat16().float()).any(), name


def test_gradient_checkpointing_does_not_change_what_is_learned(request_for: Callable[..., TrainRequest]) -> None:
    curves: list[list[float | None]] = []
    for checkpointing in (False, True):
        points: list[CurvePoint] = []
        options = {"max_steps": 3, "learning_rate": 1e-2, "gradient_checkpointing": checkpointing}
        train(request_for(run=str(checkpointing), record=points.append, **options))
        curves.append([point.loss for point in points if point.loss is not None])
    assert curves[0] == pytest.approx(curves[1], rel=1e-2)


def test_a_save_is_due_where_evaluations_are_far_apart(
    request_for: Callable[..., TrainRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    from liftbench_plugins.trainers import monitor

    monkeypatch.setattr(monitor, "SAVE_SECONDS", 0)

    def kill(point: CurvePoint) -> None:
        if point.step == 3:
            raise Killed

    options = {"max_steps": 4, "epochs": 9, "validation": ()}
    with pytest.raises(Killed):
        train(request_for(record=kill, **options))
    points: list[CurvePoint] = []
    train(request_for(record=points.append, **options))
    assert [point.step for point in points] == [3, 4]


def test_an_overfitted_model_says_the_summary_and_stops_by_itself(
    request_for: Callable[..., TrainRequest],
) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoTokenizer

    from liftbench.prompts.render import end_token, render
    from liftbench_plugins.loading import load_model

    summary = "Customer lost a parcel. Agent asks for the number."
    conversation = Conversation(
        id="one", turns=(Turn(role="customer", text="My parcel is lost."),), references=(summary,)
    )
    request = request_for()
    tokenizer = AutoTokenizer.from_pretrained(request.model)
    end = end_token(request.prompt, tokenizer)
    request = request_for(
        train=(conversation,),
        validation=(),
        epochs=60,
        batch_size=1,
        micro_batch=1,
        rank=16,
        learning_rate=2e-2,
    )
    result = train(request)
    assert (result.summary.best_step, result.summary.best_validation_loss) == (60, None)

    prompt = render(request.prompt, conversation, tokenizer, 300)
    model = PeftModel.from_pretrained(load_model(request.model, "nf4"), result.adapter).eval()
    generated = model.generate(
        input_ids=torch.tensor([prompt.token_ids], device=device()),
        max_new_tokens=80,
        do_sample=False,
        eos_token_id=end,
    )[0, len(prompt.token_ids) :].tolist()
    assert generated[-1] == end
    assert generated.count(end) == 1
    assert tokenizer.decode(generated[:-1]) == summary


def test_training_stops_early_where_validation_no_longer_improves(request_for: Callable[..., TrainRequest]) -> None:
    points: list[CurvePoint] = []
    options = {"epochs": 12, "learning_rate": 2e-2, "evaluations_per_epoch": 1, "patience": 2, "validation": UNLIKE}
    summary = train(request_for(record=points.append, **options)).summary
    losses = [point.validation_loss for point in points if point.validation_loss is not None]
    assert summary.stopped_early
    assert 0 < (summary.steps or 0) < 27
    assert losses.index(min(losses)) == len(losses) - 3
    assert summary.best_validation_loss == min(losses)


# ------------------------------------------------------------------------------------------------------------- resume

SIX_STEPS = {"epochs": 6, "max_steps": 6, "dropout": 0.1, "evaluations_per_epoch": 1, "learning_rate": 1e-2}
"""Evaluations, and so checkpoints, after steps 2, 4 and 6 (nine rows an epoch in batches of four)."""


@pytest.fixture(scope="module")
def uninterrupted() -> dict[str, Any]:
    return {}


@pytest.mark.parametrize(
    ("step", "of"), [(1, "loss"), (3, "loss"), (4, "validation_loss"), (5, "loss"), (6, "validation_loss")]
)
def test_a_resumed_training_gives_the_same_adapter(
    request_for: Callable[..., TrainRequest], uninterrupted: dict[str, Any], step: int, of: str
) -> None:
    if not uninterrupted:
        result = train(request_for(run="whole", **SIX_STEPS))
        uninterrupted.update(files=files(result.adapter), summary=result.summary)

    def kill(point: CurvePoint) -> None:
        if point.step == step and getattr(point, of) is not None:
            raise Killed

    with pytest.raises(Killed):
        train(request_for(run="parts", record=kill, **SIX_STEPS))
    again: list[CurvePoint] = []
    result = train(request_for(run="parts", record=again.append, **SIX_STEPS))
    assert again[0].step == (step - 1) // 2 * 2 + 1, "it should continue from the newest checkpoint"
    assert files(result.adapter) == uninterrupted["files"]
    for name in ("steps", "best_step", "best_validation_loss", "rows_trained", "tokens"):
        assert getattr(result.summary, name) == getattr(uninterrupted["summary"], name), name


def test_a_training_stopped_early_and_killed_before_its_adapter_was_out_does_not_train_on(
    request_for: Callable[..., TrainRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    from liftbench_plugins.trainers import checkpoints

    options = {"epochs": 12, "learning_rate": 2e-2, "evaluations_per_epoch": 1, "patience": 1, "validation": UNLIKE}
    expected = train(request_for(run="whole", **options))

    def killed(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "publish", killed)
        with pytest.raises(Killed):
            train(request_for(run="parts", **options))
    points: list[CurvePoint] = []
    result = train(request_for(run="parts", record=points.append, **options))
    assert points == []
    assert files(result.adapter) == files(expected.adapter)
    assert result.summary.steps == expected.summary.steps


def test_a_process_killed_in_the_middle_resumes_to_the_same_adapter(
    request_for: Callable[..., TrainRequest], tmp_path: Path, tiny_chat_model: Path
) -> None:
    expected = train(request_for(run="whole", **SIX_STEPS))
    plan = request_for(run="parts", **SIX_STEPS)
    (tmp_path / "conversations.json").write_bytes(msgspec.json.encode([plan.train, plan.validation]))
    (tmp_path / "victim.py").write_text(
        f"""
import os, signal, sys
from pathlib import Path
import msgspec
from liftbench.plugin_api import Conversation, ModelRecord, TrainRequest, no_progress, prompt_spec
from liftbench_plugins.trainers.low_rank import LoRAOptions, QLoRATrainer

folder = Path(__file__).parent
part = tuple[Conversation, ...]
train, validation = msgspec.json.decode((folder / "conversations.json").read_bytes(), type=tuple[part, part])

def kill(point):
    if point.step == 5:
        os.kill(os.getpid(), signal.SIGKILL)

QLoRATrainer().train(TrainRequest(
    model=Path({str(tiny_chat_model)!r}),
    model_record=ModelRecord(reference="tiny", sha256="0" * 64, source="test"),
    train=train, validation=validation, prompt=prompt_spec("Sum up:\\n{{conversation}}", "", "chat"),
    max_input_tokens=300, max_new_tokens=40, seed=0, folder=folder / "parts", record=kill, progress=no_progress,
    options=LoRAOptions(batch_size=4, rank=4, alpha=8, references="one", **{SIX_STEPS!r}),
))
"""
    )
    import torch

    environment = os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())}
    victim = subprocess.run(
        [sys.executable, str(tmp_path / "victim.py")], capture_output=True, text=True, check=False, env=environment
    )
    assert victim.returncode == -signal.SIGKILL, victim.stderr
    assert victim.stderr == "", "libraries' noise reached the screen"
    assert not (plan.folder / "adapter").exists()
    # A kill while a checkpoint is written leaves a part of it.
    half = plan.folder / "checkpoints" / "checkpoint-5"
    half.mkdir()
    (half / "adapter_model.safetensors").write_bytes(b"half")
    assert files(train(plan).adapter) == files(expected.adapter)


# ------------------------------------------------------------------------------------------------------------- faults


def test_a_loss_that_is_no_number_stops_training_at_once(request_for: Callable[..., TrainRequest]) -> None:
    points: list[CurvePoint] = []
    request = request_for(learning_rate=1e30, epochs=9, warmup=0.0, record=points.append)
    with pytest.raises(RunFailed, match=r"loss became (nan|inf) at step \d of 21\nLower train.options.learning_rate"):
        train(request)
    assert len(points) < 6
    assert all(math.isfinite(point.loss or 0) for point in points)
    assert not (request.folder / "adapter").exists()


@pytest.mark.parametrize("references", [(), (" ",)])
def test_without_a_usable_row_there_is_nothing_to_train_on(
    request_for: Callable[..., TrainRequest], references: tuple[str, ...]
) -> None:
    empty = Conversation(id="e", turns=(Turn(role="agent", text="hi"),), references=references)
    with pytest.raises(RunFailed, match="nothing to train on"):
        train(request_for(train=(empty,)))


def test_missing_packages_are_named_with_the_way_to_install_them(monkeypatch: pytest.MonkeyPatch) -> None:
    plugins = load_plugins()
    monkeypatch.setitem(sys.modules, "trl", None)
    words = r"'qlora' needs trl, which is not installed\nRun: pip install 'liftbench\[train\]'"
    with pytest.raises(PrerequisiteError, match=words):
        plugins.load(plugins.find("trainer", "qlora"))


def test_checkpoints_that_a_kill_left_behind_are_deleted(
    request_for: Callable[..., TrainRequest],
) -> None:
    request = request_for(max_steps=1)
    train(request)
    left = request.folder / "checkpoints" / "checkpoint-1"
    left.mkdir()
    train(request)
    assert not left.exists()


def test_a_full_gpu_is_told_with_the_option_to_lower(
    request_for: Callable[..., TrainRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from liftbench_plugins.trainers import sft

    def full(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(sft, "load_model", full)
    with pytest.raises(
        RunFailed, match=r"full\nLower train.options.micro_batch \(now 2\) or set .*gradient_checkpointing"
    ):
        train(request_for(micro_batch=2))
