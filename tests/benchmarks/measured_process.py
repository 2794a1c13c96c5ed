"""A `bench` command in a process of its own, with the seconds and the memory that it took."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

CHILD = """
import atexit, json, resource, sys
report = sys.argv.pop(1)

def write():
    # Not ru_maxrss: that of a child begins with the memory of the process that started it.
    peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    used = resource.getrusage(resource.RUSAGE_SELF)
    with open(report, "w") as out:
        json.dump({"peak_mb": int(peak.split()[1]) / 1024, "cpu_seconds": used.ru_utime + used.ru_stime}, out)

atexit.register(write)
from liftbench.cli.main import main
main()
"""


class Measured(NamedTuple):
    """A command that has ended."""

    seconds: float
    cpu_seconds: float
    peak_mb: float
    """The most memory that was resident, in MiB."""
    out: str

    @property
    def figures(self) -> dict[str, float]:
        """Rounded, for a table."""
        figures = {"seconds": self.seconds, "cpu_seconds": self.cpu_seconds, "peak_mb": self.peak_mb}
        return {name: round(value, 1) for name, value in figures.items()}


def run_bench(
    arguments: Sequence[str], codes: Sequence[int] = (0,), environment: Mapping[str, str] | None = None
) -> Measured:
    """`bench` with some arguments. Raises `SystemExit` with what it said where it ends with another exit code."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        wall = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", CHILD, str(report), *arguments],
            capture_output=True,
            env={**os.environ, **(environment or {})},
            check=False,
            text=True,
        )
        seconds = time.perf_counter() - wall
        if done.returncode not in codes:
            raise SystemExit(f"bench {' '.join(arguments[:3])} … failed with {done.returncode}:\n{done.stderr}")
        figures = json.loads(report.read_text())
    return Measured(seconds, figures["cpu_seconds"], figures["peak_mb"], done.stdout)
