"""Comparison of runs with a baseline: each candidate's lift, evidence and verdict, and seeds judged together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from ..data.similarity.scored import ScoredSplit
from ..errors import UsageError, unknown
from ..floors.background import Background
from ..floors.ranking import Position, SystemMeans, system_table
from ..floors.separation import Separation
from ..floors.validity import Validity
from ..metrics.base import Metric
from ..records.preferences import Preference
from ..records.run import Against, Limits, MetricInfo, Protocol, Terms
from ..runs.differences import Difference, system_differences
from ..runs.measured import MeasuredRun
from ..runs.seed_groups import group_by_training, seed_of
from ..runs.selection import protocol_of, require_comparable
from ..statistics.bootstrap import Bootstrap
from ..statistics.lift import Lift, LiftResult, describe_gain
from ..text.html_table import html_table
from ..text.phrases import metric_label, name_run, pluralize
from .evidence import Basis, Evidence, Observations, Selection, gather_evidence, lay_basis, observe
from .guards import STATES, Guard, check_guards
from .leakage import Leak
from .lifts import SEEDS_TO_RESAMPLE, LiftTable, measure_lifts
from .output_faults import Fault
from .processes import spread
from .ranking import Ranking, rank_trainings
from .rescoring import ScoredOnce, ScoreMismatch, check_scores
from .sensitivity import Alternative, Readings, Rescored, alternatives
from .slices import SliceResult, Slicing, number_slices
from .verdict import BADGES, SEVERITY, Verdict, judge

COMPARISON_SCHEMA = 4
"""Raised when a field of `bench compare --json` is dropped or changes its meaning; new fields do not raise it."""


class CandidateResult(Struct, frozen=True, kw_only=True):
    """One candidate against the baseline."""

    run: str
    """MeasuredRun id."""
    verdict: Verdict
    lifts: list[LiftResult]
    """Lifts over the baseline, one per metric, the headlines first."""
    prompted: list[LiftResult]
    """Lifts over the best-prompted baseline; empty where none was measured."""
    positions: list[Position]
    """One position per headline; empty without controls."""
    differences: list[Difference]
    """How its system differs from the baseline's."""
    slices: list[SliceResult] = []
    leaks: list[Leak] = []
    faults: dict[Fault, list[str] | None] = {}
    """Fault → ids of the conversations whose summary has it; None where that cannot be known."""
    preferences: list[Preference] = []
    """What judges preferred, people first."""
    alternatives: list[Alternative] = []


class SeedsResult(Struct, frozen=True, kw_only=True):
    """Several trainings that differ only in their seed, judged together."""

    name: str
    """Name of the system."""
    runs: list[str]
    """MeasuredRun ids, by seed."""
    seeds: list[int]
    verdict: Verdict
    lifts: list[LiftResult]
    """The judged lift on each headline: that of the worst seed, or of five or more seeds resampled together."""


class Comparison(Struct, frozen=True, kw_only=True):
    """Candidates against a baseline; `bench compare --json` prints it with its answers (`docs/comparison-json.md`)."""

    schema: int = COMPARISON_SCHEMA
    """`COMPARISON_SCHEMA` of the suite that made it."""
    baseline: str
    """MeasuredRun id."""
    best_prompted: str | None
    """MeasuredRun id of the same model with the best prompt that was found; None where none was measured."""
    protocol: Protocol
    metrics: list[MetricInfo]
    """The headlines first."""
    headlines: tuple[str, ...]
    limits: Limits
    """The limits that the guards applied."""
    looks: int
    """Candidates that were measured under this protocol, including those compared here."""
    separations: list[Separation]
    """Whether each headline separates people from the controls; empty without controls."""
    systems: list[SystemMeans]
    """All systems, in the order of a report: floors, baseline, best prompt, candidates, bounds, humans."""
    validity: Validity | None
    missing: dict[str, str]
    """The parts of a comparison that could not be measured (`best-prompted`, `controls`, `validity`, `sensitivity`,
    `seeds`), and why."""
    candidates: list[CandidateResult]
    seeds: list[SeedsResult] = []
    """Seeds of one training, judged together: this verdict counts, not that of a single seed."""
    ranking: Ranking | None = None
    """The trainings against each other; None for fewer than two."""
    slicing: list[Slicing] = []
    """Which slices the conversations belong to."""

    def __repr__(self) -> str:
        return "\n".join(self._sentences())

    def _sentences(self) -> list[str]:
        """The verdicts that count, a sentence each."""
        together = {run for group in self.seeds for run in group.runs}
        words = [
            f"{group.name}, {pluralize(len(group.seeds), 'seed')}: {group.verdict.sentence}" for group in self.seeds
        ]
        alone = [one for one in self.candidates if one.run not in together]
        return words + [f"{name_run(one.run)}: {one.verdict.sentence}" for one in alone]

    def _repr_html_(self) -> str:
        """Shows the verdicts that count, then each candidate's lift on each headline, in a notebook."""
        rows = []
        for one in self.candidates:
            lifts = one.prompted if one.verdict.against == "best-prompted" else one.lifts
            for lift in lifts[: len(self.headlines)]:
                means = ["–" if mean is None else f"{mean:.3f}" for mean in (lift.baseline, lift.candidate)]
                label = metric_label(lift.metric)
                gain = describe_gain(lift, one.verdict.target)
                rows.append([name_run(one.run), label, *means, gain, BADGES[one.verdict.outcome]])
        against = self.candidates[0].verdict.against if self.candidates else "baseline"
        return html_table(
            self._sentences(), ["candidate", "metric", against, "candidate's mean", "lift", "outcome"], rows
        )


