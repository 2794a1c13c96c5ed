"""Which runs belong in one comparison: measured alike, of one model, the newest where nothing else is said."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..errors import PrerequisiteError, UsageError
from ..records.run import Protocol
from .differences import protocol_differences
from .directory import Run
from .measured import MeasuredRun


def require_comparable(baseline: MeasuredRun, candidate: MeasuredRun) -> None:
    """Raise `UsageError` with the differing keys where two runs were not measured alike."""
    differing = protocol_differences(protocol_of(baseline), protocol_of(candidate))
    if differing:
        listed = "; ".join(f"{d.key}: {d.baseline} against {d.candidate}" for d in differing)
        raise UsageError(
            f"{baseline.id} and {candidate.id} were not measured alike and cannot be compared.\n{listed}\n"
            "Measure one of them again with the other's recipe, data and versions of the metrics."
        )


def protocol_of(run: MeasuredRun) -> Protocol:
    """The protocol of a run, which must be complete."""
    return run.require_complete().manifest.protocol


def best_prompted(baseline: Run, runs: Sequence[Run]) -> Run | None:
    """Of the runs of the baseline's own model with a prompt that was searched for, the strongest on its headlines.

    The same weights, settings, precision and backend, measured as the baseline was; strongest by the product of the
    headlines' means, and of equals the newest: a later, lazier search takes no rival away.
    """
    found = [
        run
        for run in runs
        if run.manifest.tuned
        and run.manifest.status == "complete"
        and _bare(run) == _bare(baseline)
        and not protocol_differences(protocol_of(baseline), protocol_of(run))
    ]

    def strength(run: Run) -> tuple[float, str]:
        means = {row.name: row.mean or 0.0 for row in run.summary.metrics}
        return math.prod(means.get(name, 0.0) for name in baseline.manifest.headlines), run.manifest.created

    return max(found, key=strength, default=None)


def _bare(run: Run) -> tuple[object, ...]:
    """What a system is but for its prompt."""
    system = run.manifest.system
    settings = system.model.settings_sha256 if system.model else None
    return _model(run), settings, system.adapter, system.precision, system.backend


def newest_pair(runs: Sequence[Run]) -> tuple[Run, Run]:
    """The newest comparable pair, baseline first: the newest candidate that some baseline run has the protocol of.

    Among its baselines those of the candidate's own model come first, then the newest. Raises `UsageError` saying which
    command is missing.
    """
    newest_first = sorted(runs, key=lambda run: (run.manifest.created, run.id), reverse=True)
    complete = [run for run in newest_first if run.manifest.status == "complete"]
    baselines = [run for run in complete if run.manifest.command == "baseline" and not run.manifest.tuned]
    candidates = [run for run in complete if run.manifest.command != "baseline"]
    for candidate in candidates:
        matching = [run for run in baselines if not protocol_differences(protocol_of(run), protocol_of(candidate))]
        if matching:
            return min(matching, key=lambda run: _model(run) != _model(candidate)), candidate

    unfinished = [run for run in newest_first if run.manifest.status != "complete"]
    hint = f" (run {unfinished[0].id} is not complete: its command, given again, continues it)" if unfinished else ""
    if not candidates:
        raise UsageError(
            "there is no measured candidate to compare; `bench train --plugin NAME` or `bench score SYSTEM` makes one"
            + hint
        )
    if not baselines:
        raise UsageError(f"there is no measured baseline to compare with; `bench baseline` makes one{hint}")
    differing = protocol_differences(protocol_of(baselines[0]), protocol_of(candidates[0]))
    raise UsageError(
        f"no candidate was measured as a baseline was; the newest, {candidates[0].id} and {baselines[0].id}, differ in "
        f"{', '.join(difference.key for difference in differing)}; give `bench baseline` the candidate's recipe{hint}"
    )


def newest_like(protocol: Protocol, runs: Sequence[Run]) -> tuple[Run, list[str]]:
    """The newest candidate that was measured as a protocol says, metrics apart: a gate tells which of them vanished.

    Background it, which newer candidates were passed over, and why. Raises `PrerequisiteError` saying what is missing.
    """
    newest_first = sorted(runs, key=lambda run: (run.manifest.created, run.id), reverse=True)
    candidates = [run for run in newest_first if run.manifest.command != "baseline"]
    passed_over: list[str] = []
    for run in candidates:
        differing = [one.key for one in protocol_differences(protocol, run.manifest.protocol)]
        differing = [key for key in differing if not key.startswith("metrics.")]
        if run.manifest.status == "complete" and not differing:
            return run, passed_over
        why = f"differs from the baseline in {', '.join(differing)}" if differing else "is not finished"
        passed_over.append(f"run {run.id} is newer, and {why}")
    hint = f": {passed_over[0].replace('is newer, and ', '')}" if passed_over else ""
    raise PrerequisiteError(
        f"there is no measured run to gate{hint}.\n`bench train --plugin NAME` or `bench score SYSTEM`, under the "
        "baseline's recipe, makes one; a command that was stopped, given again, continues."
    )


def _model(run: Run) -> str | None:
    model = run.manifest.system.model
    return model.sha256 if model else None
