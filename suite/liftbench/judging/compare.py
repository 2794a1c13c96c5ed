"""From measured runs to a comparison: which runs may be compared, how they differ, and the lift on every metric."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from ..data.similarity.clusters import units
from ..data.slicing import slices
from ..errors import UsageError, unknown
from ..floors.background import Background
from ..floors.ranking import Position, SystemMeans, positions, system_table, unmeasured
from ..floors.validity import Validity
from ..metrics.base import Metric
from ..records.run import SCHEMA, Against, Limits, MetricInfo, Protocol
from ..runs.differences import Difference, system_differences
from ..runs.directory import Run
from ..runs.seed_groups import group_by_training, seed_of
from ..runs.selection import protocol_of, require_comparable
from ..statistics import intervals
from ..statistics.lift import Lift
from ..statistics.permutation import holm
from .evidence import Evidence
from .guards import STATES, Guard, check_guards
from .leakage import Leak, human_copies, leaks
from .output_faults import Fault, output_faults, usual
from .sensitivity import Alternative, alternatives
from .slices import SliceResult, slice_results
from .verdict import SEVERITY, Verdict, judge


class CandidateResult(Struct, frozen=True, kw_only=True):
    """One candidate against the baseline."""

    run: str
    """Run id."""
    verdict: Verdict
    lifts: list[Lift]
    """Over the baseline, one per metric, the headlines first."""
    prompted: list[Lift]
    """The same over the best-prompted baseline; empty where none was measured."""
    positions: list[Position]
    """One per headline; empty where no controls could be had."""
    differences: list[Difference]
    """How its system differs from the baseline's."""
    slices: list[SliceResult] = []
    leaks: list[Leak] = []
    alternatives: list[Alternative] = []


class SeedsResult(Struct, frozen=True, kw_only=True):
    """Several trainings that differ in their seed alone, judged together."""

    name: str
    """Of the system."""
    runs: list[str]
    """Run ids, by seed."""
    seeds: list[int]
    verdict: Verdict
    lifts: list[Lift]
    """On each headline over what is judged: of the worst seed, or from five seeds on, resampled together."""


class Comparison(Struct, frozen=True, kw_only=True):
    """What `bench compare --json` prints."""

    schema: int = SCHEMA
    baseline: str
    """Run id."""
    best_prompted: str | None
    """Run id of the same model with the best prompt that was found, if one was measured."""
    protocol: Protocol
    metrics: list[MetricInfo]
    """The headlines first."""
    headlines: tuple[str, ...]
    limits: Limits
    """What the guards allowed."""
    systems: list[SystemMeans]
    """All systems, in the order of a report: floors, baseline, best prompt, candidates, bounds, humans."""
    validity: Validity | None
    missing: dict[str, str]
    """What should stand beside a verdict and could not be had (`best-prompted`, `controls`, `validity`, `sensitivity`,
    `seeds`), and why."""
    candidates: list[CandidateResult]
    seeds: list[SeedsResult] = []
    """Candidates that are seeds of one training, judged together: this verdict counts, not that of a single seed."""


NOTHING = Background(missing={"controls": "not measured", "validity": "not measured"})
NO_PROMPTS = "what a prompt alone buys was not measured: `bench baseline --tune` searches for the best prompt"

SEEDS_TO_RESAMPLE = 5
"""Seeds from which on they are resampled together with the conversations; of fewer, the worst decides. Of five draws
the least still lies above the median of all possible ones in 1 case of 32; of two or three nothing can be said."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is judged, and how, of every candidate alike."""

    baseline: Run
    best_prompted: Run | None
    background: Background
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
    usual: dict[Fault, float]
    """What is wrong with the humans' own summaries, as shares."""

    @property
    def level(self) -> float:
        """Of two-sided intervals, so that all candidates together hold at 95% (Bonferroni)."""
        return 1 - 0.05 / self.comparisons