NOTHING_MEASURED = Background(missing={"controls": "not measured", "validity": "not measured"})
NO_PROMPTS = "what a prompt alone buys was not measured: `bench baseline --tune` searches for the best prompt"


def compare(
    baseline: MeasuredRun,
    candidates: Sequence[MeasuredRun],
    background: Background = NOTHING_MEASURED,
    *,
    best_prompted: MeasuredRun | None = None,
    target: float | None = None,
    headlines: Sequence[str] = (),
    against: Against | None = None,
    slices: Sequence[str] = (),
    metrics: Sequence[Metric] = (),
    seed: int | None = None,
    selection: Selection = Selection(),  # noqa: B008 - it is frozen
) -> Comparison:
    """Judge each candidate's lift over the baseline; the baseline's manifest supplies the arguments that are left out.

    `best_prompted` is the same model with the best prompt that was found; the lift over it is always shown, and judged
    where `against` (or the baseline's recipe) says so. `slices` are added to the recipe's. `metrics` are the headline
    metrics, for scoring texts again: recorded scores must be those of the texts, and the sensitivity page needs them.
    `selection` says how the candidates were chosen. Seeds of one training are judged together.

    Raises `UsageError` where there is nothing to judge: a run that is incomplete, measured under another protocol,
    given twice or without a headline metric. Where a number cannot be trusted, the verdict is *unproven*, with the
    reason: a missing score never passes.
    """
    terms = agree_on_terms(baseline, candidates, target=target, headlines=headlines, against=against, slices=slices)
    for run in (*([best_prompted] if best_prompted else []), *candidates):
        require_comparable(baseline, run)

    trainings = group_by_training(candidates)
    scored = ScoredSplit(baseline.conversations)
    basis = lay_basis(
        baseline,
        best_prompted,
        background,
        terms,
        Bootstrap(
            seed=baseline.manifest.seed if seed is None else seed,
            clusters=scored.clusters,
            comparisons=max(len(trainings), selection.looks if terms.limits.share_level else 1),
        ),
        scored,
        replace(selection, looks=max(len(trainings), selection.looks)),
    )
    infos = _metric_infos(baseline, terms.headlines)
    lifts = measure_lifts(basis, trainings, [info.name for info in infos])
    ordered = [run for runs in trainings for run in runs]
    over = best_prompted if terms.against == "best-prompted" and best_prompted else baseline
    rescored = {metric.name: Rescored(over, ScoredOnce(metric)) for metric in metrics if metric.name in terms.headlines}
    scorers = [one.metric for one in rescored.values()]
    mismatches = check_scores((baseline, *([best_prompted] if best_prompted else [])), scorers, scored.conversations)
    examine = partial(_examine, basis, rescored)
    examined = dict(
        zip(
            [run.id for run in ordered], spread(examine, ordered, len(ordered) * len(scored.conversations)), strict=True
        )
    )
    for run in ordered:
        mismatches += examined[run.id].mismatches
        for name, readings in examined[run.id].readings.items():
            rescored[name].learn(run, readings)
    judged = _with_alternatives(
        [_judge_candidate(basis, run, lifts, infos, mismatches, examined[run.id].observed) for run in ordered],
        rescored,
    )
    by_id = {evidence.candidate.id: (evidence, result) for evidence, result in judged}
    seeds = [_judge_seeds([by_id[run.id] for run in runs], lifts) for runs in trainings if len(runs) > 1]
    return Comparison(
        baseline=baseline.id,
        best_prompted=best_prompted.id if best_prompted else None,
        protocol=protocol_of(baseline),
        metrics=infos,
        headlines=terms.headlines,
        limits=terms.limits,
        looks=basis.selection.looks,
        separations=basis.separations,
        systems=system_table(baseline, best_prompted, ordered, background.controls, basis.bootstrap, terms.headlines),
        validity=background.validity,
        missing=background.missing | ({} if best_prompted else {"best-prompted": NO_PROMPTS}),
        candidates=[result for _, result in judged],
        seeds=seeds,
        ranking=rank_trainings(
            trainings,
            {info.name: info.direction for info in infos if info.name in terms.headlines},
            Bootstrap(seed=basis.bootstrap.seed, clusters=scored.clusters),
            {run: result.verdict.outcome for run, (_, result) in by_id.items()}
            | {run: together.verdict.outcome for together in seeds for run in together.runs},
            selection.trainings,
        ),
        slicing=number_slices(basis.slices, [one.id for one in baseline.conversations], scored.clusters),
    )


