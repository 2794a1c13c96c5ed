"""Options of the launchers, readable without the packages that they need."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

Positive = Annotated[int, Meta(ge=1)]


class LocalOptions(Struct, frozen=True, kw_only=True):
    """Options of the launcher `local`."""

    threads: Positive | None = None
    """Threads of each worker (default: `OMP_NUM_THREADS`, else the cores divided by the workers)."""


class RayOptions(Struct, frozen=True, kw_only=True):
    """Options of the launcher `ray`."""

    address: str | None = None
    """The cluster (default: `RAY_ADDRESS`, else one on this machine that ends with the command)."""
    cpus: Positive | None = None
    """CPUs and threads of each worker (default: the cluster's CPUs divided by the workers, at most a node's)."""
    gpus: Annotated[float, Meta(ge=0)] | None = None
    """GPUs of each worker (default: 1 where the cluster has any)."""


class SubmititOptions(Struct, frozen=True, kw_only=True):
    """Options of the launcher `submitit`."""

    cluster: Literal["slurm", "local"] | None = None
    """Where jobs run (default: Slurm where there is `sbatch`, else as processes on this machine)."""
    partition: str | None = None
    """Slurm's partition."""
    time: str = "1:00:00"
    """The longest time of a job: minutes, `hours:minutes:seconds` or `days-hours:minutes:seconds`."""
    cpus: Positive = 1
    """CPUs and threads of each worker."""
    gpus: Annotated[int, Meta(ge=0)] = 0
    """GPUs of each worker."""
    memory: Annotated[float, Meta(gt=0)] | None = None
    """Gigabytes of memory of each worker."""
    account: str | None = None
    """Slurm's account."""
    qos: str | None = None
    """Slurm's quality of service."""
    constraint: str | None = None
    """Features that nodes must have: one kind of processor makes equal texts."""
    at_once: Positive | None = None
    """The most jobs that run at the same time (default: all)."""
