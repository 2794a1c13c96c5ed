"""Which runs of a folder somebody means: by system, data set, status, kind and date."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from .directory import Run

Kind = Literal["baseline", "best-prompt", "train", "score"]
"""What made a run; `best-prompt` is a baseline whose prompt was searched for."""

Status = Literal["complete", "incomplete", "trained", "running", "shard", "damaged"]
"""How far a run is; `running`: it was begun, whether or not it goes on; `incomplete`: it is not complete."""


class RunFilter(Struct, frozen=True, kw_only=True):
    """What a run must have; empty: anything."""

    system: str = ""
    """A part of the system's name."""
    dataset: str = ""
    """A part of the data set's name."""
    status: Status | None = None
    kind: Kind | None = None
    since: str = ""
    """The first day, as `2026-11-30`."""
    until: str = ""
    """The last day."""

    def matches(self, run: Run) -> bool:
        """Whether a run has all of it."""
        manifest = run.manifest
        day = manifest.created[:10]
        return (
            self.system.casefold() in manifest.system.name.casefold()
            and self.dataset.casefold() in manifest.protocol.dataset.casefold()
            and (self.kind is None or self.kind == kind_of(run))
            and self.since <= day
            and (not self.until or day <= self.until)
            and (self.status is None or self.status in statuses_of(run))
        )

    def choose(self, runs: Sequence[Run]) -> list[Run]:
        """Those of some runs that match, in their order."""
        return [run for run in runs if self.matches(run)]


def kind_of(run: Run) -> Kind:
    """What made a run."""
    return "best-prompt" if run.manifest.tuned else run.manifest.command


def statuses_of(run: Run) -> set[str]:
    """Everything that is true of how far a run is."""
    status = run.manifest.status
    damaged = {"damaged"} if run.changed else set()
    return {status, *damaged} if status == "complete" else {status, "incomplete", *damaged}
