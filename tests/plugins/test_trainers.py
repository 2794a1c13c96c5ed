"""The trainers on TRL from request to result, on a tiny LLaMA; where nothing else is said, `qlora`."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from liftbench.errors import PrerequisiteError, RunFailed, UsageError
from liftbench.extension.loader import load_plugins
from liftbench.records.conversation import Conversation, Turn
from liftbench.records.training import CurvePoint
from liftbench.training.trainer import TrainRequest, TrainResult
from liftbench_plugins.loading import device
from liftbench_plugins.trainers.full import FullTrainer
from liftbench_plugins.trainers.low_rank import LoRATrainer, QLoRATrainer
from liftbench_plugins.trainers.options import FullOptions, LoRAOptions
from liftbench_plugins.trainers.trl_trainer import TRLTrainer

from ..support.quantized import FP8, change_model, to_fp8
from ..support.trainings import UNLIKE, Killed, files


def train(request: TrainRequest) -> TrainResult:
    return QLoRATrainer().train(request)


# ------------------------------------------------------------------------------------------------------------ options


def test_options_are_checked_without_torch() -> None:
    code = (
        "import sys, liftbench_plugins.trainers.low_rank, liftbench_plugins.trainers.full; "
        "from liftbench_plugins.trainers.options import LoRAOptions; LoRAOptions(rank=8); "
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
    tokens = [point.tokens or 0 for point in losses]
    assert tokens == sorted(set(tokens))
    assert tokens[-1] == summary.tokens
    assert all(0 < (point.memory_bytes or 0) <= (summary.peak_memory_bytes or 0) for point in points)
    assert [point.step for point in losses] == [1, 2, 3, 4]
    assert losses[-1].epoch == pytest.approx(rows / 9)
    assert max(point.learning_rate or 0 for point in losses) == pytest.approx(1e-2)
    assert validations[-1].step == summary.steps
    assert summary.best_validation_loss == min(point.validation_loss or math.inf for point in validations)
    assert summary.best_step in {point.step for point in validations}
    assert [path.name for path in (request.folder / "checkpoints").iterdir()] == ["finished.json"]


ADAPTERS: tuple[dict[str, Any], ...] = ({}, {"rslora": True}, {"dora": True}, {"neftune": 5.0}, {"dropout": 0.1})
"""Options of low-rank adapters that change what is computed."""

WAYS = [
    *((trainer, LoRAOptions, options) for trainer in (LoRATrainer, QLoRATrainer) for options in ADAPTERS),
    *((FullTrainer, FullOptions, options) for options in ({}, {"neftune": 5.0})),
]


@pytest.mark.parametrize(
    ("trainer", "kind", "options"), WAYS, ids=[f"{way[0].name}-{'-'.join(way[2]) or 'plain'}" for way in WAYS]
)
def test_each_way_of_training_learns_by_heart_and_is_loaded_with_the_logits_it_had(
    request_for: Callable[..., TrainRequest],
    conversations: list[Conversation],
    monkeypatch: pytest.MonkeyPatch,
    trainer: type[TRLTrainer],
    kind: Any,
    options: dict[str, Any],
) -> None:
    import torch
    from transformers import AutoTokenizer

    from liftbench_plugins.backends.adapter import attach
    from liftbench_plugins.backends.transformers import unpack_nf4
    from liftbench_plugins.loading import load_model
    from liftbench_plugins.trainers import sft

    made: list[Any] = []
    build = sft._trainer

    def keep(*given: Any) -> Any:
        made.append(build(*given))
        return made[0]

    monkeypatch.setattr(sft, "_trainer", keep)
    points: list[CurvePoint] = []
    learning = {"learning_rate": 2e-2, "max_steps": 12, "epochs": 99, "batch_size": 1}
    request = request_for(
        kind=kind, record=points.append, train=tuple(conversations[:2]), validation=(), **learning, **options
    )
    result = trainer().train(request)
    losses = [point.loss for point in points if point.loss is not None]
    assert losses[-1] < 0.5 * losses[0]
    assert (result.precision, result.summary.trainer) == (trainer.precision, trainer.name)

    ids = torch.tensor([AutoTokenizer.from_pretrained(request.model)("Customer: my parcel is lost.")["input_ids"]])
    ids = ids.to(device())
    whole = trainer is FullTrainer
    # Without the autocast that accelerate puts around it.
    in_training = made[0].accelerator.unwrap_model(made[0].model, keep_fp32_wrapper=False).eval()
    in_training.set_attn_implementation("sdpa")

    def load(*, adapted: bool = True, exact: bool = False) -> Any:
        model = load_model(result.adapter if whole and adapted else request.model, trainer.precision)
        if exact:
            unpack_nf4(model)
            torch.nn.Module.float(model)
        return attach(model, result.adapter).get_base_model() if adapted and not whole else model

    with torch.no_grad():
        with torch.autocast(device().partition(":")[0], torch.bfloat16, enabled=made[0].args.bf16):
            expected = in_training(input_ids=ids).logits.float()
        found, before = (load(adapted=adapted)(input_ids=ids).logits.float() for adapted in (True, False))
        assert (found - before).norm() > 0.1 * expected.norm()
        if whole:
            assert torch.equal(found, expected)
        else:
            # The training adds up base and adapter in another order, so single numbers are rounded to a neighbour.
            assert (found - expected).norm() < 0.03 * expected.norm()
            exact = in_training.float()(input_ids=ids).logits
            loaded = load(exact=True)(input_ids=ids).logits
            assert (loaded - exact).norm() < 1e-5 * exact.norm()


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


def test_the_whole_model_of_the_best_checkpoint_is_left_with_its_very_loss(
    request_for: Callable[..., TrainRequest],
) -> None:
    import torch

    from liftbench_plugins.loading import load_tokenizer
    from liftbench_plugins.trainers.rows import Encoder, validation_rows
    from liftbench_plugins.trainers.sft import base_for_training
    from liftbench_plugins.trainers.shared_prefix import collate, target_loss

    options = {"epochs": 5, "learning_rate": 1e-2, "evaluations_per_epoch": 1, "patience": 99, "references": "all"}
    request = request_for(kind=FullOptions, validation=UNLIKE, **options)
    result = FullTrainer().train(request)
    summary = result.summary
    assert 0 < (summary.best_step or 0) < (summary.steps or 0)
    tokenizer = load_tokenizer(result.adapter)
    encoder = Encoder(UNLIKE, request.prompt, tokenizer, max_input_tokens=300, context=1024)
    model = base_for_training(result.adapter, "bfloat16")
    total, count = 0.0, 0
    for row in validation_rows(UNLIKE, encoder, "all", seed=0):
        with torch.no_grad():
            inputs = collate([{"prompt_ids": row.prompt_ids, "targets": row.targets}], tokenizer.pad_token_id)
            loss, tokens = target_loss(model, inputs)
        total, count = total + loss.item(), count + tokens
    assert total / count == summary.best_validation_loss


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


def test_a_loss_is_that_of_the_whole_step_whatever_a_models_own_loss_takes(
    request_for: Callable[..., TrainRequest], monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import LlamaForCausalLM

    usual = train(request_for(run="usual", max_steps=2))
    # Gemma 4 says so: transformers then counts no targets, and each forward pass would have a mean of its own.
    monkeypatch.setattr(LlamaForCausalLM, "accepts_loss_kwargs", False, raising=False)
    assert files(train(request_for(run="other", max_steps=2)).adapter) == files(usual.adapter)


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


# ------------------------------------------------------------------------------------------------------------- faults


@pytest.mark.parametrize(
    ("trainer", "kind", "rate", "words"),
    [
        (QLoRATrainer, LoRAOptions, 1e30, "(nan|inf)"),
        (QLoRATrainer, LoRAOptions, 1e8, "(nan|that of equal logits for all 292 tokens)"),
        (LoRATrainer, LoRAOptions, 1e8, "(nan|that of equal logits for all 292 tokens)"),
        (FullTrainer, FullOptions, 1e8, "(nan|that of equal logits for all 292 tokens)"),
    ],
)
def test_a_loss_that_no_model_of_a_language_has_stops_training_at_once(
    request_for: Callable[..., TrainRequest], trainer: type[TRLTrainer], kind: Any, rate: float, words: str
) -> None:
    points: list[CurvePoint] = []
    request = request_for(kind=kind, learning_rate=rate, epochs=9, warmup=0.0, record=points.append)
    with pytest.raises(RunFailed, match=rf"loss became {words}.* at step \d of 21\nLower train.options.learning_rate"):
        trainer().train(request)
    assert len(points) < 6
    assert all(math.isfinite(point.loss or 0) for point in points)
    assert not (request.folder / "adapter").exists()


GUESS = math.log(49152)


@pytest.mark.parametrize(
    ("loss", "before", "expected"),
    [
        (2.5, 2.6, ""),
        (GUESS, 2.5, ""),
        (GUESS, GUESS, "equal logits"),
        (10.7, 10.7, ""),
        (200.0, 2.5, "ten times"),
        (math.inf, 2.5, "inf"),
        (math.nan, GUESS, "nan"),
    ],
)
def test_what_a_loss_tells_of_a_training(loss: float, before: float, expected: str) -> None:
    from liftbench_plugins.trainers.monitor import divergence

    told = divergence(loss, before, 49152)
    assert expected in told
    assert bool(told) is bool(expected)


def test_an_evaluation_in_the_middle_of_a_training_on_nf4_changes_nothing(
    request_for: Callable[..., TrainRequest],
) -> None:
    curves: list[list[float]] = []
    for part in ((), UNLIKE):
        points: list[CurvePoint] = []
        options = {"max_steps": 4, "epochs": 9, "evaluations_per_epoch": 9, "patience": 99, "dropout": 0.1}
        train(request_for(run=str(len(part)), record=points.append, learning_rate=1e-2, validation=part, **options))
        assert bool(part) is any(point.validation_loss is not None for point in points)
        curves.append([point.loss for point in points if point.loss is not None])
    assert curves[0] == curves[1]


def test_the_weights_of_a_quantized_base_are_not_trained_themselves(
    request_for: Callable[..., TrainRequest], tiny_chat_model: Path, tmp_path: Path
) -> None:
    base = change_model(tiny_chat_model, tmp_path / "fp8", to_fp8, quantization_config=FP8)
    with pytest.raises(UsageError, match=r"fp8 are quantized, so they cannot be trained themselves\n.*--plugin lora"):
        FullTrainer().train(request_for(kind=FullOptions, model=base))


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
