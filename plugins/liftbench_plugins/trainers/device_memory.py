"""The memory that a process takes on the device it trains on: now, at most since a moment, and what it could take.

Imports torch: import this module only where a training begins.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Protocol

import psutil
import torch

from liftbench.plugin_api import peak_memory
from liftbench_plugins.loading import device


class Memory(Protocol):
    """What a training reads of a device's memory. All figures are bytes."""

    def room(self) -> int:
        """What this process could hold in all, beside what others hold now."""
        ...

    def held(self) -> int:
        """What it holds now."""
        ...

    def forget_peak(self) -> None:
        """Begin to look for the peak anew."""
        ...

    def peak(self) -> int:
        """The most that it has held since then."""
        ...


class MainMemory:
    """The resident set."""

    def __init__(self) -> None:
        self._process = psutil.Process()

    def room(self) -> int:
        """What is free, or could be freed without swapping, and what this process holds."""
        return int(psutil.virtual_memory().available) + self.held()

    def held(self) -> int:
        """The resident set."""
        return int(self._process.memory_info().rss)

    def forget_peak(self) -> None:
        """Linux resets the largest resident set on request (proc_pid_clear_refs(5)); elsewhere the old one stays."""
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")

    def peak(self) -> int:
        """The largest resident set."""
        return peak_memory()


class GPUMemory:
    """What torch has allocated on the current GPU."""

    def room(self) -> int:
        """What is free, and what torch holds already."""
        return int(torch.cuda.mem_get_info()[0]) + int(torch.cuda.memory_reserved())

    def held(self) -> int:
        """The tensors that there are."""
        return int(torch.cuda.memory_allocated())

    def forget_peak(self) -> None:
        """Let torch count anew."""
        torch.cuda.reset_peak_memory_stats()

    def peak(self) -> int:
        """The most that tensors have taken."""
        return int(torch.cuda.max_memory_allocated())


def device_memory() -> Memory:
    """The memory of `device()`."""
    return MainMemory() if device() == "cpu" else GPUMemory()
