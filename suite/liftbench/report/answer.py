"""The answer to `may we ship it?` that page, terminal, Markdown and JSON give alike, made from a verdict's typed facts.

It reads from the top: the badge with its advice, one sentence of reasons, the lifts, the figures that decide, the
guards, what to do next, and what else would change the answer. Nothing is in it twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from ..floors.ranking import Position
from ..floors.separation import Separation
from ..judging.compare import CandidateResult, Comparison
from ..judging.guards import GuardState, not_passed
from ..judging.verdict import Outcome, Verdict, count_needed, describe_need, lift_outcome
from ..records.run import Against
from ..statistics.lift import Lift, LiftResult, NoLift
from ..text.phrases import GLOSSES, metric_label, percent
from . import numbers
from .outcomes import BADGES, REACHED, advise, sort_guards
from .reasons import describe_gains, doubt_lifts, explain_guards, list_conditions, write_reason

EVIDENCE = {
    "scores": "metrics",
    "same base": "systems",
    "effect": "conversations",
    "seeds": "runs",
    "leakage": "leakage",
    "truncation": "conversations",
    "endings": "conversations",
    "degeneration": "conversations",
    "language": "conversations",
    "controls": "floors",
    "writing": "floors",
    "facts": "conversations",
    "slices": "slices",
    "people": "preferences",
}
"""Guard → the section of a comparison's page that shows what it looked at."""


class LiftAnswer(Struct, frozen=True, kw_only=True):
    """One judged lift."""

    metric: str
    label: str
    """The metric as people write it: `ROUGE-L`."""
    meaning: str
    """What it counts, for readers who do not know its name: `words shared, in order, with …`; empty if not known."""
    lift: str
    """`+79%`, or `unknown`."""
    interval: str
    """`+68% to +92%`, or `unknown`."""
    level: str
    """`95% interval`."""
    state: str
    """`reaches the target`, `does not reach the target`, `open` or `no number`."""


class Decider(Struct, frozen=True, kw_only=True):
    """The candidate minus the best control on a headline that decides whether the candidate beats it."""

    metric: str
    label: str
    """The metric as people write it."""
    control: str
    """Name of the best control."""
    difference: str
    """`+0.020`: candidate minus control."""
    interval: str
    """`+0.001 to +0.039`."""
    state: Literal["beats it", "does not clearly beat it", "scores lower"]
    words: str
    """All of it as a sentence."""


class Chip(Struct, frozen=True, kw_only=True):
    """One guard in a word or two, with the place of its evidence."""

    guard: str
    """The name that rules use: `endings`."""
    label: str
    """What was found: `cut off`, or `summaries complete` where the guard passed."""
    state: GuardState
    figure: str
    """`4 of 104 (limit 2%)`; empty where no figure says it."""
    anchor: str
    """The section of the page that shows the evidence, without `#`."""

    @property
    def words(self) -> str:
        """`cut off: 4 of 104 (limit 2%)`."""
        figure = self.figure or {"not run": "not known", "undecided": "open"}.get(self.state, "")
        return f"{self.label}: {figure}" if figure else self.label


class Change(Struct, frozen=True, kw_only=True):
    """One thing that would change the answer, or strengthen a proven one."""

    words: str
    """What to do, in sentences with commands between backticks."""
    step: str
    """The first of it, as a sentence that fits into a line."""
    guard: str = ""
    """The guard that it is about; empty where it is about a lift."""
    label: str = ""
    """What the guard found, as on its chip."""

    @property
    def sentence(self) -> str:
        """`cut off: Read the 4 summaries …`; without a label, the words."""
        return f"{self.label}: {self.words}" if self.label else self.words


