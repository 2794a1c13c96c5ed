"""Training in several processes: what `--launch` names, and the `accelerate launch` that it becomes."""

from __future__ import annotations

import os
import shlex
import socket
import sys
from pathlib import Path
from typing import Any

from msgspec import Struct

from ..errors import UsageError, require_packages
from .trainer import Trainer

SHIPPED = Path(__file__).parent / "launch_configs"
"""Folder of accelerate's configurations that ship: `ddp` (what a plain number means) and `fsdp2`."""

KINDS = ("NO", "MULTI_CPU", "MULTI_GPU", "FSDP")
"""What accelerate calls the ways of training in several processes; those that trainers are tested with."""

PORT = 29500
"""Port at which the processes of several machines find each other where the configuration names none."""


class Launch(Struct, frozen=True, kw_only=True):
    """Which processes train together."""

    config: Path
    """A configuration of accelerate."""
    processes: int
    """On all machines together."""
    machines: int = 1
    machine: int = 0
    """Number of this machine."""
    address: str | None = None
    """Where the first machine is found by the others; None: this machine's name."""
    port: int = 0
    """0: a free one, which only one machine can choose."""
    sharded: bool = False
    """Whether the weights are divided over the processes (FSDP2)."""


def parse_launch(text: str) -> Launch:
    """What `--launch` names: a number of processes on this machine, or a configuration of accelerate.

    `2`, `fsdp2:8` (a shipped one, with its number of processes) or `CONFIG.yaml`. Raises `UsageError` for anything
    else, and for configurations that trainers cannot follow; `PrerequisiteError` without accelerate.
    """
    require_packages(["accelerate", "yaml"], "--launch", "liftbench[train]")
    name, _, number = text.rpartition(":") if text.rpartition(":")[2].isdigit() else (text, "", "")
    path = SHIPPED / f"{name or 'ddp'}.yaml"
    if not path.is_file():
        path = Path(name)
    values = _read(path, text)
    processes = int(number) if number else values.get("num_processes")
    if not isinstance(processes, int) or processes < 2:
        raise UsageError(
            f"--launch {text} names {processes or 'no number of'} processes; several are needed",
            "Give their number: --launch 2, or num_processes in the configuration.",
        )
    machines = int(values.get("num_machines") or 1)
    if processes % machines:
        raise UsageError(f"{path}: {processes} processes cannot be divided evenly over {machines} machines")
    port = values.get("main_process_port")
    return Launch(
        config=path,
        processes=processes,
        machines=machines,
        machine=int(values.get("machine_rank") or 0),
        address=values.get("main_process_ip"),
        port=int(port if port is not None else PORT if machines > 1 else 0),
        sharded=values.get("distributed_type") == "FSDP",
    )


def require_launchable(trainer: Trainer, name: str) -> None:
    """Raise `UsageError` for a trainer that several processes cannot call together."""
    if not trainer.launchable:
        raise UsageError(
            f"the trainer {name!r} trains in one process", "Leave --launch out, or choose another --plugin."
        )


def require_first_machine(launch: Launch) -> None:
    """Raise `UsageError` on another machine than the first, which alone has the run."""
    if launch.machine > 0 and not _on_slurm(launch):
        raise UsageError(
            f"this is machine {launch.machine} by {launch.config}, and the run belongs to machine 0",
            "Run the command that --dry-run prints here, once `bench train` runs there.",
        )


def _on_slurm(launch: Launch) -> bool:
    return launch.machines > 1 and "SLURM_JOB_ID" in os.environ


def found_at(launch: Launch) -> str:
    """The name or address of the first machine, which this one is unless the configuration says another."""
    return launch.address or socket.gethostname()


def command(launch: Launch, request: Path) -> list[str]:
    """The `accelerate launch` that trains as the request in a file says.

    In a Slurm job with several machines, `srun` starts one on each of them.
    """
    per_machine = launch.processes // launch.machines
    threads = os.environ.get("OMP_NUM_THREADS") or str(max(1, _cores() // per_machine))
    start = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(launch.config.resolve())]
    if not launch.sharded:
        # accelerate's name for processes under torchrun; without GPUs they are on the CPU all the same.
        start += ["--multi_gpu"]
    start += ["--num_processes", str(launch.processes), "--num_machines", str(launch.machines)]
    if launch.machines > 1:
        start += ["--same_network", "--main_process_ip", found_at(launch)]
    start += ["--main_process_port", str(launch.port)]
    # The trainer decides about these.
    start += ["--mixed_precision", "no", "--dynamo_backend", "no", "--num_cpu_threads_per_process", threads]
    work = ["--module", "liftbench.training.worker", str(request.resolve())]
    if not _on_slurm(launch):
        return [*start, "--machine_rank", str(launch.machine), *work]
    line = f'exec {shlex.join(start)} --machine_rank "$SLURM_PROCID" {shlex.join(work)}'
    tasks = [f"--nodes={launch.machines}", f"--ntasks={launch.machines}", "--ntasks-per-node=1"]
    return ["srun", *tasks, "--kill-on-bad-exit=1", "bash", "-c", line]


def _read(path: Path, text: str) -> dict[str, Any]:
    import yaml

    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        shipped = ", ".join(sorted(one.stem for one in SHIPPED.glob("*.yaml")))
        raise UsageError(
            f"--launch {text} is neither a number of processes nor a configuration that can be read: {error.strerror}",
            f"Give a number, a file of accelerate's, or one that ships with its number of processes ({shipped}): "
            "fsdp2:8.",
        ) from error
    except yaml.YAMLError as error:
        raise UsageError(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise UsageError(f"{path} is no configuration of accelerate: it holds no keys")
    kind = str(values.get("distributed_type", "NO"))
    if kind not in KINDS:
        raise UsageError(f"{path}: distributed_type {kind} is not supported", f"Supported: {', '.join(KINDS)}.")
    sharding = values.get("fsdp_config") or {}
    if kind == "FSDP" and str(sharding.get("fsdp_version", 1)) != "2":
        raise UsageError(f"{path}: FSDP 1 is not supported", "Set fsdp_version: 2 in fsdp_config.")
    if kind == "FSDP" and "FULL" not in str(sharding.get("fsdp_state_dict_type", "FULL_STATE_DICT")):
        raise UsageError(
            f"{path}: a checkpoint has to hold the whole adapter", "Set fsdp_state_dict_type: FULL_STATE_DICT."
        )
    return values


def _cores() -> int:
    import psutil

    return psutil.cpu_count(logical=False) or os.cpu_count() or 1
