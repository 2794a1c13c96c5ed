"""Asks a trainer what a training would take, in a process of its own: memory is then that of the training alone."""

from __future__ import annotations

import os
import signal
import sys
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec.structs import replace

from ..errors import LiftbenchError, RunFailed
from ..measuring.systems import Loadable
from ..progress import Progress, no_progress
from ..recipe.sections import Recipe
from ..records.training import CurvePoint
from .adapter import TrainingPlan, train_request
from .trainer import Trainer, TrainingEstimate, TrainRequest


def estimate(recipe: Recipe, plan: TrainingPlan, base: Loadable, progress: Progress) -> TrainingEstimate | None:
    """What a training would take, as its trainer says; None if it cannot say. Nothing is left behind.

    Raises what the trainer raises, and `RunFailed` if the process ends without an answer.
    """
    with TemporaryDirectory(prefix="liftbench-estimate-") as folder:
        request = train_request(recipe, plan, base, Path(folder), _drop, no_progress)
        return ask(plan.trainer, request, progress)


def ask(trainer: Trainer, request: TrainRequest, progress: Progress) -> TrainingEstimate | None:
    """What a trainer answers in a process of its own; `progress` gets what it reports meanwhile."""
    context = get_context("spawn")
    answers, sender = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(trainer, request, sender))
    process.start()
    sender.close()
    try:
        while True:
            answer = answers.recv()
            if isinstance(answer, LiftbenchError):
                raise answer
            if not isinstance(answer, tuple):
                return answer  # type: ignore[no-any-return]  # of a pipe's values nothing is known
            progress(*answer)
    except EOFError:
        process.join()
        raise _ended(process.exitcode or 0) from None
    finally:
        process.kill()
        process.join()


def _answer(trainer: Trainer, request: TrainRequest, sender: Connection) -> None:
    # The command that started this process stops it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Standard output is the command's.
    os.dup2(sys.stderr.fileno(), 1)

    def progress(done: int, total: int, message: str) -> None:
        sender.send((done, total, message))

    try:
        sender.send(trainer.estimate(replace(request, progress=progress)))
    except LiftbenchError as error:
        sender.send(error)
    except BrokenPipeError:
        # The command is gone: nobody waits for the answer.
        os._exit(1)


def _ended(status: int) -> RunFailed:
    if status == -signal.SIGKILL:
        return RunFailed(
            "the system ended the calibration, most likely because main memory was full",
            "Lower what a step takes: train.options.micro_batch or generation.max_input_tokens.",
        )
    return RunFailed(f"the calibration failed with status {status}", "What it printed is above.")


def _drop(_: CurvePoint) -> None:
    """Keep no curve."""
