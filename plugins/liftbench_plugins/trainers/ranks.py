"""What the processes of a launched training do together: join, wait for each other, agree, and share the rows.

Imports torch and accelerate: import this module only where a training begins.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from accelerate import Accelerator, PartialState
from accelerate.utils import broadcast_object_list
from torch.distributed.fsdp import MixedPrecisionPolicy

from liftbench.plugin_api import Ranks, UsageError
from liftbench_plugins.loading import device

from .rows import Row, Schedule


def join(ranks: Ranks) -> None:
    """Meet the other processes, each with its own GPU; without GPUs all are on the CPU."""
    if ranks.count == 1:
        return
    if device() != "cpu":
        torch.cuda.set_device(ranks.local)
    else:
        require_whole()
    PartialState(cpu=device() == "cpu")


def require_whole() -> None:
    """Raise `UsageError` for weights that are to be divided over CPUs: accelerate would not do it, and not say so."""
    if is_sharded():
        raise UsageError(
            "accelerate divides weights over GPUs only, and there is none here", "Use --launch N on a CPU."
        )


def leave(ranks: Ranks) -> None:
    """Part from the other processes, once all have come this far."""
    if ranks.count > 1:
        wait(ranks)
        PartialState().destroy_process_group()


def wait(ranks: Ranks) -> None:
    """Wait until all processes have come this far."""
    if ranks.count > 1:
        PartialState().wait_for_everyone()


@contextmanager
def main_first(ranks: Ranks) -> Iterator[None]:
    """Let the main process alone go through a block, before all others do."""
    if ranks.count == 1:
        yield
        return
    with PartialState().main_process_first():
        yield


def agree(ranks: Ranks, value: bool) -> bool:
    """What the main process says. Clocks differ, and a process that saves alone would wait for the others forever."""
    if ranks.count == 1:
        return value
    return bool(broadcast_object_list([value])[0])


def is_sharded() -> bool:
    """Whether weights are divided over the processes (FSDP), as `accelerate launch` says."""
    return os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true"


# ------------------------------------------------------------------------------------------------------------ the sums


def sum_gradients(model: Any, accelerator: Accelerator) -> None:
    """Let the mean of the processes' gradients be their sum, in float32 whatever the computations are in.

    A factor in the loss would do so, too, but would round differently with every number of processes.
    """
    if accelerator.is_fsdp2 and accelerator.mixed_precision == "bf16":
        accelerator.state.fsdp_plugin.mixed_precision_policy = MixedPrecisionPolicy(
            param_dtype=torch.bfloat16, reduce_dtype=torch.float32, output_dtype=torch.bfloat16
        )
    if accelerator.num_processes > 1 and not accelerator.is_fsdp2:
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.register_hook(partial(torch.mul, other=accelerator.num_processes))


def sum_losses(loss: torch.Tensor, accelerator: Accelerator) -> torch.Tensor:
    """A loss whose mean over the processes is the sum of `loss`; its gradient is that of `loss` (`sum_gradients`).

    Divided weights lose their hooks, and so take the factor from the loss.
    """
    if accelerator.num_processes == 1:
        return loss
    if accelerator.is_fsdp2:
        return loss * accelerator.num_processes
    return loss + loss.detach() * (accelerator.num_processes - 1)


# ------------------------------------------------------------------------------------------------------------ the rows


def accumulation(batch_size: int, micro_batch: int, ranks: Ranks) -> int:
    """Forward passes of a process in an optimizer step. Raises `UsageError` if some process would have no row."""
    together = micro_batch * ranks.count
    if batch_size < together and ranks.count > 1:
        raise UsageError(
            f"train.options.batch_size is {batch_size}, too small for {ranks.count} processes with {micro_batch} "
            "conversations each",
            "Launch fewer processes, or raise batch_size.",
        )
    return -(-batch_size // together)


def share(plan: Schedule, micro_batch: int, ranks: Ranks) -> list[Row]:
    """The rows of a training for several processes, which take the micro-batches in turn.

    Every batch is filled up to whole turns with rows without a target: they add nothing to loss or gradient. Without
    them, accelerate would repeat rows at the end, and processes would wait for those that have no more.
    """
    if ranks.count == 1:
        return plan.rows
    rows: list[Row] = []
    for start in range(0, len(plan.rows), plan.batch_size):
        rows += fill(plan.rows[start : start + plan.batch_size], micro_batch, ranks)
    return rows


def fill(rows: Sequence[Row], micro_batch: int, ranks: Ranks) -> list[Row]:
    """Rows, and as many without a target as make whole turns of all processes."""
    missing = -len(rows) % (micro_batch * ranks.count) if ranks.count > 1 else 0
    nothing = [Row(pairs=(), prompt_ids=rows[0].prompt_ids[:1], targets=[], shortened=False)] if missing else []
    return [*rows, *nothing * missing]