class Answer(Struct, frozen=True, kw_only=True):
    """What a team lead needs to know about a candidate, in words."""

    name: str
    """Name of the system."""
    runs: list[str]
    """Id of the candidate's run, or of the runs of all seeds that were judged together."""
    seeds: list[int] = []
    """The seeds of `runs`, where several were judged together."""
    outcome: Outcome
    badge: str
    """The outcome in plain words: `Not proven`."""
    advice: str
    """What to do: `do not ship`."""
    reason: str
    """The main reasons, in one sentence: made of the three fields that follow."""
    gain: str
    """What the scores do, as the beginning of the sentence: `Both scores rise (by 79% and 142%)`; empty where there is
    no number."""
    reasons: list[str]
    """What stands against it, a clause each, the worst first; empty where it is proven."""
    conditions: list[str]
    """What makes a proven or undecided outcome weaker than the same word elsewhere, as phrases."""
    about: str
    """How several seeds were judged, in a clause; empty for a single candidate."""
    against: Against
    target: str
    """`+40%`."""
    lifts: list[LiftAnswer]
    """The judged lift on each headline."""
    deciders: list[Decider]
    """The comparison with the best control, on each headline where it decides."""
    chips: list[Chip]
    """All guards, those that did not pass first."""
    next: Change
    """The first thing to do."""
    changes: list[Change]
    """What would change the answer beside that, or strengthen a proven one."""

    @property
    def headline(self) -> str:
        """`Not proven: do not ship`."""
        return f"{self.badge}: {self.advice}"


def answer_comparison(comparison: Comparison) -> list[Answer]:
    """The answers that count, seeds of one training together, in the order of the page; empty without candidates."""
    names = iter([one.name for one in comparison.systems if one.role == "candidate"])
    name_of = {result.run: next(names, result.run) for result in comparison.candidates}
    together = {run for family in comparison.seeds for run in family.runs}
    return answer_families(comparison) + [
        answer_candidate(comparison, result, name_of[result.run])
        for result in comparison.candidates
        if result.run not in together
    ]


def answer_families(comparison: Comparison) -> list[Answer]:
    """The answers on seeds that were judged together, one for each training."""
    by_run = {result.run: result for result in comparison.candidates}
    return [
        answer_verdict(
            family.verdict,
            family.lifts,
            name=family.name,
            runs=family.runs,
            seeds=family.seeds,
            deciders=find_deciders(_least([by_run[run].positions for run in family.runs]), comparison.separations),
        )
        for family in comparison.seeds
    ]


def answer_candidate(comparison: Comparison, result: CandidateResult, name: str) -> Answer:
    """The answer on one candidate, or on one seed of a training by itself."""
    lifts = result.prompted if result.verdict.against == "best-prompted" else result.lifts
    return answer_verdict(
        result.verdict,
        lifts[: len(comparison.headlines)],
        name=name,
        runs=[result.run],
        deciders=find_deciders(result.positions, comparison.separations),
    )


def answer_verdict(
    verdict: Verdict,
    judged: Sequence[LiftResult],
    *,
    name: str = "",
    runs: Sequence[str] = (),
    seeds: Sequence[int] = (),
    deciders: Sequence[Decider] = (),
) -> Answer:
    """The answer of a verdict; `judged` are its lifts on the headlines."""
    first, *changes = _list_changes(verdict, judged)
    gain = describe_gains([lift for lift in judged if isinstance(lift, Lift)], verdict.target)
    if verdict.outcome == "verified":
        goal = f"clearly more than the target of {percent(verdict.target)}"
        gain = f"{gain}, {goal}, and every check ({len(verdict.guards)}) passes"
    reasons = [*doubt_lifts(verdict, judged), *explain_guards(not_passed(verdict.guards))]
    conditions = list_conditions(verdict)
    return Answer(
        name=name,
        runs=list(runs),
        seeds=list(seeds),
        outcome=verdict.outcome,
        badge=BADGES[verdict.outcome],
        advice=advise(verdict.outcome, verdict.guards),
        reason=write_reason(gain, reasons, conditions),
        gain=gain,
        reasons=reasons,
        conditions=conditions,
        about=verdict.about,
        against=verdict.against,
        target=numbers.format_target(verdict.target),
        lifts=[_describe_lift(lift, verdict.target) for lift in judged],
        deciders=list(deciders),
        chips=[
            Chip(
                guard=one.name,
                label=one.label or one.name,
                state=one.state,
                figure=one.figure,
                anchor=EVIDENCE.get(one.name, "verdict"),
            )
            for one in sort_guards(verdict.guards)
        ],
        next=first,
        changes=changes,
    )


