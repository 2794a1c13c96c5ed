"""The checkpoints of a training: which are complete, when to stop, and how the best one becomes the result.

A checkpoint, like a result, holds an adapter in PEFT's format, or a whole model in transformers' format.
"""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from liftbench.plugin_api import UsageError
from liftbench_plugins.model_files import CONFIG as MODEL_CONFIG
from liftbench_plugins.model_files import INDEX, settings_in, write_config
from liftbench_plugins.tensor_files import read_header

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"
OPTIMIZER = "optimizer.pt"
SHARDED = "pytorch_model_fsdp.bin"
STATE = "trainer_state.json"
"""Transformers' `Trainer` writes this file last, so a checkpoint in which it is complete is complete."""


def path(folder: Path, step: int) -> Path:
    """The folder of an optimizer step's checkpoint, by transformers' naming."""
    return folder / f"checkpoint-{step}"


def step_of(checkpoint: Path) -> int:
    """The optimizer step of a checkpoint's folder."""
    return int(checkpoint.name.removeprefix("checkpoint-"))


def newest_whole(folder: Path) -> Path | None:
    """The newest complete checkpoint, or None. Checkpoints that a kill left incomplete are deleted."""
    whole = {}
    for candidate in folder.glob("checkpoint-*"):
        step = candidate.name.removeprefix("checkpoint-")
        if step.isdigit() and _is_whole(candidate):
            whole[int(step)] = candidate
        else:
            shutil.rmtree(candidate)
    return whole[max(whole)] if whole else None


def require_kind(checkpoint: Path, *, sharded: bool) -> None:
    """Raise `UsageError` for a checkpoint that was saved with weights divided over processes (FSDP) if they are not
    divided now, or the other way round: optimizer states are stored differently."""
    if (checkpoint / SHARDED).exists() != sharded:
        way = "whole weights in every process" if sharded else "weights divided over processes (FSDP)"
        raise UsageError(
            f"the checkpoint of step {step_of(checkpoint)} was saved with {way}",
            "Continue with the --launch that it was begun with, or start over with --fresh.",
        )


def out_of_patience(losses: Sequence[float], patience: int) -> bool:
    """Whether none of the last `patience` evaluations was better than the best one before them.

    The result depends only on the losses, so a resumed training decides like an uninterrupted one.
    """
    return len(losses) - 1 - losses.index(min(losses)) >= patience if losses else False


def publish(checkpoint: Path, adapter: Path, base: str) -> None:
    """Write a checkpoint's adapter as a folder in PEFT's format, completely or not at all.

    `base` is the user's name of the base; it replaces the local folder that the checkpoint names. The configuration is
    written in a fixed order (PEFT keeps some lists as sets), so that equal adapters have equal bytes.
    """
    config: dict[str, Any] = json.loads((checkpoint / CONFIG).read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = base
    if isinstance(config.get("target_modules"), list):
        config["target_modules"].sort()
    with _completely(adapter) as staging:
        shutil.copyfile(checkpoint / WEIGHTS, staging / WEIGHTS)
        write_config(staging / CONFIG, config)


def publish_model(weights: Path, model: Path, settings: Path, **changes: Any) -> None:
    """Write the weights in a folder as a whole model with the configuration and tokenizer in `settings`, completely or
    not at all; `changes` replace fields of its `config.json`."""
    config = json.loads((settings / MODEL_CONFIG).read_text(encoding="utf-8")) | changes
    if "dtype" in changes:
        config.pop("torch_dtype", None)
    with _completely(model) as staging:
        for path in [*settings_in(settings), *weights_of(weights), weights / INDEX]:
            if path.is_file():
                shutil.copyfile(path, staging / path.name)
        write_config(staging / MODEL_CONFIG, config)


def weights_of(folder: Path) -> list[Path]:
    """The files with the weights of an adapter or a whole model; empty if they or the configuration are missing."""
    if (folder / CONFIG).is_file():
        return [path for path in [folder / WEIGHTS] if path.is_file()]
    return sorted(folder.glob("model*.safetensors")) if (folder / MODEL_CONFIG).is_file() else []


def count_parameters(folder: Path) -> int:
    """The number of parameters in an adapter, a whole model or a checkpoint."""
    return sum(math.prod(tensor.shape) for path in weights_of(folder) for tensor in read_header(path).values())


def drop_old_optimizers(folder: Path, newest: int) -> None:
    """Delete the optimizer's state of every checkpoint but the newest, which alone is continued from.

    Of a full fine-tuning it is six times as large as the weights.
    """
    for checkpoint in folder.glob("checkpoint-*"):
        if step_of(checkpoint) < newest and (checkpoint / OPTIMIZER).is_file():
            times = checkpoint.stat()
            (checkpoint / OPTIMIZER).unlink()
            # `Trainer` tells by the time of a folder's change which checkpoint is the oldest.
            os.utime(checkpoint, ns=(times.st_atime_ns, times.st_mtime_ns))


def delete(folder: Path) -> None:
    """Delete all checkpoints, once the result is published."""
    for checkpoint in folder.glob("checkpoint-*"):
        shutil.rmtree(checkpoint)


def _is_whole(checkpoint: Path) -> bool:
    try:
        json.loads((checkpoint / STATE).read_bytes())
    except (OSError, ValueError):
        return False
    return bool(weights_of(checkpoint))


@contextmanager
def _completely(folder: Path) -> Iterator[Path]:
    """A folder to write into, which then takes the place of `folder`."""
    staging = folder.with_name(f".{folder.name}")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    yield staging
    shutil.rmtree(folder, ignore_errors=True)
    staging.rename(folder)