def compare(
    baseline: Run,
    candidates: Sequence[Run],
    background: Background = NOTHING,
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
    if not 0 < target < math.inf:
        raise UsageError(f"the target must be a number above 0 such as 0.4 (40%), not {target}")
    headlines = tuple(dict.fromkeys(headlines or manifest.headlines))
    protocol = protocol_of(baseline)
    for run in (*([best_prompted] if best_prompted else []), *candidates):
        require_comparable(baseline, run)
    for headline in headlines:
        if headline not in protocol.metrics:
            raise unknown("metric", headline, protocol.metrics)
    if len(baseline.conversations) != protocol.n:
        raise UsageError(
            f"{baseline.id} is damaged: conversations.jsonl has {len(baseline.conversations)} of {protocol.n} "
            "conversations; measure it again with --fresh"
        )

    families = group_by_training(candidates)
    question = Question(
        baseline=baseline,
        best_prompted=best_prompted,
        background=background,
        metrics=sorted(_metrics(baseline, headlines), key=lambda metric: _place(metric.name, headlines)),
        scorers=metrics,
        headlines=headlines,
        against=against or manifest.against,
        target=target,
        limits=replace(manifest.limits, slices=tuple(dict.fromkeys((*manifest.limits.slices, *slices)))),
        seed=manifest.seed if seed is None else seed,
        comparisons=len(families),
        clusters=dict(zip((one.id for one in baseline.conversations), units(baseline.conversations), strict=True)),
        usual=usual(baseline.conversations),
    )
    ordered = [run for family in families for run in family]
    lifts = _lifts(question, families)
    evidence = [_evidence(question, run, lifts) for run in ordered]
    results = [_result(question, each, lifts) for each in evidence]
    judged = {each.candidate.id: (each, result) for each, result in zip(evidence, results, strict=True)}
    return Comparison(
        baseline=baseline.id,
        best_prompted=best_prompted.id if best_prompted else None,
        protocol=protocol,
        metrics=question.metrics,
        headlines=headlines,
        limits=question.limits,
        systems=system_table(baseline, best_prompted, ordered, background.controls),
        validity=background.validity,
        missing=background.missing | ({} if best_prompted else {"best-prompted": NO_PROMPTS}),
        candidates=results,
        seeds=[
            _seeds_result(question, [judged[run.id] for run in family], lifts) for family in families if len(family) > 1
        ],
    )


# ------------------------------------------------------------------------------------------------------------ the lifts


Lifts = Mapping[tuple[tuple[str, ...], Against, str], Lift]
"""By the ids of the runs (several seeds together, or one), over what, and the metric."""


def _lifts(question: Question, families: Sequence[Sequence[Run]]) -> Lifts:
    """Every lift of a comparison, with p-values corrected for all of them."""
    names = [metric.name for metric in question.metrics]
    overs: list[tuple[Against, Run]] = [("baseline", question.baseline)]
    overs += [("best-prompted", question.best_prompted)] if question.best_prompted else []
    asked = [([run], names) for family in families for run in family]
    asked += [(list(family), list(question.headlines)) for family in families if len(family) >= SEEDS_TO_RESAMPLE]
    found = {
        (tuple(run.id for run in runs), against, name): _lift(question, over, runs, name)
        for runs, some in asked
        for against, over in overs
        for name in some
    }
    described = {metric.name for metric in question.metrics if metric.direction == "neither"}
    tested = {key: lift.p for key, lift in found.items() if lift.p is not None and lift.metric not in described}
    corrected = dict(zip(tested, holm(list(tested.values())), strict=True))
    return {key: replace(lift, p_holm=corrected.get(key)) for key, lift in found.items()}


def _chosen(lifts: Lifts, runs: Sequence[Run], against: Against, metrics: Iterable[str]) -> list[Lift]:
    """Of some runs, in the order of the metrics; those over a best prompt that was not searched for are none."""
    ids = tuple(run.id for run in runs)
    return [lifts[ids, against, name] for name in metrics if (ids, against, name) in lifts]


def _lift(question: Question, over: Run, candidates: Sequence[Run], metric: str) -> Lift:
    """Of one candidate, or of several seeds together."""
    protocol = protocol_of(over)
    # By id, so that the interval does not depend on the order in which a run wrote its scores.
    ids = sorted(over.scores)
    before, *after = ([run.scores.get(id_, {}).get(metric) for id_ in ids] for run in (over, *candidates))
    lift = intervals.lift_over_seeds(
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
    return intervals.without_number(lift, problem) if problem else lift


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


# ------------------------------------------------------------------------------------------------------- one candidate


def _evidence(question: Question, candidate: Run, lifts: Lifts) -> Evidence:
    background, headlines = question.background, question.headlines
    scored, rows = question.baseline.conversations, candidate.training_rows or []
    texts = {id_: prediction.text for id_, prediction in candidate.predictions.items()}
    directions = {metric.name: metric.direction for metric in question.metrics}
    return Evidence(
        baseline=question.baseline,
        candidate=candidate,
        best_prompted=question.best_prompted,
        lifts=_chosen(lifts, [candidate], "baseline", headlines),
        prompted=_chosen(lifts, [candidate], "best-prompted", headlines),
        against=question.against,
        positions=positions(
            candidate,
            headlines,
            background.controls,
            seed=question.seed,
            level=question.level,
            clusters=question.clusters,
        )
        if background.controls
        else [],
        controls=background.controls,
        slices=slice_results(
            slices(scored, question.limits.slices, question.clusters),
            question.baseline.scores,
            candidate.scores,
            {name: directions[name] for name in headlines},
            seed=question.seed,
            clusters=question.clusters,
        ),
        leaks=leaks(scored, texts, rows, candidate.manifest.system.prompt),
        human_copies=human_copies(scored, rows),
        faults=output_faults(scored, candidate.predictions),
        usual=question.usual,
        limits=question.limits,
        clusters=question.clusters,
        level=question.level,
        seed=question.seed,
        unmeasured=unmeasured(background),
        unjudged=background.missing.get("seeds", ""),
    )


def _result(question: Question, evidence: Evidence, lifts: Lifts) -> CandidateResult:
    candidate, names = evidence.candidate, [metric.name for metric in question.metrics]
    return CandidateResult(
        run=candidate.id,
        verdict=judge(evidence, check_guards(evidence), question.target),
        lifts=_chosen(lifts, [candidate], "baseline", names),
        prompted=_chosen(lifts, [candidate], "best-prompted", names),
        positions=evidence.positions,
        differences=system_differences(question.baseline, candidate),
        slices=evidence.slices,
        leaks=evidence.leaks,
        alternatives=alternatives(
            evidence.over,
            candidate,
            question.scorers,
            evidence.leaks,
            headlines=question.headlines,
            target=question.target,
            seed=question.seed,
            comparisons=question.comparisons,
            clusters=question.clusters,
        )
        if evidence.judged
        else [],
    )


# --------------------------------------------------------------------------------------------------------------- seeds


def _seeds_result(question: Question, judged: Sequence[tuple[Evidence, CandidateResult]], lifts: Lifts) -> SeedsResult:
    """Of fewer than `SEEDS_TO_RESAMPLE` seeds the worst decides; more are resampled together with the conversations."""
    runs = [evidence.candidate for evidence, _ in judged]
    seeds = tuple(map(seed_of, runs))
    place = min(range(len(judged)), key=lambda at: _badness(*judged[at]))
    worst, result = judged[place]
    together = replace(worst, seeds=seeds)
    guards = result.verdict.guards
    words = f"Of {len(seeds)} seeds the worst decides, and that is seed {seeds[place]}."
    if len(seeds) >= SEEDS_TO_RESAMPLE:
        together = replace(
            together,
            lifts=_chosen(lifts, runs, "baseline", question.headlines),
            prompted=_chosen(lifts, runs, "best-prompted", question.headlines),
        )
        guards = _worst_guards([one.verdict.guards for _, one in judged], seeds)
        words = f"{len(seeds)} seeds, resampled together with the conversations."
    verdict = judge(together, guards, question.target)
    outcome, _, rest = verdict.sentence.partition(": ")
    return SeedsResult(
        name=runs[place].manifest.system.name,
        runs=[run.id for run in runs],
        seeds=list(seeds),
        verdict=replace(verdict, sentence=f"{outcome}: {words} {rest}"),
        lifts=together.judged,
    )


def _badness(evidence: Evidence, result: CandidateResult) -> tuple[int, float]:
    """Sorts seeds by their outcome, then by the least bound of a lift that is judged."""
    lows = [lift.low for lift in evidence.judged if lift.low is not None]
    return SEVERITY.index(result.verdict.outcome), min(lows, default=-math.inf)


def _worst_guards(guards: Sequence[Sequence[Guard]], seeds: Sequence[int]) -> list[Guard]:
    """Of each guard what the seed says that fares worst in it."""
    merged = []
    for found in zip(*guards, strict=True):
        seed, guard = min(zip(seeds, found, strict=True), key=lambda pair: STATES.index(pair[1].state))
        merged.append(guard if guard.state == "passed" else replace(guard, words=f"Seed {seed}: {guard.words}"))
    return merged


def exit_code(comparison: Comparison) -> int:
    """0 if every candidate is verified, else 1; seeds of one training count together."""
    together = {run for family in comparison.seeds for run in family.runs}
    verdicts = [family.verdict for family in comparison.seeds]
    verdicts += [result.verdict for result in comparison.candidates if result.run not in together]
    return 0 if all(verdict.outcome == "verified" for verdict in verdicts) else 1
