"""Workers as jobs of Slurm, by submitit; also as its local jobs."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

# By default its import closes the log handlers of the whole process and sends its own messages to standard output.
os.environ.setdefault("SUBMITIT_LOG_LEVEL", "NOCONFIG")
import submitit

from liftbench.plugin_api import Launcher, Report, UsageError, WorkerCommand, WorkerEnd, first_line, run_worker

from .options import SubmititOptions

SECONDS_BETWEEN_LOOKS = {"slurm": 5.0}
"""Cluster → how often its jobs are looked at; elsewhere oftener."""


class SubmititLauncher(Launcher):
    """Submits each worker as a job of its own (on Slurm a job array), and waits for all.

    The folder of the runs has to be on a disk that all nodes share. What submitit writes is beside the workers' logs.
    """

    options: SubmititOptions

    def run(self, commands: Sequence[WorkerCommand], report: Report) -> None:
        executor = self._executor(Path(commands[0].log).parent / "submitit")
        jobs: dict[int, Any] = {}
        try:
            with executor.batch():
                for index, command in enumerate(commands):
                    jobs[index] = executor.submit(run_worker, self._with_threads(command))
            while jobs:
                time.sleep(SECONDS_BETWEEN_LOOKS.get(executor.cluster, 0.2))
                for index, job in list(jobs.items()):
                    if not job.done():
                        continue
                    del jobs[index]
                    if again := report(_end(index, job)):
                        jobs[index] = executor.submit(run_worker, self._with_threads(again))
        finally:
            for job in jobs.values():
                job.cancel(check=False)

    def _with_threads(self, command: WorkerCommand) -> WorkerCommand:
        own = {"OMP_NUM_THREADS": str(self.options.cpus), **command.environment}
        return msgspec.structs.replace(command, environment=own)

    def _executor(self, folder: Path) -> submitit.AutoExecutor:
        given = self.options
        try:
            executor = submitit.AutoExecutor(folder=folder, cluster=given.cluster)
        except RuntimeError as error:
            raise UsageError(
                f"submitit cannot use {given.cluster}: {first_line(error)}", "Run this on a node that has sbatch."
            ) from error
        values = {
            "name": "liftbench",
            "timeout_min": minutes(given.time),
            "cpus_per_task": given.cpus,
            "gpus_per_node": given.gpus or None,
            "mem_gb": given.memory,
            "slurm_partition": given.partition,
            "slurm_account": given.account,
            "slurm_qos": given.qos,
            "slurm_constraint": given.constraint,
            "slurm_array_parallelism": given.at_once,
        }
        executor.update_parameters(**{name: value for name, value in values.items() if value is not None})
        return executor


def minutes(text: str) -> int:
    """Slurm's way to write a time (`90`, `4:00:00`, `1-12:00:00`) in minutes, rounded up. Raises `UsageError`."""
    found = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d\d)|(\d+)", text)
    if not found:
        raise UsageError(
            f"--launcher-option time={text} is no time", "Write minutes, H:MM:SS or D-HH:MM:SS, such as time=4:00:00."
        )
    if found[5]:
        return int(found[5])
    days, hours, parts, seconds = (int(one or 0) for one in found.groups()[:4])
    return (days * 24 + hours) * 60 + parts + (seconds > 0)


def _end(index: int, job: Any) -> WorkerEnd:
    try:
        return WorkerEnd(command=index, code=job.result())
    except Exception as error:
        # Timeouts, preemption and kills come as errors of several types.
        return WorkerEnd(command=index, code=None, reason=f"its job {job.job_id} ended early: {first_line(error)}")
