"""From measured runs to a comparison: which runs may be compared, how they differ, and the lift on every metric."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from . import stats
from .contracts import Metric
from .data.clusters import units
from .data.leakage import leaks
from .differences import system_differences
from .errors import UsageError, unknown
from .families import grouped
from .faults import output_faults
from .guards import Evidence, checked
from .pairing import protocol_of, require_comparable
from .runs import Run
from .sensitivity import choices
from .significance import holm
from .slices import slice_results, slices
from .standings import positions, standings, unmeasured
from .types import (
    Against,
    CandidateResult,
    Comparison,
    Guard,
    Lift,
    Limits,
    MetricInfo,
    SeedsResult,
)
from .verdict import SEVERITY, judge
from .yardsticks import Beside

NOTHING = Beside(missing={"controls": "not measured", "validity": "not measured"})
NO_PROMPTS = "what a prompt alone buys was not measured: `bench baseline --tune` searches for the best prompt"

SEEDS = 5
"""Seeds from which on they are resampled together with the conversations; of fewer, the worst decides. Of five draws
the least still lies above the median of all possible ones in 1 case of 32; of two or three nothing can be said."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is judged, and how, of every candidate alike."""

    baseline: Run
    best_prompted: Run | None
    beside: Beside
    metrics: list[MetricInfo]
    """The headlines first."""
    scorers: Sequence[Metric]
    """The headline metrics, to score texts again; empty where they cannot be had."""
    headlines: tuple[str, ...]
    against: Against
    target: float
    limits: Limits
    seed: int
    comparisons: int
    """Candidates judged at once: several seeds of one training are one."""
    clusters: dict[str, str]

    @property
    def level(self) -> float:
        """Of two-sided intervals, so that all candidates together hold at 95% (Bonferroni)."""
        return 1 - 0.05 / self.comparisons