def exit_code(comparison: Comparison) -> int:
    """0 if every candidate is verified, else 1; seeds of one training count together."""
    together = {run for training in comparison.seeds for run in training.runs}
    verdicts = [training.verdict for training in comparison.seeds]
    verdicts += [result.verdict for result in comparison.candidates if result.run not in together]
    return 0 if all(verdict.outcome == "verified" for verdict in verdicts) else 1


# ----------------------------------------------------------------------------------------------------- what is compared


def agree_on_terms(
    baseline: MeasuredRun,
    candidates: Sequence[MeasuredRun],
    *,
    target: float | None = None,
    headlines: Sequence[str] = (),
    against: Against | None = None,
    slices: Sequence[str] = (),
) -> Terms:
    """By which terms candidates are judged; the arguments are those of `compare`, which agrees on them first.

    Raises `UsageError` where there is nothing to judge, which costs nothing to find out before anything is measured.
    """
    _require_distinct(baseline, candidates)
    terms = _terms(baseline, target, headlines, against, slices)
    _require_whole(baseline, terms)
    return terms


def _require_distinct(baseline: MeasuredRun, candidates: Sequence[MeasuredRun]) -> None:
    if not candidates:
        raise UsageError("there is no candidate to compare with the baseline")
    ids = [run.id for run in (baseline, *candidates)]
    twice = next((id_ for id_ in ids if ids.count(id_) > 1), None)
    if twice:
        raise UsageError(f"run {twice} is given twice", "Compare a baseline with other runs.")


def _terms(
    baseline: MeasuredRun,
    target: float | None,
    headlines: Sequence[str],
    against: Against | None,
    slices: Sequence[str],
) -> Terms:
    """The terms of the baseline's recipe, except those that are given."""
    own = baseline.manifest.terms
    target = own.target if target is None else target
    if not 0 < target < math.inf:
        raise UsageError(f"the target is {target}", "A target is a number above 0, such as 0.4 for 40%.")
    return Terms(
        headlines=tuple(dict.fromkeys(headlines or own.headlines)),
        target=target,
        against=against or own.against,
        limits=replace(own.limits, slices=tuple(dict.fromkeys((*own.limits.slices, *slices)))),
    )


def _require_whole(baseline: MeasuredRun, terms: Terms) -> None:
    protocol = protocol_of(baseline)
    for headline in terms.headlines:
        if headline not in protocol.metrics:
            raise unknown("metric", headline, protocol.metrics)
    if len(baseline.conversations) != protocol.n:
        raise UsageError(
            f"{baseline.id} is damaged: conversations.jsonl has {len(baseline.conversations)} of {protocol.n} "
            "conversations",
            "Measure it again with --fresh.",
        )


def _metric_infos(run: MeasuredRun, headlines: Sequence[str]) -> list[MetricInfo]:
    """The headlines first, then the other metrics that have a score on these data.

    `key-facts`, for example, has none without hand-written facts.
    """
    infos = [row.info for row in run.summary.metrics if row.n or row.name in headlines]
    places = {name: place for place, name in enumerate(headlines)}
    return sorted(infos, key=lambda info: places.get(info.name, len(places)))


# ------------------------------------------------------------------------------------------------------- one candidate


