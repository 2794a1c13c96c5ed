"""What a training would take, predicted from a few steps of the same trainer over a sample of the same rows.

Imports torch and transformers: import this module only where a training begins.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import msgspec
import torch
from msgspec import Struct
from transformers import TrainerCallback

from liftbench.plugin_api import Progress, TrainingEstimate, TrainRequest
from liftbench_plugins.loading import device

from .device_memory import Memory, device_memory
from .monitor import SAVE_SECONDS, evaluation_steps
from .rows import Row, Schedule

PASSES = 16
"""Forward and backward passes at most."""

ENOUGH_PASSES = 4
"""Passes at least, the longest among them."""

STEP_PASSES = 4
"""Passes of an optimizer step at most. There are several, because a long row finds memory that others have freed in
pieces that do not fit."""

GROWING_PASSES = 85
"""Passes during which what is held grows: oneDNN keeps 1,024 products, 0.6 MB each, and the attention over a row of a
length of its own takes about 12."""

SECONDS = 30.0
"""No step is begun after this time, once there were enough passes."""

MARGIN = 1.1
"""Memory fits if this multiple of the predicted peak is available."""

EVALUATION_COST = 1 / 3
"""Time of a token in an evaluation by that in training, where none was measured: no backward pass."""

MicroBatch = list[Row]
Build = Callable[[Any, Schedule, list[Row]], Any]
"""(options, rows to train, rows to evaluate) → a trainer."""


def calibrate(request: TrainRequest, plan: Schedule, validation: list[Row], build: Build) -> TrainingEstimate:
    """Predict a training of `plan` from a few steps of a trainer that `build` makes.

    If a GPU's memory is too small for the micro-batch of the options, a single conversation is measured instead.
    """
    options, began = request.options, time.monotonic()
    memory = device_memory()
    room = memory.room()
    for micro_batch in dict.fromkeys((options.micro_batch, 1)):
        try:
            measured = _measure(request, plan, validation, build, micro_batch, memory, room)
        except torch.OutOfMemoryError:
            if micro_batch == 1:
                raise
            continue
        break
    return _predict(request, plan, validation, measured, room, began)


# ------------------------------------------------------------------------------------------------------------ to sample


def micro_batches(rows: Sequence[Row], batch_size: int, micro_batch: int) -> list[MicroBatch]:
    """What a training computes together: consecutive rows of one batch."""
    starts = [
        (first, min(batch + batch_size, len(rows)))
        for batch in range(0, len(rows), batch_size)
        for first in range(batch, min(batch + batch_size, len(rows)), micro_batch)
    ]
    return [list(rows[first : min(first + micro_batch, end)]) for first, end in starts]


def tokens_of(rows: Sequence[Row]) -> int:
    """The number of tokens in some rows."""
    return sum(row.tokens for row in rows)


def spread(batches: Sequence[MicroBatch], count: int, longest_at: int) -> list[MicroBatch]:
    """A sample of micro-batches whose every beginning is spread over all lengths; at `longest_at` is the longest.

    The first one is for warming up.
    """
    ordered = sorted(batches, key=tokens_of)
    positions = _van_der_corput()
    chosen = [ordered[int(next(positions) * len(ordered))] for _ in range(count - 2)]
    chosen.insert(0, ordered[len(ordered) // 2])
    chosen.insert(longest_at, ordered[-1])
    return chosen


def _van_der_corput() -> Iterator[float]:
    """1/2, 1/4, 3/4, 1/8, 5/8, …: evenly spread, wherever it ends."""
    number = 1
    while True:
        yield int(f"{number:b}"[::-1], 2) / 2 ** number.bit_length()
        number += 1


# ----------------------------------------------------------------------------------------------------------- to measure


class Pass(Struct, frozen=True):
    """A forward and backward pass of a micro-batch."""

    tokens: int
    seconds: float
    peak: int
    """The most memory that was held meanwhile, in bytes."""


class Measured(Struct):
    """What the steps of a calibration took: seconds and bytes."""

    micro_batch: int
    passes: list[Pass] = []
    between: list[float] = []
    """Of each step: the optimizer, and giving back memory."""
    loading: float = 0.0
    evaluation: float | None = None
    """Of a token."""
    saving: float = 0.0
    weights: int = 0
    before: int = 0
    """Held before the step of the longest pass."""
    after: list[tuple[int, int]] = []
    """Of each step: passes so far, and what is held then. No pass holds activations."""
    other_peak: int = 0
    """The most that was held outside of the passes: to load, to evaluate and to save."""

    @property
    def longest(self) -> Pass:
        """The pass with the most tokens."""
        return max(self.passes, key=lambda one: one.tokens)

    def peak_of(self, tokens: int) -> int:
        """The peak of a training whose longest micro-batch has this number of tokens: activations are linear in it."""
        per_token = max(0.0, (self.longest.peak - self.before) / self.longest.tokens)
        held = max([self.before, *(held for _, held in self.after)])
        return max(self.other_peak, round(held + per_token * tokens))

    def growth(self, passes: int) -> int:
        """What a training of this number of passes will hold more than the calibration did in the end."""
        if len(self.after) < 2:
            return 0
        (first, held_first), (last, held_last) = self.after[0], self.after[-1]
        coming = max(0, min(passes, GROWING_PASSES) - last)
        return max(0, coming * (held_last - held_first) // (last - first))


def _measure(
    request: TrainRequest,
    plan: Schedule,
    validation: list[Row],
    build: Build,
    micro_batch: int,
    memory: Memory,
    room: int,
) -> Measured:
    options = request.options
    step_passes = min(options.batch_size // micro_batch, STEP_PASSES)
    batches = micro_batches(plan.rows, options.batch_size, micro_batch)
    # A last batch may be too small for a whole micro-batch.
    batches = [batch for batch in batches if len(batch) == micro_batch] or batches[:1]
    # The longest comes last in a step, and in the second one at the earliest, when the optimizer has its state.
    longest_at = max(2, -(-ENOUGH_PASSES // step_passes)) * step_passes - 1
    sample = spread(batches, PASSES, longest_at)
    held_out = _held_out(validation, micro_batch)
    measured = Measured(micro_batch)
    monitor = CalibrationMonitor(measured, sample, longest_at, held_out, memory, room, request.progress)
    changed = msgspec.structs.replace(options, batch_size=step_passes * micro_batch, micro_batch=micro_batch)
    trainer = build(
        changed,
        Schedule(
            rows=[row for batch in sample for row in batch],
            batch_size=step_passes * micro_batch,
            # One evaluation, after the last step.
            rows_per_epoch=plan.rows_per_epoch + len(plan.rows),
            left_out={},
        ),
        held_out,
    )
    trainer.add_callback(monitor)
    measured.weights = int(trainer.model.get_memory_footprint())
    with suppress(DoesNotFit):
        trainer.train()
    return measured


def _held_out(validation: list[Row], micro_batch: int) -> list[Row]:
    """The longest of the micro-batches that are evaluated, and the middle one."""
    ordered = sorted(micro_batches(validation, micro_batch, micro_batch), key=tokens_of)
    return [*ordered[-1], *ordered[len(ordered) // 2]] if ordered else []


class DoesNotFit(Exception):
    """Raised before a pass for which there is not enough memory: it would take it from other work."""


class CalibrationMonitor(TrainerCallback):  # type: ignore[misc]  # mypy does not follow transformers
    """Times a training's passes, and notes the memory of each; stops it when it knows enough."""

    def __init__(
        self,
        measured: Measured,
        sample: Sequence[MicroBatch],
        longest_at: int,
        held_out: list[Row],
        memory: Memory,
        room: int,
        progress: Progress,
    ) -> None:
        self.measured = measured
        self._tokens = [tokens_of(batch) for batch in sample]
        self._longest_at = longest_at
        self._held_out = held_out
        self._memory = memory
        self._room = room
        self._progress = progress
        self._began = self._last = time.monotonic()

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        """Loading is done."""
        self.measured.loading = self._lap()
        self._note_other_peak()

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        """The first pass of a step begins."""
        if len(self.measured.passes) <= self._longest_at:
            self.measured.before = self._memory.held()
        self._require_room()
        self._memory.forget_peak()
        self._lap()

    def on_substep_end(self, *_: Any, **__: Any) -> None:
        """A pass ends, and the next one begins."""
        self._end_pass()
        self._require_room()

    def on_pre_optimizer_step(self, *_: Any, **__: Any) -> None:
        """The last pass of a step ends."""
        self._end_pass()

    def on_step_end(self, _args: Any, state: Any, control: Any, **_: Any) -> None:
        """End the training where enough is known. It then evaluates and saves as it would in the end."""
        measured = self.measured
        measured.between.append(self._lap())
        self._memory.forget_peak()
        measured.after.append((len(measured.passes), self._memory.held()))
        known = len(measured.passes) > self._longest_at
        if state.global_step == state.max_steps or (known and self._last - self._began > SECONDS):
            control.should_training_stop = control.should_save = True
            control.should_evaluate = bool(self._held_out)

    def on_evaluate(self, *_: Any, **__: Any) -> None:
        """An evaluation ends."""
        self.measured.evaluation = self._lap() / tokens_of(self._held_out)

    def on_save(self, *_: Any, **__: Any) -> None:
        """A save ends."""
        self.measured.saving = self._lap()

    def on_train_end(self, *_: Any, **__: Any) -> None:
        """Evaluation and save are done."""
        self._note_other_peak()

    def _end_pass(self) -> None:
        passes = self.measured.passes
        passes.append(Pass(self._tokens[len(passes)], self._lap(), self._memory.peak()))
        self._memory.forget_peak()
        self._progress(len(passes), len(self._tokens), "calibrating")

    def _require_room(self) -> None:
        passes, longest = self.measured.passes, self._tokens[self._longest_at]
        if len(passes) == self._longest_at and self.measured.peak_of(longest) > self._room:
            raise DoesNotFit

    def _note_other_peak(self) -> None:
        self.measured.other_peak = max(self.measured.other_peak, self._memory.peak())

    def _lap(self) -> float:
        """Seconds since it was last asked for."""
        if device() != "cpu":
            torch.cuda.synchronize()
        before, self._last = self._last, time.monotonic()
        return self._last - before


