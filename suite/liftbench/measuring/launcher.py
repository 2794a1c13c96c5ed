"""What a launcher plugin must do: run commands somewhere, and say how each ended.

A command makes one shard of a run. It needs no other command, and one that is started again continues its shard.
"""

from __future__ import annotations

import os
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

ATTENDED = "LIFTBENCH_ATTENDED"
"""Set for a worker whose standard input is a pipe from whoever watches it: the worker ends when the pipe closes."""

SECONDS_TO_END = 10.0
"""How long a worker may take to end before it is killed."""


class WorkerCommand(Struct, frozen=True, kw_only=True):
    """A program to run, on any machine that sees the same files."""

    name: str
    """What to call it: `shard 2/4`."""
    argv: list[str]
    environment: dict[str, str]
    """Variables to set in addition to those of the place where it runs."""
    folder: str
    """The working directory, as an absolute path."""
    log: str
    """The file that gets what it prints, as an absolute path; appended to."""


class WorkerEnd(Struct, frozen=True, kw_only=True):
    """How a command ended."""

    command: int
    """Its index among the commands that were handed over."""
    code: int | None
    """Its exit status, or the negative number of the signal that killed it; None: it is lost with its place."""
    reason: str = ""
    """What the launcher knows of it, in a clause; empty where that is only the code."""


Report = Callable[[WorkerEnd], WorkerCommand | None]
"""Takes each ending; returns the command to start in its place, or None where there is nothing more to do."""


class Launcher(ABC):
    """Runs commands: as processes here, or on a cluster."""

    def __init__(self, options: Any) -> None:
        """`options` are of the type that the plugin registers."""
        self.options = options

    @abstractmethod
    def run(self, commands: Sequence[WorkerCommand], report: Report) -> None:
        """Run all commands, at the same time as far as there is room, and report each one's end from this thread.

        A command that `report` returns is started at once, under the same index. Returns when nothing runs any more;
        when it raises (also `KeyboardInterrupt`), it has stopped everything before.
        """


def start_worker(command: WorkerCommand) -> subprocess.Popen[bytes]:
    """Start a command as a process that ends when this one does, however this one ends.

    It leads a session of its own, so that Ctrl-C reaches this process alone.
    """
    with Path(command.log).open("ab") as log:
        return subprocess.Popen(
            command.argv,
            cwd=command.folder,
            env={**os.environ, **command.environment, ATTENDED: "1"},
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def stop_worker(process: subprocess.Popen[bytes]) -> None:
    """End a process of `start_worker`, unless it has ended. Whatever it had written stays."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(SECONDS_TO_END)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def run_worker(command: WorkerCommand) -> int:
    """Run a command to its end and return its exit status, as `WorkerEnd.code`; for places that run a function."""
    process = start_worker(command)
    try:
        return process.wait()
    finally:
        stop_worker(process)
