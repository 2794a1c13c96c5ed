"""The checkpoints of a training: which are complete, when to stop, and how the best one becomes the adapter."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from liftbench.plugin_api import UsageError
from liftbench_plugins.tensor_files import read_header

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"
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
    staging = adapter.with_name(f".{adapter.name}")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    shutil.copyfile(checkpoint / WEIGHTS, staging / WEIGHTS)
    config: dict[str, Any] = json.loads((checkpoint / CONFIG).read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = base
    if isinstance(config.get("target_modules"), list):
        config["target_modules"].sort()
    (staging / CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    shutil.rmtree(adapter, ignore_errors=True)
    staging.rename(adapter)


def count_parameters(folder: Path) -> int:
    """The number of parameters in an adapter or a checkpoint."""
    return sum(math.prod(tensor.shape) for tensor in read_header(folder / WEIGHTS).values())


def delete(folder: Path) -> None:
    """Delete all checkpoints, once the adapter is published."""
    for checkpoint in folder.glob("checkpoint-*"):
        shutil.rmtree(checkpoint)


def _is_whole(checkpoint: Path) -> bool:
    try:
        json.loads((checkpoint / STATE).read_bytes())
    except (OSError, ValueError):
        return False
    return (checkpoint / WEIGHTS).is_file() and (checkpoint / CONFIG).is_file()
