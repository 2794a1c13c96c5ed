"""The processes that train one adapter together. One place decides who writes files and reports: the main process."""

from __future__ import annotations

import os

from msgspec import Struct


class Ranks(Struct, frozen=True, kw_only=True):
    """Which of the processes that train together this one is; by default it is the only one."""

    rank: int = 0
    """Its number, from 0."""
    count: int = 1
    """How many there are, on all machines."""
    local: int = 0
    """Its number on this machine, which is the number of its GPU."""

    @property
    def is_main(self) -> bool:
        """Whether this process writes files, records the curve and reports progress; the others do none of it."""
        return self.rank == 0


def launched_ranks() -> Ranks:
    """The ranks of a process that `accelerate launch` has started, from the variables that `torchrun` sets."""
    return Ranks(rank=int(os.environ["RANK"]), count=int(os.environ["WORLD_SIZE"]), local=int(os.environ["LOCAL_RANK"]))
