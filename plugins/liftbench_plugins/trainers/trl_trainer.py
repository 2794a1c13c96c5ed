"""What the trainers `lora`, `qlora` and `full` share: a training with TRL is begun, continued, or found finished.

Importing this module imports no torch, so that options are checked without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import msgspec

from liftbench.plugin_api import (
    RunFailed,
    Trainer,
    TrainingEstimate,
    TrainingSize,
    TrainingSummary,
    TrainRequest,
    TrainResult,
    write_atomic,
)
from liftbench_plugins.library_output import quiet

from . import checkpoints
from .options import TrainingOptions


class TRLTrainer(Trainer):
    """Trains with TRL, on a GPU if there is one, else on the CPU."""

    name: ClassVar[str]
    precision: ClassVar[str] = "bfloat16"

    def train(self, request: TrainRequest) -> TrainResult:
        """Train, or continue an interrupted training, and leave the best result in `request.folder / "adapter"`.

        A resumed training has the same result as an uninterrupted one, byte for byte on the CPU of the same machine. A
        finished training is not repeated; its result is returned again. Raises `RunFailed` if there is nothing to train
        on, a loss is not finite, or memory or disk is full.
        """
        folder, adapter = request.folder / "checkpoints", request.folder / "adapter"
        finished = folder / "finished.json"
        if not (finished.is_file() and adapter.is_dir()):
            if request.ranks.is_main:
                folder.mkdir(parents=True, exist_ok=True)
            with quiet(), _explain_errors(request.options):
                from .sft import fine_tune

                summary = fine_tune(request, folder, adapter, trainer=self.name, precision=self.precision)
                if request.ranks.is_main:
                    write_atomic(finished, summary)
        else:
            summary = msgspec.json.decode(finished.read_bytes(), type=TrainingSummary)
        if request.ranks.is_main:
            checkpoints.delete(folder)
        return TrainResult(adapter=adapter, precision=self.precision, summary=summary)

    def size(self, options: TrainingOptions, conversations: int) -> TrainingSize:
        """Steps and conversations, if each conversation has a usable summary."""
        whole, fraction = divmod(options.epochs, 1)
        passed = int(whole) * conversations + round(fraction * conversations)
        if options.max_steps is not None:
            passed = min(passed, options.max_steps * options.batch_size)
        return TrainingSize(-(-passed // options.batch_size), passed)

    def estimate(self, request: TrainRequest) -> TrainingEstimate:
        """What a training takes, predicted from a few steps over a sample of its rows."""
        with quiet(), _explain_errors(request.options):
            from .sft import estimate

            return estimate(request, precision=self.precision)


@contextmanager
def _explain_errors(options: TrainingOptions) -> Iterator[None]:
    import torch
    from safetensors import SafetensorError

    try:
        yield
    except torch.OutOfMemoryError as error:
        fix = (
            f"Lower train.options.micro_batch (now {options.micro_batch})"
            if options.micro_batch > 1
            else "Lower generation.max_input_tokens"
        )
        if not options.gradient_checkpointing:
            fix += " or set train.options.gradient_checkpointing=true"
        raise RunFailed("the GPU's memory is full", f"{fix}.") from error
    except (OSError, SafetensorError, RuntimeError) as error:
        # Torch writes optimizer states with a stream of its own, which fails with a plain RuntimeError.
        if isinstance(error, RuntimeError) and "PytorchStreamWriter" not in str(error):
            raise
        raise RunFailed(
            f"training could not read or write its files: {error}",
            "The same command continues from the last saved checkpoint.",
        ) from error