class _Examined(NamedTuple):
    """What can be found out about one candidate without the others."""

    observed: Observations
    mismatches: list[ScoreMismatch]
    readings: dict[str, Readings | None]
    """Headline → its texts scored in other ways."""


def _examine(basis: Basis, rescored: Mapping[str, Rescored], candidate: MeasuredRun) -> _Examined:
    scorers = [one.metric for one in rescored.values()]
    return _Examined(
        observe(basis, candidate),
        check_scores([candidate], scorers, basis.scored.conversations),
        {name: one.read(candidate, basis.scored.clusters) for name, one in rescored.items()},
    )


def _judge_candidate(
    basis: Basis,
    candidate: MeasuredRun,
    lifts: LiftTable,
    infos: Sequence[MetricInfo],
    mismatches: Sequence[ScoreMismatch],
    observed: Observations,
) -> tuple[Evidence, CandidateResult]:
    headlines, names = basis.terms.headlines, [info.name for info in infos]
    evidence = gather_evidence(
        basis,
        candidate,
        lifts.of([candidate], "baseline", headlines),
        lifts.of([candidate], "best-prompted", headlines),
        mismatches,
        observed,
    )
    result = CandidateResult(
        run=candidate.id,
        verdict=judge(evidence, check_guards(evidence)),
        lifts=lifts.of([candidate], "baseline", names),
        prompted=lifts.of([candidate], "best-prompted", names),
        positions=evidence.positions,
        differences=system_differences(basis.baseline, candidate),
        slices=evidence.slices,
        leaks=evidence.leaks,
        faults=evidence.faults,
        preferences=list(evidence.preferences),
    )
    return evidence, result


def _with_alternatives(
    judged: Sequence[tuple[Evidence, CandidateResult]], rescored: Mapping[str, Rescored]
) -> list[tuple[Evidence, CandidateResult]]:
    """Add the sensitivity of each judged lift, for all candidates at once, since they share the draws."""
    first, _ = judged[0]
    if not first.judged:
        return list(judged)
    subjects = [(evidence.candidate, evidence.leaks) for evidence, _ in judged]
    found = alternatives(first.over, subjects, rescored, first.terms, first.basis.bootstrap)
    return [
        (evidence, replace(result, alternatives=some)) for (evidence, result), some in zip(judged, found, strict=True)
    ]


# --------------------------------------------------------------------------------------------------------------- seeds


def _judge_seeds(judged: Sequence[tuple[Evidence, CandidateResult]], lifts: LiftTable) -> SeedsResult:
    """Judge seeds together: the worst decides, or `SEEDS_TO_RESAMPLE` or more are resampled with the conversations."""
    runs = [evidence.candidate for evidence, _ in judged]
    seeds = tuple(map(seed_of, runs))
    place = min(range(len(judged)), key=lambda at: _severity(*judged[at]))
    worst, result = judged[place]
    together = replace(worst, seeds=seeds)
    guards = result.verdict.guards
    about = f"The worst of {len(seeds)} seeds decides: seed {seeds[place]}"
    if len(seeds) >= SEEDS_TO_RESAMPLE:
        headlines = worst.terms.headlines
        together = replace(
            together,
            lifts=lifts.of(runs, "baseline", headlines),
            prompted=lifts.of(runs, "best-prompted", headlines),
        )
        guards = _merge_guards([one.verdict.guards for _, one in judged], seeds)
        about = f"{len(seeds)} seeds were resampled together with the conversations"
    return SeedsResult(
        name=runs[place].manifest.system.name,
        runs=[run.id for run in runs],
        seeds=list(seeds),
        verdict=judge(together, guards, about),
        lifts=together.judged,
    )


def _severity(evidence: Evidence, result: CandidateResult) -> tuple[int, float]:
    """A key that sorts seeds by their outcome, then by the lowest bound of a judged lift."""
    lows = [lift.low for lift in evidence.judged if isinstance(lift, Lift) and lift.low is not None]
    return SEVERITY.index(result.verdict.outcome), min(lows, default=-math.inf)


def _merge_guards(guards: Sequence[Sequence[Guard]], seeds: Sequence[int]) -> list[Guard]:
    """Each guard's result for the seed that it judges worst."""
    merged = []
    for found in zip(*guards, strict=True):
        seed, guard = min(zip(seeds, found, strict=True), key=lambda pair: STATES.index(pair[1].state))
        if guard.state != "passed":
            brief = guard.brief and f"{guard.brief} (seed {seed})"
            guard = replace(guard, words=f"Seed {seed}: {guard.words}", brief=brief)
        merged.append(guard)
    return merged
