"""One of the processes of a launched training: `accelerate launch … -m liftbench.training.worker REQUEST`.

What it reports goes to standard output, a JSON line each; whatever else is printed goes to standard error.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from ..errors import LiftbenchError, PrerequisiteError, UsageError
from ..extension.loader import Plugins
from ..files import read_record
from ..progress import no_progress
from ..records.training import CurvePoint
from .messages import Failure, LaunchRequest, Message, Point, Result, Step
from .ranks import Ranks, launched_ranks
from .trainer import Trainer, TrainRequest, TrainResult

Send = Callable[[Message], None]


def main(path: Path) -> int:
    """Train as the request in a file says, and report; the exit code is 0 if that worked."""
    send = _own_output()
    ranks = launched_ranks()
    try:
        result = _train(read_record(path, LaunchRequest), ranks, send)
    except Exception as error:
        traceback.print_exc()
        send(_failure(error, ranks.rank))
        return 1
    if ranks.is_main:
        send(Result(str(result.adapter), result.precision, result.summary))
    return 0


def _train(asked: LaunchRequest, ranks: Ranks, send: Send) -> TrainResult:
    def record(point: CurvePoint) -> None:
        if ranks.is_main:
            send(Point(point))

    def progress(done: int, total: int, text: str) -> None:
        send(Step(done, total, text))

    plugins = Plugins()
    trainer: Trainer = plugins.load(asked.spec)()
    return trainer.train(
        TrainRequest(
            model=Path(asked.model),
            model_record=asked.model_record,
            train=asked.train,
            validation=asked.validation,
            prompt=asked.prompt,
            max_input_tokens=asked.max_input_tokens,
            max_new_tokens=asked.max_new_tokens,
            options=plugins.options(asked.spec, asked.options),
            seed=asked.seed,
            folder=Path(asked.folder),
            record=record,
            progress=progress if ranks.is_main else no_progress,
            ranks=ranks,
        )
    )


def _own_output() -> Send:
    """Keep standard output for messages."""
    kept = os.dup(1)
    os.dup2(2, 1)

    def send(message: Message) -> None:
        try:
            # One write, and a line of its own even if something else has begun one on the same pipe.
            os.write(kept, b"\n" + msgspec.json.encode(message) + b"\n")
        except BrokenPipeError:
            # The command that started this training is gone: nobody would continue with the result.
            os._exit(1)

    return send


def _failure(error: Any, rank: int) -> Failure:
    if isinstance(error, LiftbenchError):
        known = (UsageError, PrerequisiteError)
        kind: Any = next((one.__name__ for one in known if isinstance(error, one)), "RunFailed")
        return Failure(rank, kind, error.what, error.fix)
    return Failure(rank, "bug", f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
