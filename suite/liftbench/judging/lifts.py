"""All lifts of a comparison: each training and each seed over the plain and over the best-prompted baseline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from ..records.run import Against
from ..runs.measured import MeasuredRun
from ..statistics.lift import Lift, LiftResult, NoLift
from ..statistics.paired_lift import LiftRequest
from ..statistics.permutation import holm
from .evidence import Basis

SEEDS_TO_RESAMPLE = 5
"""From this number of seeds on they are resampled together with the conversations; with fewer, the worst seed decides.
The lowest of five draws lies above the median of all possible ones in only 1 case of 32; two or three draws say too
little about the next seed."""


class LiftTable(Struct, frozen=True):
    """Lifts by candidate runs (several seeds together, or one), by what they are over, and by metric."""

    found: Mapping[tuple[tuple[str, ...], Against, str], LiftResult]

    def of(self, runs: Sequence[MeasuredRun], against: Against, metrics: Iterable[str]) -> list[LiftResult]:
        """The lifts in the order of the metrics; empty over a best prompt that was never searched for."""
        ids = tuple(run.id for run in runs)
        return [self.found[ids, against, name] for name in metrics if (ids, against, name) in self.found]


def measure_lifts(basis: Basis, trainings: Sequence[Sequence[MeasuredRun]], metrics: Sequence[str]) -> LiftTable:
    """The lifts of every run on `metrics`, and of five or more seeds together on the headlines.

    P-values are corrected for all of these lifts (Holm), except those on metrics without a better direction.
    """
    overs: list[tuple[Against, MeasuredRun]] = [("baseline", basis.baseline)]
    overs += [("best-prompted", basis.best_prompted)] if basis.best_prompted else []
    wanted = [([run], list(metrics)) for runs in trainings for run in runs]
    wanted += [(list(runs), list(basis.terms.headlines)) for runs in trainings if len(runs) >= SEEDS_TO_RESAMPLE]
    keys = {
        (tuple(run.id for run in runs), against, name): (over, runs)
        for runs, names in wanted
        for against, over in overs
        for name in names
    }
    gap_of = {
        (tuple(run.id for run in runs), against): _find_gaps(over, runs)
        for runs, _ in wanted
        for against, over in overs
    }
    gaps = {key: reason for key in keys if (reason := gap_of[key[:2]])}
    requests = {key: _request(basis, over, runs, key[2]) for key, (over, runs) in keys.items() if key not in gaps}
    lifts = dict(zip(requests, basis.bootstrap.lifts(list(requests.values())), strict=True))
    found: dict[tuple[tuple[str, ...], Against, str], LiftResult] = {
        key: lifts[key] if key in lifts else _no_lift(basis, over, key[2], gaps[key]) for key, (over, _) in keys.items()
    }
    undirected = {row.name for row in basis.baseline.summary.metrics if row.direction == "neither"}
    tested = {key: lift.p for key, lift in found.items() if isinstance(lift, Lift) and lift.metric not in undirected}
    corrected = dict(zip(tested, holm(list(tested.values())), strict=True))
    return LiftTable(
        {
            key: replace(lift, p_holm=corrected[key]) if isinstance(lift, Lift) and key in corrected else lift
            for key, lift in found.items()
        }
    )


def _request(basis: Basis, over: MeasuredRun, candidates: Sequence[MeasuredRun], metric: str) -> LiftRequest:
    """The request for one candidate, or for several seeds together."""
    # Sorted by id, so that the interval does not depend on the order in which a run wrote its scores.
    ids = sorted(over.scores)
    before, *after = ([run.scores.get(id_, {}).get(metric) for id_ in ids] for run in (over, *candidates))
    return LiftRequest(
        baseline=before,
        candidates=after,
        metric=metric,
        signature=over.manifest.protocol.metrics[metric],
        target=basis.terms.target,
        ids=ids,
    )


def _no_lift(basis: Basis, over: MeasuredRun, metric: str, reason: str) -> NoLift:
    return NoLift(
        metric=metric,
        signature=over.manifest.protocol.metrics[metric],
        level=basis.bootstrap.level,
        n=len(over.scores),
        reason=reason,
    )


def _find_gaps(over: MeasuredRun, candidates: Sequence[MeasuredRun]) -> str:
    n = over.manifest.protocol.n
    return next((words for run in candidates if (words := _find_gap(over, run, n))), "")


def _find_gap(over: MeasuredRun, candidate: MeasuredRun, n: int) -> str:
    """Why two runs do not both hold scores of the `n` conversations of their protocol; empty if they do."""
    unshared = over.scores.keys() ^ candidate.scores.keys()
    if unshared:
        return f"{len(unshared)} conversations have scores in only one of the runs, for example {min(unshared)}"
    if len(candidate.scores) != n:
        return f"{len(candidate.scores)} conversations have scores, and the protocol says {n}"
    return ""
