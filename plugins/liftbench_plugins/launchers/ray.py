"""Workers as tasks of a Ray cluster."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Sequence
from typing import Any

import msgspec
import ray

from liftbench.plugin_api import Launcher, PrerequisiteError, Report, WorkerCommand, WorkerEnd, first_line, run_worker

from .options import RayOptions

SECONDS_BETWEEN_LOOKS = 0.3

SECONDS_TO_REACH = 10.0


class RayLauncher(Launcher):
    """Runs each worker as a Ray task, which starts a process of its own with its own backend.

    The tasks go where the cluster has room. Every node needs the same environment, and the folders of this command.
    """

    options: RayOptions

    def run(self, commands: Sequence[WorkerCommand], report: Report) -> None:
        ours = not ray.is_initialized()
        if ours:
            self._connect()
        pending: dict[Any, int] = {}
        try:
            task = self._task(len(commands))
            pending = {task.remote(command): index for index, command in enumerate(commands)}
            while pending:
                # Not by waiting in Ray, which makes another error of the one that a signal raises.
                time.sleep(SECONDS_BETWEEN_LOOKS)
                done, _ = ray.wait(list(pending), num_returns=1, timeout=0)
                for reference in done:
                    index = pending.pop(reference)
                    if again := report(_end(index, reference)):
                        pending[task.remote(again)] = index
        finally:
            for reference in pending:
                ray.cancel(reference, force=True)
            if ours:
                ray.shutdown()

    def _connect(self) -> None:
        # Nothing about this command is sent to anybody unless the user has asked for it.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        # The work is in the workers, so they need not make way for this process.
        os.environ.setdefault("RAY_worker_niceness", "0")
        where = self.options.address or os.environ.get("RAY_ADDRESS", "")
        on_sigterm = signal.getsignal(signal.SIGTERM)
        try:
            _reach(where)
            ray.init(
                address=self.options.address,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
        except (OSError, RuntimeError, ValueError) as error:
            raise PrerequisiteError(
                f"the Ray cluster {where or 'on this machine'} cannot be reached: {first_line(error)}",
                "Start it with `ray start --head`, or unset RAY_ADDRESS for one on this machine.",
            ) from error

        # Ray has put its own in the place of the command's, which ends it in order.
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, on_sigterm)

    def _task(self, workers: int) -> Any:
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        most = int(max((node.get("CPU", 0) for node in nodes), default=1))
        everywhere = sum(node.get("CPU", 0) for node in nodes)
        cpus = self.options.cpus or max(1, min(most, int(everywhere // workers)))
        gpus = self.options.gpus
        if gpus is None:
            gpus = 1 if any(node.get("GPU") for node in nodes) else 0
        if cpus > most:
            raise PrerequisiteError(
                f"no node of the Ray cluster has {cpus} CPUs for a worker; the largest has {most}",
                "Lower it: --launcher-option cpus=N.",
            )
        # Failed workers are started again by the command, which counts how often.
        return ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=0, max_calls=1)(_work)


def _reach(address: str) -> None:
    """Raise `OSError` where nothing listens at `host:port` or `ray://host:port`: Ray itself would wait for ever."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=SECONDS_TO_REACH).close()


def _work(command: WorkerCommand) -> int:
    # Ray sets this for its own process to the CPUs of the task.
    threads = os.environ.get("OMP_NUM_THREADS", "1")
    return run_worker(msgspec.structs.replace(command, environment={"OMP_NUM_THREADS": threads, **command.environment}))


def _end(index: int, reference: Any) -> WorkerEnd:
    try:
        return WorkerEnd(command=index, code=ray.get(reference))
    except ray.exceptions.RayError as error:
        return WorkerEnd(command=index, code=None, reason=f"its Ray task was lost: {first_line(error)}")