def compare(
    baseline: Run,
    candidates: Sequence[Run],
    beside: Beside = NOTHING,
    *,
    best_prompted: Run | None = None,
    target: float | None = None,
    headlines: Sequence[str] = (),
    against: Against | None = None,
    slices: Sequence[str] = (),
    metrics: Sequence[Metric] = (),
    seed: int | None = None,
) -> Comparison:
    """Judge each candidate's lift over the baseline; what is not given comes from the baseline's manifest.

    `best_prompted` is the same model with the best prompt that was found; the lift over it is always shown, and judged
    where `against` (or the baseline's recipe) says so. `slices` are declared beside the recipe's; `metrics` are the
    headline metrics, to score texts again for the sensitivity page. Seeds of one training are judged together. Raises
    `UsageError` where there is nothing to judge: a run that is incomplete, measured under another protocol, given twice
    or without a headline metric. Where a number cannot be trusted the verdict is *unproven*, with the reason: a missing
    score never passes.
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
    protocol = protocol_of(baseline)
    for run in (*([best_prompted] if best_prompted else []), *candidates):
        require_comparable(baseline, run)
    for headline in headlines:
        if headline not in protocol.metrics:
            raise unknown("metric", headline, protocol.metrics)

    families = grouped(candidates)
    question = Question(
        baseline=baseline,
        best_prompted=best_prompted,
        beside=beside,
        metrics=sorted(_metrics(baseline, headlines), key=lambda metric: _place(metric.name, headlines)),
        scorers=metrics,
        headlines=headlines,
        against=against or manifest.against,
        target=target,
        limits=replace(manifest.limits, slices=tuple(dict.fromkeys((*manifest.limits.slices, *slices)))),
        seed=manifest.seed if seed is None else seed,
        comparisons=len(families),
        clusters=dict(zip((one.id for one in baseline.conversations), units(baseline.conversations), strict=True)),
    )
    ordered = [run for family in families for run in family]
    lifts = _all_lifts(question, ordered)
    evidence = {run.id: _evidence(question, run, *lifts[run.id]) for run in ordered}
    guards = {id_: checked(found) for id_, found in evidence.items()}
    results = [_result(question, evidence[run.id], guards[run.id], *lifts[run.id]) for run in ordered]
    by_run = {result.run: result for result in results}
    return Comparison(
        baseline=baseline.id,
        best_prompted=best_prompted.id if best_prompted else None,
        protocol=protocol,
        metrics=question.metrics,
        headlines=headlines,
        limits=question.limits,
        standings=standings(baseline, best_prompted, ordered, beside.yardsticks),
        validity=beside.validity,
        missing=beside.missing | ({} if best_prompted else {"best-prompted": NO_PROMPTS}),
        candidates=results,
        seeds=[
            _seeds_result(question, [evidence[run.id] for run in family], [by_run[run.id] for run in family])
            for family in families
            if len(family) > 1
        ],
    )


# ---------------------------------------------------------------------------------------------------- one candidate


def _all_lifts(question: Question, candidates: Sequence[Run]) -> dict[str, tuple[list[Lift], list[Lift]]]:
    """Of each candidate its lifts over the baseline and over the best prompt, p-values corrected for all of them."""
    rivals = [question.best_prompted] if question.best_prompted else []
    names = [metric.name for metric in question.metrics]
    found = {
        run.id: (
            [_lift(question, question.baseline, [run], name) for name in names],
            [_lift(question, rival, [run], name) for rival in rivals for name in names],
        )
        for run in candidates
    }
    described = {metric.name for metric in question.metrics if metric.direction == "neither"}
    family = [
        lift
        for some in found.values()
        for lift in (*some[0], *some[1])
        if lift.p is not None and lift.metric not in described
    ]
    corrected = dict(zip(map(id, family), holm([lift.p for lift in family if lift.p is not None]), strict=True))

    def with_correction(lifts: list[Lift]) -> list[Lift]:
        return [replace(lift, p_holm=corrected.get(id(lift))) for lift in lifts]

    return {run: (with_correction(lifts), with_correction(prompted)) for run, (lifts, prompted) in found.items()}


def _evidence(question: Question, candidate: Run, lifts: list[Lift], prompted: list[Lift]) -> Evidence:
    beside, headlines = question.beside, question.headlines
    scored, prompt = question.baseline.conversations, candidate.manifest.system.prompt
    return Evidence(
        baseline=question.baseline,
        candidate=candidate,
        best_prompted=question.best_prompted,
        lifts=lifts[: len(headlines)],
        prompted=prompted[: len(headlines)],
        against=question.against,
        positions=positions(
            candidate,
            headlines,
            beside.yardsticks,
            seed=question.seed,
            level=question.level,
            clusters=question.clusters,
        )
        if beside.yardsticks
        else [],
        yardsticks=beside.yardsticks,
        slices=slice_results(
            slices(scored, question.limits.slices),
            question.baseline.scores,
            candidate.scores,
            {metric.name: metric.direction for metric in question.metrics[: len(headlines)]},
            seed=question.seed,
            clusters=question.clusters,
        ),
        leaks=leaks(
            scored,
            {id_: prediction.text for id_, prediction in candidate.predictions.items()},
            candidate.training_rows or [],
            prompt.shots if prompt else (),
        ),
        faults=output_faults(scored, candidate.predictions),
        limits=question.limits,
        clusters=question.clusters,
        level=question.level,
        seed=question.seed,
        unmeasured=unmeasured(beside),
    )


def _result(
    question: Question, evidence: Evidence, guards: list[Guard], lifts: list[Lift], prompted: list[Lift]
) -> CandidateResult:
    over = question.best_prompted if question.against == "best-prompted" else question.baseline
    return CandidateResult(
        run=evidence.candidate.id,
        verdict=judge(evidence, guards, question.target),
        lifts=lifts,
        prompted=prompted,
        positions=evidence.positions,
        differences=system_differences(question.baseline, evidence.candidate),
        slices=evidence.slices,
        leaks=evidence.leaks,
        choices=choices(
            over,
            evidence.candidate,
            question.scorers,
            evidence.leaks,
            headlines=question.headlines,
            target=question.target,
            seed=question.seed,
            comparisons=question.comparisons,
        )
        if over
        else [],
    )


def _seeds_result(question: Question, evidence: Sequence[Evidence], results: Sequence[CandidateResult]) -> SeedsResult:
    """Of fewer than `SEEDS` seeds the worst decides; more are resampled together with the conversations."""
    seeds = tuple(one.candidate.manifest.seed for one in evidence)
    place = min(range(len(results)), key=lambda at: _badness(results[at]))
    worst = evidence[place]
    if len(seeds) < SEEDS:
        verdict = judge(replace(worst, seeds=seeds), results[place].verdict.guards, question.target)
        words = f"Of {len(seeds)} seeds the worst decides, and that is seed {seeds[place]}."
        lifts = worst.judged
    else:
        runs = [one.candidate for one in evidence]
        together = replace(
            worst,
            seeds=seeds,
            lifts=[_lift(question, question.baseline, runs, name) for name in question.headlines],
            prompted=[
                _lift(question, rival, runs, name)
                for rival in ([question.best_prompted] if question.best_prompted else [])
                for name in question.headlines
            ],
        )
        verdict = judge(together, _worst_guards(results, seeds), question.target)
        words = f"{len(seeds)} seeds, resampled together with the conversations."
        lifts = together.judged
    outcome, _, rest = verdict.sentence.partition(": ")
    return SeedsResult(
        name=worst.candidate.manifest.system.name,
        runs=[one.candidate.id for one in evidence],
        seeds=list(seeds),
        verdict=replace(verdict, sentence=f"{outcome}: {words} {rest}"),
        lifts=lifts,
    )


def _badness(result: CandidateResult) -> tuple[int, float]:
    """Sorts candidates by their outcome, then by the least bound of a lift."""
    lows = [lift.low for lift in result.lifts[: len(result.verdict.headlines)] if lift.low is not None]
    return SEVERITY.index(result.verdict.outcome), min(lows, default=-math.inf)


def _worst_guards(results: Sequence[CandidateResult], seeds: Sequence[int]) -> list[Guard]:
    """Of each guard what the seed says that fares worst in it."""
    order = ("failed", "not run", "undecided", "passed")
    merged = []
    for found in zip(*(result.verdict.guards for result in results), strict=True):
        place = min(range(len(found)), key=lambda at: order.index(found[at].state))
        guard = found[place]
        merged.append(guard if guard.state == "passed" else replace(guard, words=f"Seed {seeds[place]}: {guard.words}"))
    return merged


def exit_code(comparison: Comparison) -> int:
    """0 if every candidate is verified, else 1; seeds of one training count together."""
    together = {run for family in comparison.seeds for run in family.runs}
    verdicts = [family.verdict for family in comparison.seeds]
    verdicts += [result.verdict for result in comparison.candidates if result.run not in together]
    return 0 if all(verdict.outcome == "verified" for verdict in verdicts) else 1


# -------------------------------------------------------------------------------------------------------------- lifts


def _lift(question: Question, over: Run, candidates: Sequence[Run], metric: str) -> Lift:
    """Of one candidate, or of several seeds together."""
    protocol = protocol_of(over)
    # By id, so that the interval does not depend on the order in which a run wrote its scores.
    ids = sorted(over.scores)
    before, *after = ([run.scores.get(id_, {}).get(metric) for id_ in ids] for run in (over, *candidates))
    lift = stats.lift_over_seeds(
        before,
        after,
        metric=metric,
        signature=protocol.metrics[metric],
        target=question.target,
        seed=question.seed,
        comparisons=question.comparisons,
        clusters=[question.clusters.get(id_, id_) for id_ in ids],
    )
    problem = next((words for run in candidates if (words := _incomplete(over, run, protocol.n))), "")
    if not problem:
        return lift
    return Lift(
        metric=metric,
        signature=lift.signature,
        baseline=None,
        candidate=None,
        lift=None,
        low=None,
        high=None,
        n=lift.n,
        method=lift.method,
        problem=problem,
    )


def _incomplete(over: Run, candidate: Run, n: int) -> str:
    """Why two runs do not hold scores of the same conversations, as many as their protocol says; empty if they do."""
    unshared = over.scores.keys() ^ candidate.scores.keys()
    if unshared:
        return f"{len(unshared)} conversations have scores in only one of the runs, for example {min(unshared)}"
    if len(candidate.scores) != n:
        return f"{len(candidate.scores)} conversations have scores, and the protocol says {n}"
    return ""


def _metrics(run: Run, headlines: Sequence[str]) -> list[MetricInfo]:
    """Those that these data can be scored by: without hand-written facts, say, `key-facts` has nothing to say."""
    return [
        MetricInfo(name=row.name, signature=row.signature, direction=row.direction, sees=row.sees)
        for row in run.summary.metrics
        if row.n or row.name in headlines
    ]


def _place(metric: str, headlines: Sequence[str]) -> int:
    return headlines.index(metric) if metric in headlines else len(headlines)
