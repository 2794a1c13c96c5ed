"""All that a verdict on one candidate is made from."""

from __future__ import annotations

from msgspec import Struct

from ..floors.control_scores import ControlScores
from ..floors.ranking import Position
from ..records.run import Against, Direction, Limits
from ..runs.directory import Run
from ..statistics.lift import Lift
from .leakage import Leak
from .output_faults import Fault
from .slices import SliceResult


class Evidence(Struct, frozen=True, kw_only=True):
    """All that a verdict on one candidate is made from; of the lifts and positions those on the headlines."""

    baseline: Run
    candidate: Run
    best_prompted: Run | None
    lifts: list[Lift]
    """Over the baseline."""
    prompted: list[Lift]
    """Over the best-prompted baseline; empty where there is none."""
    against: Against
    positions: list[Position]
    controls: ControlScores | None
    slices: list[SliceResult]
    leaks: list[Leak]
    faults: dict[Fault, list[str] | None]
    """Fault → ids of the candidate's summaries that have it; None where it cannot be known."""
    usual: dict[Fault, float]
    """Fault → the share of the humans' own summaries that have it."""
    human_copies: float
    """The share of the humans' own summaries that would count as copied from training."""
    limits: Limits
    clusters: dict[str, str]
    """Id → what is resampled as one."""
    level: float
    """Of two-sided intervals: 0.95, or more where several candidates are judged at once."""
    seed: int
    """Of intervals."""
    seeds: tuple[int, ...] = ()
    """Of the trainings, where several of them are judged together."""
    unjudged: str = ""
    """Seeds of the same training that could not be judged with it."""
    unmeasured: list[str] = []
    """Controls and the validity table, where they could not be measured, with the reason."""

    @property
    def over(self) -> Run:
        """What the judged lifts are over."""
        return self.best_prompted if self.against == "best-prompted" and self.best_prompted else self.baseline

    @property
    def judged(self) -> list[Lift]:
        """The lifts that the verdict is about; empty where they are over a best prompt that was not searched for."""
        return self.prompted if self.against == "best-prompted" else self.lifts

    @property
    def n(self) -> int:
        """Conversations scored."""
        return self.candidate.manifest.protocol.n

    def direction(self, metric: str) -> Direction:
        """Which way is better on a metric."""
        return next((row.direction for row in self.candidate.summary.metrics if row.name == metric), "higher")
