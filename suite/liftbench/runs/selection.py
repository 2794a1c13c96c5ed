"""Which runs belong in one comparison: those of one protocol and one model, by default the newest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from ..errors import PrerequisiteError, UsageError
from ..records.run import Protocol
from .differences import protocol_differences
from .directory import Run
from .measured import MeasuredRun


def require_comparable(baseline: MeasuredRun, candidate: MeasuredRun) -> None:
    """Raise `UsageError` with the differing keys if two runs were measured differently."""
    differing = protocol_differences(protocol_of(baseline), protocol_of(candidate))
    if differing:
        listed = "; ".join(f"{d.key}: {d.baseline} against {d.candidate}" for d in differing)
        raise UsageError(
            f"{baseline.id} and {candidate.id} were measured differently and cannot be compared\n{listed}",
            "Measure one of them again with the other's recipe, data and versions of the metrics.",
        )


def protocol_of(run: MeasuredRun) -> Protocol:
    """The protocol of a run, which must be complete."""
    return run.require_complete().manifest.protocol


def is_plain_baseline(run: Run) -> bool:
    """Whether a run is a baseline with the prompt that its recipe says, not one that was searched for."""
    return run.manifest.command == "baseline" and not run.manifest.tuned


def complete_like(run: Run, there: Sequence[Run]) -> list[Run]:
    """The complete ones of some runs that were measured like a run, in their order."""
    protocol = run.manifest.protocol
    return [
        one
        for one in there
        if one.manifest.status == "complete" and not protocol_differences(protocol, one.manifest.protocol)
    ]


def plain_baseline_of(run: Run, there: Sequence[Run]) -> Run | None:
    """The last of some runs that is a plain baseline and was measured like a run; None where there is none."""
    return next((one for one in reversed(complete_like(run, there)) if is_plain_baseline(one)), None)


def best_prompted(baseline: Run, runs: Sequence[Run]) -> Run | None:
    """The strongest run of the baseline's own model with a prompt that was searched for, judged on its headlines.

    Such a run has the baseline's weights, settings, precision, backend and protocol. The strongest has the largest
    product of the headlines' means, and the newest of equals counts: a later search with fewer trials does not replace
    a stronger one.
    """
    found = [
        run
        for run in complete_like(baseline.require_complete(), runs)
        if run.manifest.tuned and _bare(run) == _bare(baseline)
    ]

    def strength(run: Run) -> tuple[float, str]:
        means = {row.name: row.mean or 0.0 for row in run.summary.metrics}
        return math.prod(means.get(name, 0.0) for name in baseline.manifest.headlines), run.manifest.created

    return max(found, key=strength, default=None)


def _bare(run: Run) -> tuple[object, ...]:
    """A system without its prompt."""
    system = run.manifest.system
    settings = system.model.settings_sha256 if system.model else None
    return _model(run), settings, system.adapter, system.precision, system.backend


def newest_pair(runs: Sequence[Run]) -> tuple[Run, Run]:
    """The newest comparable pair, baseline first: the newest candidate with the protocol of some baseline run.

    Baselines of the candidate's own model come first, then the newest. Raises `UsageError`, which says which command is
    missing.
    """
    newest_first = sorted(runs, key=lambda run: (run.manifest.created, run.id), reverse=True)
    complete = [run for run in newest_first if run.manifest.status == "complete"]
    baselines = [run for run in complete if is_plain_baseline(run)]
    candidates = [run for run in complete if run.manifest.command != "baseline"]
    for candidate in candidates:
        if matching := complete_like(candidate, baselines):
            return min(matching, key=lambda run: _model(run) != _model(candidate)), candidate

    unfinished = [run for run in newest_first if run.manifest.status != "complete"]
    hint = f" Run {unfinished[0].id} is not complete: the same command continues it." if unfinished else ""
    if not candidates:
        raise UsageError(
            "there is no measured candidate to compare",
            f"Measure one with `bench train --plugin NAME` or `bench score SYSTEM`.{hint}",
        )
    if not baselines:
        raise UsageError("there is no measured baseline to compare with", f"Measure one with `bench baseline`.{hint}")
    differing = protocol_differences(protocol_of(baselines[0]), protocol_of(candidates[0]))
    raise UsageError(
        f"no candidate was measured like a baseline; the newest, {candidates[0].id} and {baselines[0].id}, differ in "
        f"{', '.join(difference.key for difference in differing)}",
        f"Run `bench baseline` with the candidate's recipe.{hint}",
    )


class PassedOver(NamedTuple):
    """A newer run that was not selected."""

    run: str
    why: str
    """A clause without its subject: `is not finished`."""


def newest_like(protocol: Protocol, runs: Sequence[Run]) -> tuple[Run, list[PassedOver]]:
    """The newest candidate measured with a protocol, whatever its metrics: a gate itself reports a missing metric.

    Also returns the newer candidates that were passed over. Raises `PrerequisiteError` if there is no such candidate.
    """
    newest_first = sorted(runs, key=lambda run: (run.manifest.created, run.id), reverse=True)
    candidates = [run for run in newest_first if run.manifest.command != "baseline"]
    passed_over: list[PassedOver] = []
    for run in candidates:
        differing = [one.key for one in protocol_differences(protocol, run.manifest.protocol)]
        differing = [key for key in differing if not key.startswith("metrics.")]
        if run.manifest.status == "complete" and not differing:
            return run, passed_over
        why = f"differs from the baseline in {', '.join(differing)}" if differing else "is not finished"
        passed_over.append(PassedOver(run.id, why))
    hint = f": run {passed_over[0].run} {passed_over[0].why}" if passed_over else ""
    raise PrerequisiteError(
        f"there is no measured run to gate{hint}",
        "Measure one by the baseline's recipe with `bench train --plugin NAME` or `bench score SYSTEM`. "
        "The same command continues a run that was stopped.",
    )


def _model(run: Run) -> str | None:
    model = run.manifest.system.model
    return model.sha256 if model else None
