"""What a verdict is based on: the basis that all candidates share, and the evidence on one candidate.

A comparison and a gate gather the same evidence, so that *verified* means one thing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct, structs

from ..data.similarity.scored import ScoredSplit
from ..data.slicing import Slice, slices
from ..errors import UsageError
from ..floors.background import Background
from ..floors.control_scores import ControlScores
from ..floors.ranking import Position, positions, unmeasured
from ..floors.separation import Separation, separate
from ..records.preferences import Preference
from ..records.run import Direction, Terms
from ..records.training import TrainingSummary
from ..runs.measured import MeasuredRun
from ..statistics.bootstrap import Bootstrap
from ..statistics.lift import LiftResult
from .abstractiveness import Abstractiveness, measure_abstractiveness
from .leakage import Leak, human_copies, leaks
from .near_copies import NearCopies, find_near_copies
from .output_faults import Fault, output_faults, usual
from .rescoring import ScoreMismatch
from .slices import SliceResult, slice_results


class Selection(Struct, frozen=True, kw_only=True):
    """How the candidates were chosen among the runs of a folder, and what judges there preferred."""

    unscored_seeds: str = ""
    """The seeds of the candidates' trainings that could not be judged with them, in words; empty for none."""
    looks: int = 1
    """Candidates that were measured under this protocol and could be compared: each is a chance to be verified."""
    notes: Sequence[str] = ()
    """What a reader must know about the choice, in sentences."""
    preferences: Mapping[str, Sequence[Preference]] = {}
    """Run id → what judges preferred, people first."""
    trainings: Mapping[str, TrainingSummary] = {}
    """Run id → the training of its adapter, where another run of the folder made it."""


class Basis(Struct, frozen=True, kw_only=True):
    """Everything that all candidates of one comparison or gate share, computed once."""

    baseline: MeasuredRun
    best_prompted: MeasuredRun | None
    background: Background
    terms: Terms
    bootstrap: Bootstrap
    scored: ScoredSplit
    slices: list[Slice]
    """The declared slices of the scored conversations."""
    usual_faults: dict[Fault, float]
    """Fault → the share of the humans' own summaries that have it."""
    separations: list[Separation]
    """Whether each headline separates people from the controls; empty without controls."""
    selection: Selection

    def find_separating(self) -> list[str]:
        """The metrics beside the headlines that separate people from the controls, where that was measured."""
        controls = self.background.controls
        if controls is None:
            return []
        others = [info.name for info in controls.metrics if info.name not in self.terms.headlines]
        return [one.metric for one in separate(controls, others, self.bootstrap) if one.state == "separates"]


def lay_basis(
    baseline: MeasuredRun,
    best_prompted: MeasuredRun | None,
    background: Background,
    terms: Terms,
    bootstrap: Bootstrap,
    scored: ScoredSplit,
    selection: Selection = Selection(),  # noqa: B008 - it is frozen
) -> Basis:
    """The basis for candidates of `baseline`; `scored` are its conversations, and `bootstrap` has their clusters.

    Raises `UsageError` for a baseline with a prompt from a search, and for a slice that no conversation has.
    """
    if baseline.manifest.tuned:
        raise UsageError(
            f"{baseline.id} has the best prompt, not the plain one",
            "Take the plain baseline; --against best-prompted judges over the best prompt.",
        )
    return Basis(
        baseline=baseline,
        best_prompted=best_prompted,
        background=background,
        terms=terms,
        bootstrap=bootstrap,
        scored=scored,
        slices=slices(scored.conversations, terms.limits.slices, bootstrap.clusters),
        usual_faults=usual(scored),
        separations=separate(background.controls, terms.headlines, bootstrap) if background.controls else [],
        selection=selection,
    )


