"""What the sides of `scoring_rivals.py` are given and report, as JSON. Imports nothing outside of Python."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypedDict


class Job(TypedDict):
    """Prompts that each side continues greedily in bfloat16."""

    model: str
    """Folder of the model."""
    prompts: list[str]
    token_ids: list[list[int]]
    """Of each prompt."""
    new_tokens: int
    batch_size: int
    """Of lm-eval; 0: each prompt by itself, with transformers' `generate`."""


class Report(TypedDict):
    """What a side measured."""

    seconds: float
    """Of all prompts, without loading the model."""
    texts: list[str]
    peak_memory: int
    packages: dict[str, str]


def read_job() -> Job:
    """The job that the first argument names."""
    job: Job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    return job


def write_report(report: Report) -> None:
    """Write the report to the file that the last argument names."""
    Path(sys.argv[-1]).write_text(json.dumps(report), encoding="utf-8")


def timed(work: Callable[[], list[str]]) -> tuple[list[str], float]:
    """What the work returns, and its seconds."""
    started = time.perf_counter()
    made = work()
    return made, time.perf_counter() - started
