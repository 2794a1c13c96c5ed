"""What the two sides of `training_rivals.py` are given and report, as JSON. Imports nothing outside of Python."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypedDict


class TokenRow(TypedDict):
    """A conversation as tokens."""

    prompt_ids: list[int]
    targets: list[list[int]]
    """Of each reference, with the end token."""


class Job(TypedDict):
    """A training that both sides can do."""

    model: str
    """Folder of the base."""
    rows: list[TokenRow]
    """In the order of training; consecutive `batch` rows form an optimizer step."""
    validation: list[TokenRow]
    batch: int
    """Conversations per optimizer step."""
    learning_rate: float
    """The first step's; a cosine brings it to 0."""
    rank: int
    alpha: int
    seed: int
    threads: int
    work: str
    """Folder for what the training writes."""


class Report(TypedDict):
    """What a side measured."""

    step_seconds: list[float]
    """Of each optimizer step; the first one is a warm-up."""
    validation_loss: float
    """Mean cross entropy per target token, after the last step."""
    peak_memory: int
    """Bytes that the process held at most, libraries included."""
    matrix_rate: float
    """Floating-point operations per second of the model's products, measured right before the training."""
    packages: dict[str, str]


def read_job(path: Path) -> Job:
    """A job that `write` wrote."""
    job: Job = json.loads(path.read_text())
    return job


def write(path: Path, value: Any) -> None:
    """Write a job or a report."""
    path.write_text(json.dumps(value))


def peak_memory() -> int:
    """The most bytes that this process has held since its program began.

    Not `ru_maxrss`: on Linux this includes what the parent held when it started this process.
    """
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("/proc/self/status has no VmHWM")