class Evidence(Struct, frozen=True, kw_only=True):
    """Everything that a verdict on one candidate is based on; lifts and positions are those on the headlines."""

    basis: Basis
    candidate: MeasuredRun
    lifts: list[LiftResult]
    """Lifts over the baseline."""
    prompted: list[LiftResult]
    """Lifts over the best-prompted baseline; empty where there is none."""
    positions: list[Position]
    slices: list[SliceResult]
    leaks: list[Leak]
    human_copies: float
    """The share of the humans' own summaries that would count as copied from training."""
    preferences: Sequence[Preference]
    """What judges preferred, people first."""
    abstractiveness: Abstractiveness
    near_copies: list[NearCopies]
    """For each control, the near copies of its texts; the control with the most comes first."""
    faults: dict[Fault, list[str] | None]
    """Fault → ids of the candidate's summaries that have it; None where that cannot be known."""
    seeds: tuple[int, ...] = ()
    """Seeds of the trainings, where several are judged together."""
    mismatches: list[ScoreMismatch] = []
    """Recorded scores of the candidate, or of what it is compared with, that are not those of the texts."""

    @property
    def baseline(self) -> MeasuredRun:
        return self.basis.baseline

    @property
    def best_prompted(self) -> MeasuredRun | None:
        return self.basis.best_prompted

    @property
    def terms(self) -> Terms:
        return self.basis.terms

    @property
    def controls(self) -> ControlScores | None:
        return self.basis.background.controls

    @property
    def unmeasured(self) -> list[str]:
        """The parts of the background that could not be measured, with the reason."""
        return unmeasured(self.basis.background)

    @property
    def over(self) -> MeasuredRun:
        """The run that the judged lifts are over."""
        if self.terms.against == "best-prompted" and self.best_prompted is not None:
            return self.best_prompted
        return self.baseline

    @property
    def judged(self) -> list[LiftResult]:
        """The lifts that the verdict is about; empty where they are over a best prompt that was never searched for."""
        return self.prompted if self.terms.against == "best-prompted" else self.lifts

    @property
    def n(self) -> int:
        """Number of scored conversations."""
        return self.candidate.manifest.protocol.n

    def direction(self, metric: str) -> Direction:
        """Which direction is better on a metric."""
        return next((row.direction for row in self.candidate.summary.metrics if row.name == metric), "higher")

    def misread(self, metric: str) -> float:
        """The share of the references' words that a metric misreads."""
        return max((row.misread for row in self.candidate.summary.metrics if row.name == metric), default=0.0)


class Observations(Struct, frozen=True, kw_only=True):
    """What is found in one candidate's texts and scores beside its lifts; the fields are those of `Evidence`."""

    positions: list[Position]
    slices: list[SliceResult]
    leaks: list[Leak]
    human_copies: float
    abstractiveness: Abstractiveness
    near_copies: list[NearCopies]
    faults: dict[Fault, list[str] | None]


def observe(basis: Basis, candidate: MeasuredRun) -> Observations:
    """What is found in one candidate's texts and scores."""
    scored, rows = basis.scored, candidate.training_rows or []
    texts = {id_: prediction.text for id_, prediction in candidate.predictions.items()}
    headlines, controls = basis.terms.headlines, basis.background.controls
    directions = {row.name: row.direction for row in basis.baseline.summary.metrics}
    return Observations(
        positions=positions(candidate, headlines, controls, basis.bootstrap) if controls else [],
        slices=slice_results(
            basis.slices,
            basis.baseline.scores,
            candidate.scores,
            {name: directions[name] for name in headlines},
            Bootstrap(seed=basis.bootstrap.seed, clusters=basis.bootstrap.clusters),
        ),
        leaks=leaks(scored, texts, rows, candidate.manifest.system.prompt),
        human_copies=human_copies(scored, rows),
        abstractiveness=measure_abstractiveness(texts, scored, controls, headlines, basis.bootstrap),
        near_copies=find_near_copies(texts, controls) if controls else [],
        faults=output_faults(scored, candidate.predictions),
    )


def gather_evidence(
    basis: Basis,
    candidate: MeasuredRun,
    lifts: Sequence[LiftResult],
    prompted: Sequence[LiftResult],
    mismatches: Sequence[ScoreMismatch] = (),
    observed: Observations | None = None,
) -> Evidence:
    """The evidence on one candidate; `lifts` and `prompted` are those on the headlines (see `measure_lifts`).

    Only the `mismatches` (see `check_scores`) of runs behind this candidate's verdict count. What is `observed` of the
    candidate is found now if it is not given.
    """
    judged = {run.id for run in (basis.baseline, basis.best_prompted, candidate) if run}
    observed = observed or observe(basis, candidate)
    return Evidence(
        basis=basis,
        candidate=candidate,
        lifts=list(lifts),
        prompted=list(prompted),
        preferences=basis.selection.preferences.get(candidate.id, ()),
        mismatches=[one for one in mismatches if one.run in judged],
        **structs.asdict(observed),
    )
