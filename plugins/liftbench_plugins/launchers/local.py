"""Workers as processes on this machine."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Sequence

import msgspec

from liftbench.plugin_api import Launcher, Report, WorkerCommand, WorkerEnd, start_worker, stop_worker, usable_cores

from .options import LocalOptions

SECONDS_BETWEEN_LOOKS = 0.1


class LocalLauncher(Launcher):
    """Runs all workers at the same time as processes on this machine, each with its share of the cores and GPUs."""

    options: LocalOptions

    def run(self, commands: Sequence[WorkerCommand], report: Report) -> None:
        threads = self.options.threads or max(1, usable_cores() // len(commands))
        gpus = visible_gpus()
        processes: dict[int, subprocess.Popen[bytes]] = {}

        def start(index: int, command: WorkerCommand) -> None:
            own = {"CUDA_VISIBLE_DEVICES": gpus[index % len(gpus)]} if len(gpus) > 1 else {}
            if self.options.threads or "OMP_NUM_THREADS" not in os.environ:
                own["OMP_NUM_THREADS"] = str(threads)
            processes[index] = start_worker(
                msgspec.structs.replace(command, environment={**command.environment, **own})
            )

        try:
            for index, command in enumerate(commands):
                start(index, command)
            while processes:
                time.sleep(SECONDS_BETWEEN_LOOKS)
                for index, process in list(processes.items()):
                    if (code := process.poll()) is None:
                        continue
                    stop_worker(processes.pop(index))
                    if again := report(WorkerEnd(command=index, code=code)):
                        start(index, again)
        finally:
            for process in processes.values():
                stop_worker(process)


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, as `CUDA_VISIBLE_DEVICES` names them; torch is not loaded for it."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [one.strip() for one in named.split(",") if one.strip()]
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=True, timeout=30).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    return [str(number) for number, line in enumerate(listed.splitlines()) if line.startswith("GPU ")]
