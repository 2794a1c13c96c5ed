"""A trainer that runs in several processes, seen from the one that started them: what they report, and how they end."""

from __future__ import annotations

import re
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from .. import errors
from ..errors import RunFailed, Terminated
from ..extension.registry import Spec
from ..files import BAD_JSON, write_atomic
from .launch import Launch, command
from .messages import Failure, LaunchRequest, Message, Point, Result, Step
from .programs import start_program
from .trainer import TrainRequest, TrainResult

SECONDS_TO_END = 10.0
"""How long processes may take to end before they are killed."""

LAST_LINES = 400
"""Lines of output in which the report of how processes ended is looked for."""

CONTINUE = "The same command continues from the newest checkpoint"


def train_launched(spec: Spec, request: TrainRequest, launch: Launch, place: Path) -> TrainResult:
    """Let the trainer of a spec train in the processes of a launch, and return what its main process does.

    `place` is the file of the request, which every machine has to see, and which is deleted in the end. What the
    processes print goes to `launch.log` in the request's folder. Raises the error of a process, or `RunFailed` if one
    ends without a word, and leaves no process behind.
    """
    log = request.folder / "launch.log"
    write_atomic(place, _as_json(spec, request))
    result: TrainResult | None = None
    failures: list[Failure] = []
    printed: deque[str] = deque(maxlen=LAST_LINES)
    try:
        with (
            log.open("a", encoding="utf-8", buffering=1) as kept,
            end_in_order(),
            _run(command(launch, place)) as lines,
        ):
            for line in lines:
                match _message(line):
                    case Point(point):
                        request.record(point)
                    case Step(done, total, text):
                        request.progress(done, total, text)
                    case Result(adapter, precision, summary):
                        counted = msgspec.structs.replace(summary, processes=launch.processes)
                        left = _as_asked(Path(adapter), request.folder)
                        result = TrainResult(adapter=left, precision=precision, summary=counted)
                    case Failure() as failure:
                        failures.append(failure)
                    case None if line.strip():
                        kept.write(line)
                        printed.append(line)
    finally:
        place.unlink(missing_ok=True)
    if result is None:
        raise _reason(failures, _endings("".join(printed)), launch, log)
    return result


def _as_json(spec: Spec, request: TrainRequest) -> LaunchRequest:
    return LaunchRequest(
        spec=spec,
        model=str(request.model.resolve()),
        model_record=request.model_record,
        train=request.train,
        validation=request.validation,
        prompt=request.prompt,
        max_input_tokens=request.max_input_tokens,
        max_new_tokens=request.max_new_tokens,
        options=msgspec.to_builtins(request.options),
        seed=request.seed,
        folder=str(request.folder.resolve()),
    )


def _as_asked(adapter: Path, folder: Path) -> Path:
    """A path from a process, which knows absolute ones alone, in the form in which the request has it."""
    absolute = folder.resolve()
    return folder / adapter.relative_to(absolute) if adapter.is_relative_to(absolute) else adapter


_decode = msgspec.json.Decoder(Message)


def _message(line: str) -> Message | None:
    if not line.startswith('{"type":'):
        return None
    try:
        message: Message = _decode.decode(line)
    except BAD_JSON:
        return None
    return message


# ------------------------------------------------------------------------------------------------------- the processes


@contextmanager
def end_in_order() -> Iterator[None]:
    """Let SIGTERM end this process like Ctrl-C, with its processes and files; the exit code is 143."""
    if threading.current_thread() is not threading.main_thread():
        # Python lets the main thread alone handle signals.
        yield
        return

    def end(number: int, _frame: Any) -> None:
        raise Terminated(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


@contextmanager
def _run(argv: list[str]) -> Iterator[Iterator[str]]:
    """The lines that a program and its children print; all of them have ended afterwards, whatever happened."""
    process = start_program(argv)
    assert process.stdout is not None
    try:
        yield process.stdout
        process.wait()
    finally:
        end_all(process)
        process.stdout.close()


def end_all(process: subprocess.Popen[str]) -> None:
    """End a process and all that it has started: by SIGTERM, then by SIGKILL."""
    import psutil

    try:
        first = psutil.Process(process.pid)
        family = [*first.children(recursive=True), first] if process.returncode is None else []
    except psutil.NoSuchProcess:
        return
    # The first one knows how to end the others (torchrun, srun).
    if family:
        process.send_signal(signal.SIGTERM)
    _, alive = psutil.wait_procs(family, timeout=SECONDS_TO_END)
    for one in alive:
        one.kill()
    psutil.wait_procs(alive, timeout=SECONDS_TO_END)
    process.wait()


# ---------------------------------------------------------------------------------------------------------- the reason


class Ending(NamedTuple):
    """How a process ended, as torchrun reports it."""

    rank: int
    status: int
    """The exit status, or the negative number of a signal."""


def _endings(printed: str) -> list[Ending]:
    found = re.findall(r"rank\s*: (\d+) \(local_rank: \d+\)\n\s*exitcode\s*: (-?\d+)", printed)
    return list(dict.fromkeys(Ending(int(rank), int(status)) for rank, status in found))


def _reason(failures: list[Failure], endings: list[Ending], launch: Launch, log: Path) -> errors.LiftbenchError:
    """Why a training has no result. What a process says itself counts most; errors of connections follow from kills."""
    told = [failure for failure in failures if failure.kind != "bug"]
    if told:
        kind: type[errors.LiftbenchError] = getattr(errors, told[0].kind)
        return kind(told[0].what, told[0].fix)
    killed = [ending for ending in endings if ending.status < 0 and ending.status != -signal.SIGTERM]
    if killed:
        rank, status = killed[0]
        name = signal.Signals(-status).name
        hint = " (the system does this if memory is full)" if name == "SIGKILL" else ""
        return RunFailed(f"process {rank} of {launch.processes} was killed by {name}{hint}", f"{CONTINUE}.")
    if failures:
        return RunFailed(
            f"process {failures[0].rank} of {launch.processes} failed: {failures[0].what}",
            f"{CONTINUE}; the traceback is in {log}.",
        )
    return RunFailed(f"the {launch.processes} processes ended without an adapter", f"What they printed is in {log}.")
