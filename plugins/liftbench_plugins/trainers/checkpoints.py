"""The checkpoint folder of a training: which checkpoint is whole, which is best, and how it becomes the adapter."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"
STATE = "trainer_state.json"
"""Transformers' `Trainer` writes it last into a checkpoint, so a checkpoint that has it whole is whole."""


def path(folder: Path, step: int) -> Path:
    """Where the checkpoint of an optimizer step lies (transformers' naming)."""
    return folder / f"checkpoint-{step}"


def newest_whole(folder: Path) -> Path | None:
    """The newest checkpoint to continue from; those that a kill left unfinished are deleted."""
    whole = {}
    for candidate in folder.glob("checkpoint-*"):
        step = candidate.name.removeprefix("checkpoint-")
        if step.isdigit() and _is_whole(candidate):
            whole[int(step)] = candidate
        else:
            shutil.rmtree(candidate)
    return whole[max(whole)] if whole else None


def out_of_patience(losses: Sequence[float], patience: int) -> bool:
    """Whether the last `patience` evaluations all were no better than the best before them.

    A function of the losses alone: a resumed training decides as the interrupted one would have.
    """
    return len(losses) - 1 - losses.index(min(losses)) >= patience if losses else False


def publish(checkpoint: Path, adapter: Path, base: str) -> None:
    """Make a checkpoint's adapter the result: a folder in PEFT's format that appears whole or not at all.

    `base` is how the user names the base; the checkpoint names the local folder that it was read from. The
    configuration is written in a fixed order (PEFT keeps some lists as sets), so equal adapters are equal bytes.
    """
    staging = adapter.with_name(f".{adapter.name}")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    shutil.copyfile(checkpoint / WEIGHTS, staging / WEIGHTS)
    config: dict[str, Any] = json.loads((checkpoint / CONFIG).read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = base
    if isinstance(config["target_modules"], list):
        config["target_modules"].sort()
    (staging / CONFIG).write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    shutil.rmtree(adapter, ignore_errors=True)
    staging.rename(adapter)


def delete(folder: Path) -> None:
    """Free the space of all checkpoints, the adapter being out."""
    for checkpoint in folder.glob("checkpoint-*"):
        shutil.rmtree(checkpoint)


def _is_whole(checkpoint: Path) -> bool:
    try:
        json.loads((checkpoint / STATE).read_bytes())
    except (OSError, ValueError):
        return False
    return (checkpoint / WEIGHTS).is_file() and (checkpoint / CONFIG).is_file()
