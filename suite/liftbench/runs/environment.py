"""The environment of a run: packages, processor, memory, GPU, git."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from ..records.run import Environment, GitState

PACKAGES = (
    "liftbench",
    "accelerate",
    "bitsandbytes",
    "datasets",
    "numpy",
    "peft",
    "rouge-score",
    "safetensors",
    "tokenizers",
    "torch",
    "transformers",
    "trl",
    "vllm",
)
"""The packages whose version can change a figure."""


def versions() -> dict[str, str]:
    """Package → installed version."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def environment() -> Environment:
    """The environment of this process. Torch is asked only if something else has loaded it already."""
    import psutil

    torch = sys.modules.get("torch")
    gpu = driver = None
    if torch is not None and torch.cuda.is_available():
        gpu = str(torch.cuda.get_device_name(0))
        driver = f"CUDA {torch.version.cuda}"
    return Environment(
        python=platform.python_version(),
        platform=platform.platform(),
        processor=processor_name(),
        cpu_count=usable_cores(),
        memory_bytes=psutil.virtual_memory().total,
        threads=torch.get_num_threads() if torch is not None else None,
        gpu=gpu,
        driver=driver,
        packages=versions(),
    )


STATUS = Path("/proc/self/status")
"""What Linux says of this process."""


def usable_cores() -> int:
    """Logical cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def peak_memory() -> int:
    """The most bytes of main memory that this process has held at once.

    On Linux this is `VmHWM`, because `ru_maxrss` includes what the parent held when it started this process.
    """
    try:
        peaks = [line.split()[1] for line in STATUS.read_text().splitlines() if line.startswith("VmHWM:")]
    except OSError:
        peaks = []
    if peaks:
        return int(peaks[0]) * 1024
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if sys.platform == "darwin" else largest * 1024  # Linux counts KiB


def git_state(folder: Path) -> GitState | None:
    """The commit, and whether anything is uncommitted; None outside a repository or without git."""
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        dirty = bool(_git(folder, "status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError):
        return None
    return GitState(commit=commit, dirty=dirty)


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=True
    )
    return done.stdout.strip()


def processor_name() -> str:
    """The processor, as the system calls it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
