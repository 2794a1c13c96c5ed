"""One fine-tuning with TRL, of an adapter or of all weights, from the request to the finished result.

Imports torch, transformers, PEFT, TRL and datasets: import this module only where a training begins.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import (
    AttentionInterface,
    GenerationConfig,
    PrinterCallback,
    TrainerState,
)
from trl import SFTConfig

from liftbench.plugin_api import (
    PrerequisiteError,
    RunFailed,
    TrainingEstimate,
    TrainingSummary,
    TrainRequest,
    UsageError,
    no_progress,
    peak_memory,
)
from liftbench_plugins.backends.transformers import unpack_nf4
from liftbench_plugins.loading import (
    check_ids,
    check_targets,
    check_vocabulary,
    context_of,
    device,
    explain_loading,
    load_config,
    load_model,
    load_tokenizer,
    valid_pad,
)
from liftbench_plugins.quantization import own_quantization

from . import checkpoints, ranks
from .calibration import calibrate
from .flex import choose_flex
from .master_weights import MasterAdamW
from .monitor import TrainingMonitor, evaluation_steps, seconds, validation_losses
from .options import FullOptions, LoRAOptions
from .rows import Encoder, Row, Schedule, schedule, trained_pairs, validation_rows
from .shared_prefix import ATTENTION, attention, collate, padding_of
from .target_loss import TargetLossTrainer

Options = LoRAOptions | FullOptions


def fine_tune(request: TrainRequest, folder: Path, adapter: Path, *, trainer: str, precision: str) -> TrainingSummary:
    """Train from the newest complete checkpoint in `folder`, or from the start, and publish the best in `adapter`.

    With `FullOptions` all weights are trained, and the result is a whole model. If several processes train, all call
    this, and the main one alone writes.
    """
    options: Options = request.options
    ranks.join(request.ranks)
    tokenizer = load_tokenizer(request.model)
    plan, validation = _plan(request, tokenizer)
    _require_rows(plan)

    # Checked here, because `Trainer` would resume a training that had stopped early, and train on.
    with ranks.main_first(request.ranks):
        newest = checkpoints.newest_whole(folder)
    state = TrainerState.load_from_json(str(newest / checkpoints.STATE)) if newest else None
    if state is None or not _is_finished(state, plan, options):
        if newest:
            checkpoints.require_kind(newest, sharded=ranks.is_sharded())
        sft = _trainer(request, plan, validation, tokenizer, folder, precision)
        sft.train(resume_from_checkpoint=str(newest) if newest else None)
        state = sft.state
    best = state.best_global_step if validation else state.global_step
    chosen = checkpoints.path(folder, best)
    summary = _summary(request, plan, validation, state, chosen, trainer)
    if request.ranks.is_main:
        if isinstance(options, LoRAOptions):
            checkpoints.publish(chosen, adapter, request.model_record.reference)
        else:
            checkpoints.publish_model(chosen, adapter, request.model, dtype=precision)
    ranks.leave(request.ranks)
    return summary


def estimate(request: TrainRequest, *, precision: str) -> TrainingEstimate:
    """What `fine_tune` would take, predicted from a few steps over a sample of its rows."""
    tokenizer = load_tokenizer(request.model)
    plan, validation = _plan(request, tokenizer)
    _require_rows(plan)

    def build(options: Any, sample: Schedule, held_out: list[Row]) -> TargetLossTrainer:
        changed = msgspec.structs.replace(request, options=options, progress=no_progress)
        return _trainer(changed, sample, held_out, tokenizer, request.folder, precision)

    return calibrate(request, plan, validation, build)


def _require_rows(plan: Schedule) -> None:
    if not plan.rows:
        reasons = ", ".join(f"{count} × {reason}" for reason, count in plan.count_unused(0).items())
        raise RunFailed(f"there is nothing to train on: no training row is usable ({reasons or 'no rows'})")


def _plan(request: TrainRequest, tokenizer: Any) -> tuple[Schedule, list[Row]]:
    options: Options = request.options
    with explain_loading(request.model):
        # A model that does not say how much it can see has no limit.
        context = context_of(load_config(request.model)) or sys.maxsize
    train, validation = (
        Encoder(part, request.prompt, tokenizer, max_input_tokens=request.max_input_tokens, context=context)
        for part in (request.train, request.validation)
    )
    plan = schedule(
        request.train,
        train,
        references=options.references,
        epochs=options.epochs,
        batch_size=options.batch_size,
        max_steps=options.max_steps,
        seed=request.seed,
    )
    return plan, validation_rows(request.validation, validation, options.references, request.seed)


def _trainer(
    request: TrainRequest, plan: Schedule, validation: list[Row], tokenizer: Any, folder: Path, precision: str
) -> TargetLossTrainer:
    options: Options = request.options
    evaluations = evaluation_steps(plan, options.evaluations_per_epoch) if validation else frozenset()
    model = base_for_training(request.model, precision)
    rows = ranks.share(plan, options.micro_batch, request.ranks)
    held_out = ranks.fill(validation, options.micro_batch, request.ranks)
    check_base(model, tokenizer, [*plan.rows, *validation])
    if isinstance(options, LoRAOptions):
        check_targets(model, options.target)
        how: dict[str, Any] = {"peft_config": _adapter(options)}
    else:
        require_plain(request.model, model)
        how = {"optimizer_cls_and_kwargs": _optimizer(options)}
        # That of the base is published; the one that transformers would save with a checkpoint may be refused.
        model.generation_config = GenerationConfig()
    tokenizer.pad_token = tokenizer.convert_ids_to_tokens(valid_pad(tokenizer, model))
    trainer = TargetLossTrainer(
        model=model,
        args=_arguments(request, plan, folder),
        train_dataset=_dataset(rows),
        eval_dataset=_dataset(held_out) if validation else None,
        data_collator=partial(collate, pad=tokenizer.pad_token_id, pad_to=padding_of(model)),
        processing_class=tokenizer,
        callbacks=[TrainingMonitor(request, plan, evaluations)],
        **how,
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def _adapter(options: LoRAOptions) -> LoraConfig:
    return LoraConfig(
        r=options.rank,
        lora_alpha=options.alpha,
        use_rslora=options.rslora,
        use_dora=options.dora,
        lora_dropout=options.dropout,
        target_modules=options.target if isinstance(options.target, str) else list(options.target),
        task_type="CAUSAL_LM",
    )


def _optimizer(options: FullOptions) -> tuple[type[torch.optim.Optimizer], dict[str, Any]]:
    return MasterAdamW, {"lr": options.learning_rate, "max_grad_norm": options.max_grad_norm}


def base_for_training(folder: Path, precision: str) -> Any:
    """The base, with an attention for shared prefixes where there is one; on a CPU it is unpacked."""
    model = load_model(folder, precision, packed_as="bfloat16" if ranks.is_sharded() else "uint8")
    if device() == "cpu":
        # Unpacked once, the weights give the same numbers, and no step has to unpack them.
        unpack_nf4(model)
        if model.config.model_type == "llama":
            # Other architectures may pass attention what this one does not know: windows, caps, sinks.
            AttentionInterface.register(ATTENTION, attention)
            model.set_attn_implementation(ATTENTION)
    else:
        choose_flex(model, device())
    return model


def check_base(model: Any, tokenizer: Any, rows: list[Row]) -> None:
    """Raise `UsageError` unless the base has an embedding for each token of the rows."""
    check_vocabulary(tokenizer, model)
    check_ids([max(ids) for row in rows for ids in (row.prompt_ids, *row.targets)], tokenizer, model)


def require_plain(folder: Path, model: Any) -> None:
    """Raise `UsageError` if a base is quantized by itself: numbers of a few bits cannot take a gradient."""
    if own_quantization(load_config(folder)) is not None or not all(one.requires_grad for one in model.parameters()):
        raise UsageError(
            f"the weights of {folder} are quantized, so they cannot be trained themselves",
            "Use the unquantized model, or train an adapter: --plugin lora.",
        )


def _arguments(request: TrainRequest, plan: Schedule, folder: Path) -> SFTConfig:
    options: Options = request.options
    on_cpu = device() == "cpu"
    if not on_cpu and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise PrerequisiteError(
            f"{torch.cuda.get_device_name(0)} does not support bfloat16, which this training needs",
            "Hide it with CUDA_VISIBLE_DEVICES= to train on the CPU.",
        )
    arguments = SFTConfig(
        output_dir=str(folder),
        # All epochs form one pass over the ordered rows, so that a resume finds its place without shuffling again.
        num_train_epochs=1,
        train_sampling_strategy="sequential",
        per_device_train_batch_size=options.micro_batch,
        per_device_eval_batch_size=options.micro_batch,
        gradient_accumulation_steps=ranks.accumulation(options.batch_size, options.micro_batch, request.ranks),
        learning_rate=options.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=options.warmup,
        weight_decay=options.weight_decay,
        max_grad_norm=options.max_grad_norm,
        # The 8-bit optimizer knows nothing of weights that are divided over processes.
        optim="adamw_torch" if on_cpu or ranks.is_sharded() else "paged_adamw_8bit",
        # A plain layer and its adapter are one step on the CPU, which casts by itself; without an adapter all is in
        # bfloat16 anyway.
        bf16=isinstance(options, LoRAOptions) and (not on_cpu or options.dropout > 0 or options.dora),
        neftune_noise_alpha=options.neftune or None,
        use_cpu=on_cpu,
        # All adapter weights are used in every step, and there are no buffers that training changes.
        ddp_find_unused_parameters=False,
        ddp_broadcast_buffers=False,
        activation_checkpointing=options.gradient_checkpointing,
        dataloader_pin_memory=not on_cpu,
        # Rows are already tokenized, labelled and short enough.
        dataset_kwargs={"skip_prepare_dataset": True},
        max_length=None,
        remove_unused_columns=False,
        # `TrainingMonitor` decides when to evaluate and to save; the strategies only have to allow it.
        save_strategy="steps",
        save_steps=plan.steps,
        save_total_limit=2,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        logging_steps=1,
        logging_nan_inf_filter=False,
        disable_tqdm=True,
        report_to="none",
        seed=request.seed,
    )
    if not on_cpu:
        # One process uses one GPU; if it sees several, `Trainer` would wrap the model in `nn.DataParallel`.
        arguments._n_gpu = 1
    return arguments


def _dataset(rows: list[Row]) -> Dataset:
    return Dataset.from_dict({"prompt_ids": [row.prompt_ids for row in rows], "targets": [row.targets for row in rows]})


def _is_finished(state: TrainerState, plan: Schedule, options: Options) -> bool:
    return state.global_step >= plan.steps or checkpoints.out_of_patience(validation_losses(state), options.patience)


def _summary(
    request: TrainRequest, plan: Schedule, validation: list[Row], state: TrainerState, chosen: Path, trainer: str
) -> TrainingSummary:
    trained = plan.first_rows(state.global_step)
    return TrainingSummary(
        trainer=trainer,
        steps=state.global_step,
        best_step=checkpoints.step_of(chosen),
        best_validation_loss=state.best_metric if validation else None,
        stopped_early=state.global_step < plan.steps,
        conversations=len(request.train),
        validation_conversations=len(validation),
        rows_trained=len(trained_pairs(trained)),
        rows_reported=plan.count_unused(state.global_step),
        shortened=len(trained_pairs([row for row in trained if row.shortened])),
        target_tokens=sum(row.target_tokens for row in trained),
        tokens=sum(row.tokens for row in trained),
        trainable_parameters=checkpoints.count_parameters(chosen),
        seconds=seconds(state),
        peak_memory_bytes=peak_memory() if device() == "cpu" else int(torch.cuda.max_memory_allocated()),
        device=device() if device() == "cpu" else torch.cuda.get_device_name(0),
    )