def _describe_lift(lift: LiftResult, target: float) -> LiftAnswer:
    return LiftAnswer(
        metric=lift.metric,
        label=metric_label(lift.metric),
        meaning=GLOSSES.get(lift.metric, ""),
        lift=numbers.format_lift(lift, target),
        interval=numbers.format_lift_interval(lift, target),
        level=numbers.describe_level(lift),
        state=REACHED[lift_outcome(lift, target)],
    )


def find_deciders(positions: Sequence[Position], separations: Sequence[Separation]) -> list[Decider]:
    """The candidate minus the best control on each metric that can tell people from the controls, as far as known."""
    blind = {one.metric for one in separations if one.state == "does not separate"}
    found = [_describe_gap(one) for one in positions if one.metric not in blind]
    return [one for one in found if one is not None]


def _describe_gap(position: Position) -> Decider | None:
    low, high = position.gap_low, position.gap_high
    if low is None or high is None:
        return None
    label = metric_label(position.metric)
    difference = numbers.format_difference(position.candidate_mean - position.floor_mean)
    interval = numbers.format_difference_interval(low, high)
    control = f"the best system without a model ({position.floor})"
    by = f"by {difference.lstrip('+-')} on {label} (95% interval"
    if low > 0:
        words = f"It beats {control} {by} {interval.replace('+', '')})."
    elif high < 0:
        words = f"It falls behind {control} {by} of the difference {interval})."
    else:
        words = f"It does not clearly beat {control} on {label}: {difference} (95% interval {interval})."
    return Decider(
        metric=position.metric,
        label=label,
        control=position.floor,
        difference=difference,
        interval=interval,
        state="beats it" if low > 0 else "scores lower" if high < 0 else "does not clearly beat it",
        words=words,
    )


def _least(positions: Sequence[Sequence[Position]]) -> list[Position]:
    """Of several seeds, the position on each metric that is least above the best control."""
    by_metric: dict[str, Position] = {}
    for one in (one for some in positions for one in some):
        before = by_metric.get(one.metric)
        if before is None or (one.gap_low or 0.0) < (before.gap_low or 0.0):
            by_metric[one.metric] = one
    return list(by_metric.values())


# ------------------------------------------------------------------------------------------------- what would change it


def _list_changes(verdict: Verdict, judged: Sequence[LiftResult]) -> list[Change]:
    """What would change the answer, what to do first at the front; or what would strengthen a proven one."""
    changes = [
        Change(words=guard.fix, step=guard.step or guard.fix, guard=guard.name, label=guard.label or guard.name)
        for guard in not_passed(verdict.guards)
        if guard.fix
    ]
    for lift in judged:
        if isinstance(lift, NoLift):
            continue
        if lift_outcome(lift, verdict.target) == "not met":
            goal = numbers.format_target(verdict.target)
            step = "Train on more conversations, or a larger model."
            changes.append(
                Change(words=f"{step} The lift on {metric_label(lift.metric)} must reach {goal}.", step=step)
            )
        elif needed := count_needed(lift, verdict.target):
            step = f"Measure about {needed:,} conversations."
            changes.append(Change(words=describe_need(lift, verdict.target), step=step))
    if verdict.outcome == "verified":
        return [KEEP, *(Change(words=words, step=words) for words in verdict.settle)]
    return changes or [Change(words=words, step=words) for words in verdict.settle] or [READ]


KEEP = Change(
    words="Keep it as proven (`bench promote`), so that later runs are compared with it.",
    step="Keep it as proven, so that later runs are compared with it.",
)
READ = Change(words="Read the figures and caveats of the report.", step="Read the figures and caveats of the report.")
