"""From measured runs to a comparison: which runs may be compared, how they differ, and the lift on every metric."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import msgspec

from . import stats
from .errors import UsageError, unknown
from .runs import Run
from .standings import positions, standings, unmeasured
from .types import (
    AdapterRecord,
    Against,
    CandidateResult,
    Comparison,
    Difference,
    Lift,
    MetricInfo,
    Protocol,
    System,
)
from .verdict import Lifted, judge
from .yardsticks import Beside

NOTHING = Beside(missing={"controls": "not measured", "validity": "not measured"})
NO_PROMPTS = "what a prompt alone buys was not measured: `bench baseline --tune` searches for the best prompt"


def compare(
    baseline: Run,
    candidates: Sequence[Run],
    beside: Beside = NOTHING,
    *,
    best_prompted: Run | None = None,
    target: float | None = None,
    headlines: Sequence[str] = (),
    against: Against | None = None,
    seed: int | None = None,
) -> Comparison:
    """Judge each candidate's lift over the baseline; what is not given comes from the baseline's manifest.

    `best_prompted` is the same model with the best prompt that was found; the lift over it is always shown, and judged
    where `against` (or the baseline's recipe) says so. Raises `UsageError` where there is nothing to judge: a run that
    is incomplete, measured under another protocol, given twice or without a headline metric. Where a number cannot be
    trusted the verdict is *unproven*, with the reason: a missing score never passes.
    """
    if not candidates:
        raise UsageError("there is no candidate to compare with the baseline")
    ids = [run.id for run in (baseline, *candidates)]
    twice = next((id_ for id_ in ids if ids.count(id_) > 1), None)
    if twice:
        raise UsageError(f"run {twice} is given twice; compare a baseline with other runs")
    if baseline.manifest.tuned:
        raise UsageError(
            f"{baseline.id} has the best prompt, not the plain one; --against best-prompted judges over it"
        )
    manifest = baseline.manifest
    target = manifest.target if target is None else target
    if not math.isfinite(target):
        raise UsageError(f"the target must be a number such as 0.4 (40%), not {target}")
    headlines = tuple(headlines) or manifest.headlines
    against = against or manifest.against
    seed = manifest.seed if seed is None else seed
    protocol = _protocol(baseline)
    rivals = [best_prompted] if best_prompted else []
    for run in (*rivals, *candidates):
        _require_comparable(baseline, run)
    for headline in headlines:
        if headline not in protocol.metrics:
            raise unknown("metric", headline, protocol.metrics)

    metrics = sorted(_metrics(baseline, headlines), key=lambda metric: _place(metric.name, headlines))
    names = [metric.name for metric in metrics]
    results = []
    for candidate in candidates:
        lifts = [_lift(baseline, candidate, name, seed, len(candidates)) for name in names]
        prompted = [_lift(rival, candidate, name, seed, len(candidates)) for rival in rivals for name in names]
        places = positions(candidate, headlines, beside.yardsticks, seed) if beside.yardsticks else []
        lifted = Lifted(
            baseline=baseline,
            candidate=candidate,
            best_prompted=best_prompted,
            lifts=lifts[: len(headlines)],
            prompted=prompted[: len(headlines)],
            positions=places,
            unmeasured=unmeasured(beside),
        )
        results.append(
            CandidateResult(
                run=candidate.id,
                verdict=judge(lifted, against, target),
                lifts=lifts,
                prompted=prompted,
                positions=places,
                differences=system_differences(baseline, candidate),
            )
        )
    return Comparison(
        baseline=baseline.id,
        best_prompted=best_prompted.id if best_prompted else None,
        protocol=protocol,
        metrics=metrics,
        headlines=headlines,
        standings=standings(baseline, best_prompted, candidates, beside.yardsticks),
        validity=beside.validity,
        missing=beside.missing | ({} if best_prompted else {"best-prompted": NO_PROMPTS}),
        candidates=results,
    )


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
        and not protocol_differences(_protocol(baseline), _protocol(run))
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


def exit_code(comparison: Comparison) -> int:
    """0 if every candidate is verified, else 1."""
    return 0 if all(result.verdict.outcome == "verified" for result in comparison.candidates) else 1


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
        matching = [run for run in baselines if not protocol_differences(_protocol(run), _protocol(candidate))]
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
    differing = protocol_differences(_protocol(baselines[0]), _protocol(candidates[0]))
    raise UsageError(
        f"no candidate was measured as a baseline was; the newest, {candidates[0].id} and {baselines[0].id}, differ in "
        f"{', '.join(difference.key for difference in differing)}; give `bench baseline` the candidate's recipe{hint}"
    )


# -------------------------------------------------------------------------------------------------------- differences


def protocol_differences(baseline: Protocol, candidate: Protocol) -> list[Difference]:
    """The fields in which two protocols differ, metric by metric; the data set's name is only a label."""
    return _differences(_protocol_words(baseline), _protocol_words(candidate))


def system_differences(baseline: Run, candidate: Run) -> list[Difference]:
    """How what was measured differs, in words: model, adapter, precision, backend, prompt, and where both recorded it
    the machine and the packages."""
    words = [_system_words(run.manifest.system) for run in (baseline, candidate)]
    machines = [_machine_words(run) for run in (baseline, candidate)]
    if all(machines):
        words = [{**system, **machine} for system, machine in zip(words, machines, strict=True)]
    return _differences(words[0], words[1])


def _differences(baseline: Mapping[str, str], candidate: Mapping[str, str]) -> list[Difference]:
    return [
        Difference(key=key, baseline=baseline.get(key, "none"), candidate=candidate.get(key, "none"))
        for key in {**baseline, **candidate}
        if baseline.get(key) != candidate.get(key)
    ]


def _protocol_words(protocol: Protocol) -> dict[str, str]:
    fields = msgspec.structs.asdict(protocol)
    metrics = fields.pop("metrics")
    del fields["dataset"]
    return {key: str(value) for key, value in fields.items()} | {
        f"metrics.{name}": signature for name, signature in metrics.items()
    }


def _system_words(system: System) -> dict[str, str]:
    words = {
        "kind": system.kind,
        "model": f"{system.model.reference} (sha256 {system.model.sha256[:12]})" if system.model else "",
        "model settings": f"sha256 {system.model.settings_sha256[:12]}"
        if system.model and system.model.settings_sha256
        else "",
        "adapter": _adapter_words(system.adapter) if system.adapter else "",
        "precision": system.precision or "",
        "backend": system.backend or "",
        "prompt": f"{system.prompt.style} (sha256 {system.prompt.sha256[:12]})" if system.prompt else "",
        "file": f"sha256 {system.file_sha256[:12]}" if system.file_sha256 else "",
    }
    return {key: value for key, value in words.items() if value}


def _adapter_words(adapter: AdapterRecord) -> str:
    base = f"on base {adapter.base_sha256[:12]}" if adapter.base_sha256 else "on an unknown base"
    return (
        f"{adapter.trainer or 'unknown trainer'} (sha256 {adapter.sha256[:12]}), "
        f"trained {base} in {adapter.precision or 'unknown precision'}"
    )


def _machine_words(run: Run) -> dict[str, str]:
    try:
        environment = run.environment
    except UsageError:  # An older or trimmed run: what is not recorded cannot be said to differ.
        return {}
    return {
        "python": environment.python,
        "processor": environment.processor,
        "threads": str(environment.threads or "unknown"),
        "GPU": environment.gpu or "none",
        "driver": environment.driver or "none",
        **{f"package {name}": version for name, version in environment.packages.items()},
    }


def _protocol(run: Run) -> Protocol:
    return run.require_complete().manifest.protocol


def _require_comparable(baseline: Run, candidate: Run) -> None:
    differing = protocol_differences(_protocol(baseline), _protocol(candidate))
    if differing:
        listed = "; ".join(f"{d.key}: {d.baseline} against {d.candidate}" for d in differing)
        raise UsageError(
            f"{baseline.id} and {candidate.id} were not measured alike and cannot be compared.\n{listed}\n"
            "Measure one of them again with the other's recipe, data and versions of the metrics."
        )


def _model(run: Run) -> str | None:
    model = run.manifest.system.model
    return model.sha256 if model else None


# -------------------------------------------------------------------------------------------------------------- lifts


def _lift(baseline: Run, candidate: Run, metric: str, seed: int, comparisons: int) -> Lift:
    # By id, so that the interval does not depend on the order in which a run wrote its scores.
    before, after = ({id_: run.scores[id_].get(metric) for id_ in sorted(run.scores)} for run in (baseline, candidate))
    protocol = _protocol(candidate)
    lift = stats.lift(
        list(before.values()),
        list(after.values()),
        metric=metric,
        signature=protocol.metrics[metric],
        seed=seed,
        comparisons=comparisons,
    )
    unshared = before.keys() ^ after.keys()
    if unshared:
        problem = f"{len(unshared)} conversations have scores in only one of the runs, for example {min(unshared)}"
    elif len(after) != protocol.n:
        problem = f"{len(after)} conversations have scores, and the protocol says {protocol.n}"
    else:
        return lift
    return msgspec.structs.replace(lift, baseline=None, candidate=None, lift=None, low=None, high=None, problem=problem)


def _metrics(run: Run, headlines: Sequence[str]) -> list[MetricInfo]:
    """Those that these data can be scored by: without hand-written facts, say, `key-facts` has nothing to say."""
    return [
        MetricInfo(name=row.name, signature=row.signature, direction=row.direction, sees=row.sees)
        for row in run.summary.metrics
        if row.n or row.name in headlines
    ]


def _place(metric: str, headlines: Sequence[str]) -> int:
    return headlines.index(metric) if metric in headlines else len(headlines)