# ----------------------------------------------------------------------------------------------------------- to predict


def _predict(
    request: TrainRequest, plan: Schedule, validation: list[Row], measured: Measured, room: int, began: float
) -> TrainingEstimate:
    options = request.options
    evaluations = len(evaluation_steps(plan, options.evaluations_per_epoch)) if validation else 0
    peaks = {}
    for micro_batch in range(1, options.batch_size + 1):
        if options.batch_size % micro_batch == 0:
            batches = micro_batches(plan.rows, options.batch_size, micro_batch)
            longest = max(map(tokens_of, batches))
            peaks[micro_batch] = measured.peak_of(longest) + measured.growth(len({tokens_of(one) for one in batches}))
    return TrainingEstimate(
        steps=plan.steps,
        target_tokens=sum(row.target_tokens for row in plan.rows),
        tokens=tokens_of(plan.rows),
        evaluations=evaluations,
        seconds=seconds_of(measured, tokens_of(plan.rows), plan.steps, tokens_of(validation), evaluations),
        peak_memory_bytes=peaks[options.micro_batch],
        weights_bytes=measured.weights,
        available_bytes=room,
        device="cpu" if device() == "cpu" else torch.cuda.get_device_name(),
        micro_batch=options.micro_batch,
        peaks=peaks,
        proposed_micro_batch=propose(peaks, room, options.micro_batch, on_gpu=device() != "cpu"),
        lower=_lower(options),
        passes=len(measured.passes),
        calibration_seconds=time.monotonic() - began,
    )


