"""Actions between the steps of a training: curve, progress, evaluations, early stopping, saves, checks of the loss.

Imports transformers: import this module only where a training begins.
"""

from __future__ import annotations

import ctypes
import math
import sys
import time
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from liftbench.plugin_api import CurvePoint, RunFailed, TrainRequest

from . import ranks
from .checkpoints import drop_old_optimizers, out_of_patience
from .device_memory import device_memory
from .rows import Schedule

SAVE_SECONDS = 120
"""Seconds between saves if evaluations are far apart: an interruption loses at most about this much work."""


class TrainingMonitor(TrainerCallback):  # type: ignore[misc]  # mypy does not follow transformers
    """Decides after every step, by the step's number and the logged losses alone, so that a resume decides the same."""

    def __init__(self, request: TrainRequest, plan: Schedule, evaluations: frozenset[int]) -> None:
        self._request = request
        self._plan = plan
        self._evaluations = evaluations
        self._tokens = plan.count_tokens()
        self._memory = device_memory()
        self._began = self._saved = time.monotonic()
        self._before = 0.0
        self._last = math.inf

    def on_train_begin(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
        """Start the clock at the time that an interrupted training had reached."""
        self._began = self._saved = time.monotonic()
        self._before = seconds(state)
        self._request.progress(state.global_step, state.max_steps, "begun")

    def on_step_end(self, _args: Any, state: Any, control: Any, **_: Any) -> None:
        """Evaluate where planned; save at every evaluation, at the end, and if the last save is long ago."""
        control.should_evaluate = state.global_step in self._evaluations
        due = ranks.decide(self._request.ranks, lambda: time.monotonic() - self._saved > SAVE_SECONDS)
        control.should_save = control.should_evaluate or state.global_step == state.max_steps or due
        give_back_memory()

    def on_save(self, args: Any, state: Any, _control: Any, **_: Any) -> None:
        """Note the time of the save, and keep only what may be needed of earlier ones."""
        self._saved = time.monotonic()
        if state.is_world_process_zero:
            drop_old_optimizers(Path(args.output_dir), state.global_step)

    def on_log(self, _args: Any, state: Any, _control: Any, logs: dict[str, float], **objects: Any) -> None:
        """Add a loss to the curve. Raises `RunFailed` if it shows that the training has diverged."""
        elapsed = time.monotonic() - self._began
        state.log_history[-1]["seconds"] = self._before + elapsed
        loss, validation_loss = logs.get("loss"), logs.get("eval_loss")
        step = state.global_step
        for kind, value in (("training", loss), ("validation", validation_loss)):
            if value is None:
                continue
            fault = divergence(value, self._last, objects["model"].config.get_text_config().vocab_size)
            self._last = value
            if fault:
                raise RunFailed(
                    f"the {kind} loss became {fault} at step {step} of {state.max_steps}",
                    f"Lower train.options.learning_rate (now {self._request.options.learning_rate:g}).",
                )
        if loss is None and validation_loss is None:
            return
        self._request.record(
            CurvePoint(
                step=step,
                epoch=self._plan.epoch(step),
                loss=loss,
                validation_loss=validation_loss,
                learning_rate=logs.get("learning_rate"),
                seconds=elapsed,
                tokens=self._tokens[step],
                memory_bytes=self._memory.peak(),
            )
        )
        name, value = ("loss", loss) if loss is not None else ("validation loss", validation_loss)
        self._request.progress(step, state.max_steps, f"{name} {value:.2f}")

    def on_evaluate(self, _args: Any, state: Any, control: Any, **_: Any) -> None:
        """Stop if the validation loss has not improved for `patience` evaluations."""
        if out_of_patience(validation_losses(state), self._request.options.patience):
            control.should_training_stop = True


def divergence(loss: float, before: float, vocabulary: int) -> str:
    """What a loss per token became where a training has diverged, `before` being the last one; empty where it has not.

    A sum of squares that overflows makes a normalized layer 0, so all logits are alike: every token then costs the
    logarithm of the vocabulary's size, now and in every later step. A single loss may pass this value. A loss of more
    than ten times this value counts as diverged, too.
    """
    guessed = math.log(vocabulary)
    if not math.isfinite(loss):
        return str(loss)
    if all(math.isclose(one, guessed, rel_tol=1e-5) for one in (loss, before)):
        return f"that of equal logits for all {vocabulary} tokens ({loss:.4f})"
    return f"{loss:.4g}, more than ten times that of a guess," if loss > 10 * guessed else ""


def give_back_memory() -> None:
    """Return freed memory to the system, if the C library is glibc.

    glibc keeps the freed memory of long rows in pieces that the next row does not fit into: over 23 steps on TweetSumm
    the process grew to 6.5 GB, although a step uses at most 4.3 GB.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)


def evaluation_steps(plan: Schedule, evaluations_per_epoch: int) -> frozenset[int]:
    """The steps after which to evaluate, evenly spread, including the last one."""
    count = max(1, round(plan.epoch(plan.steps) * evaluations_per_epoch))
    return frozenset(max(1, round(number * plan.steps / count)) for number in range(1, count + 1))


def validation_losses(state: Any) -> list[float]:
    """The validation loss of every evaluation in a `TrainerState`, in order."""
    return [entry["eval_loss"] for entry in state.log_history if "eval_loss" in entry]


def seconds(state: Any) -> float:
    """Wall time of all steps in a `TrainerState`, including those before a resume."""
    times = [entry["seconds"] for entry in state.log_history if "seconds" in entry]
    return float(times[-1]) if times else 0.0