def seconds_of(measured: Measured, tokens: int, steps: int, evaluated: int, evaluations: int) -> float:
    """The time of a training with this number of tokens and steps, and of evaluated tokens in each evaluation.

    The passes are a sample of all lengths, so their time by their tokens is that of all rows. Neither the first one,
    in which kernels are made, nor the longest is a part of the sample.
    """
    sample = [one for one in measured.passes[1:] if one is not measured.longest] or measured.passes
    rate = sum(one.seconds for one in sample) / sum(one.tokens for one in sample)
    between = sum(measured.between) / max(1, len(measured.between))
    evaluation = rate * EVALUATION_COST if measured.evaluation is None else measured.evaluation
    seconds = measured.loading + tokens * rate + steps * between + evaluations * evaluated * evaluation
    return seconds + max(evaluations + 1, seconds / SAVE_SECONDS) * measured.saving


def propose(peaks: dict[int, int], room: int, wanted: int, *, on_gpu: bool) -> int | None:
    """The largest micro-batch that fits; on a CPU none above the wanted one, because it would save no time."""
    fitting = [size for size, peak in peaks.items() if peak * MARGIN <= room and (on_gpu or size <= wanted)]
    return max(fitting, default=None)


def _lower(options: Any) -> tuple[str, ...]:
    checkpointing = () if options.gradient_checkpointing else ("train.options.gradient_checkpointing=true",)
    one = ("train.options.references=one",) if options.references == "all" else ()
    return (*checkpointing, *one, "generation.max_input_tokens")
