"""The verdict from lifts and guards: the outcome, a sentence that a team lead understands, what is proven, what is not,
and what would settle it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct

from ..records.run import Against
from ..runs.measured import MeasuredRun
from ..runs.seed_groups import seed_of
from ..statistics.lift import FEWEST, Lift, LiftResult, NoLift, describe_gain, lift_digits
from ..text.phrases import gloss, join_words, metric_label, percent
from .conditions import describe_loosened, list_conditions
from .evidence import Evidence
from .guards import Guard, not_passed

Outcome = Literal["verified", "undecided", "not met", "unproven"]


BADGES: Mapping[str, str] = {
    "verified": "Proven",
    "undecided": "Undecided",
    "not met": "Target not reached",
    "unproven": "Not proven",
}
"""Each outcome in the plain words of its badge."""


class Verdict(Struct, frozen=True, kw_only=True):
    """The judgment of one candidate's lift."""

    outcome: Outcome
    """The outcome of the lift where every guard passed; else the least favourable of lift and guards."""
    lift: Outcome
    """The outcome of the lift alone: the least favourable over the headlines."""
    headlines: tuple[str, ...]
    """The metrics that the lift was judged on: the target must be reached on each."""
    against: Against
    target: float
    conditions: list[str] = []
    """What makes the outcome weaker than the same word elsewhere, as phrases: `no best prompt was searched for`."""
    overlap_only: bool = False
    """Whether nothing but shared words was measured: no faithfulness checker ran."""
    about: str = ""
    """How several seeds were judged, as a clause: `The worst of 3 seeds decides: seed 1`; empty for one candidate."""
    sentence: str
    """The verdict with all its figures, for records; pages and terminals show a `report.answer.Answer`."""
    guards: list[Guard] = []
    proven: list[str] = []
    """What the measurement shows, in sentences."""
    not_proven: list[str] = []
    """What the measurement does not show, in sentences."""
    settle: list[str] = []
    """What to do next to settle it, in sentences."""
    caveats: list[str] = []
    """What else a reader must know."""


NOTEWORTHY = 0.02
"""Share of the baseline's empty or cut summaries above which a caveat mentions them."""

MOST_SEEDS = 20
"""Higher seeds are taken as freely chosen numbers; up to this one, the seeds from 0 on count as tried in turn."""

DISCREDITING = ("scores", "leakage", "effect")
"""Guards whose failure leaves no gain proven, because the numbers do not come from the candidate's own work."""

TRUTH = (
    "That the summaries are true: all headlines count shared words and hardly see whether facts are right, roles are "
    "swapped or an outcome is negated, and no faithfulness checker was run."
)
CHECKER = (
    "A faithfulness checker says whether the summaries are true: name one in metrics.checkers (`minicheck:MODEL`)."
)

SEVERITY: tuple[Outcome, ...] = ("unproven", "not met", "undecided", "verified")
"""Outcomes, worst first; several outcomes together give the worst of them."""


def judge(evidence: Evidence, guards: Sequence[Guard], about: str = "") -> Verdict:
    """The verdict: the target must be reached on every headline, so no correction for several of them is due.

    `about` says how several seeds were judged; the verdict's sentence begins with this clause.

    A headline is *verified* if its interval's lower bound is at least the target, *not met* if its upper bound is
    below the target, else *undecided* (see `lift_outcome`). A guard that failed or could not run makes the verdict
    *unproven*; an undecided guard leaves the verdict undecided at best.
    """
    target = evidence.terms.target
    lift = _worst([_headline_outcome(evidence, one, target) for one in evidence.judged] or ["unproven"])
    failing = not_passed(guards)
    outcome = _worst([lift, *("undecided" if guard.state == "undecided" else "unproven" for guard in failing)])
    conditions = list_conditions(evidence)
    return Verdict(
        outcome=outcome,
        lift=lift,
        headlines=tuple(one.metric for one in evidence.lifts),
        against=evidence.terms.against,
        target=target,
        conditions=conditions,
        overlap_only=not _has_checker(evidence.candidate),
        about=about,
        sentence=_sentence(evidence, outcome, lift, conditions, failing, len(guards), about),
        guards=list(guards),
        proven=_proven(evidence, guards),
        not_proven=_not_proven(evidence, failing, target),
        settle=_settle(evidence, failing, target),
        caveats=_caveats(evidence, target),
    )


def lift_outcome(lift: LiftResult, target: float) -> Outcome:
    """The outcome of a lift alone, by its interval, or by that of the surplus where the ratio is not stable.

    Fewer than `FEWEST` units cannot verify it. It is *unproven* where there is no number to judge.
    """
    outcome = _by_interval(lift, target)
    return "undecided" if outcome == "verified" and lift.units < FEWEST else outcome


def _by_interval(lift: LiftResult, target: float) -> Outcome:
    if isinstance(lift, NoLift):
        return "unproven"
    low, high, goal = lift.low, lift.high, target
    if low is None or high is None:
        low, high, goal = lift.surplus_low, lift.surplus_high, 0.0
    return "verified" if low >= goal else "not met" if high < goal else "undecided"


def _worst(outcomes: Sequence[Outcome]) -> Outcome:
    return min(outcomes, key=SEVERITY.index)


def _headline_outcome(evidence: Evidence, lift: LiftResult, target: float) -> Outcome:
    return lift_outcome(lift, target) if evidence.direction(lift.metric) == "higher" else "unproven"


# -------------------------------------------------------------------------------------------------------- the sentence


def _sentence(
    evidence: Evidence,
    outcome: Outcome,
    lift: Outcome,
    conditions: Sequence[str],
    failing: Sequence[Guard],
    guards: int,
    about: str,
) -> str:
    target = evidence.terms.target
    over, rival, others = evidence.baseline, evidence.best_prompted, evidence.prompted
    if evidence.terms.against == "best-prompted":
        over, rival, others = rival or over, evidence.baseline, evidence.lifts
    weaker = f" ({'; '.join(conditions)})" if conditions and outcome in ("verified", "undecided") else ""
    clauses = [about] if about else []
    clauses.append(_failing(failing, guards) if failing else f"All {guards} guards passed")
    if lift != "unproven":
        numbers = [one for one in evidence.judged if isinstance(one, Lift)]
        clauses += _figures(over, evidence.candidate, numbers, target)
    if rival and others:
        clauses.append(_beside(rival, others, target))
    blind = "" if outcome == "unproven" or _has_checker(evidence.candidate) else " (overlap only)"
    return f"{BADGES[outcome]}{weaker}: {'. '.join(clauses)}{blind}."


def _failing(guards: Sequence[Guard], of: int) -> str:
    """A clause that names the guards that did not pass; their findings are shown elsewhere."""
    states = dict.fromkeys(guard.state for guard in guards)
    named = [f"{join_words([guard.name for guard in guards if guard.state == state])} ({state})" for state in states]
    return f"{len(guards)} of {of} guards did not pass: {join_words(named)}"


def _figures(over: MeasuredRun, candidate: MeasuredRun, lifts: Sequence[Lift], target: float) -> list[str]:
    """The lifts with their intervals, and a warning where these are rough: a clause each."""
    before, after = over.manifest.system.name, candidate.manifest.system.name
    if before == after:
        before, after = f"the baseline {before}", f"the candidate {after}"
    level = percent(lifts[0].level)
    first, *rest = lifts
    gains = [f"{_change(first, target)} on {metric_label(first.metric)} ({level} interval {_interval(first, target)})"]
    gains += [f"{_change(lift, target)} on {metric_label(lift.metric)} ({_interval(lift, target)})" for lift in rest]
    few = next((lift for lift in lifts if lift.units < FEWEST), None)
    rough = [f"With {_units(few)} the interval is rough: {FEWEST} are needed to verify"] if few else []
    figures = (
        f"On {lifts[0].n} conversations, {after} scores {join_words(gains)}, compared with {before}; "
        f"{_describe_goal(lifts, target)}"
    )
    return [figures, *rough]


def _units(lift: Lift) -> str:
    """The resampled units, in words."""
    return f"{lift.units} conversations" if lift.units == lift.n else f"{lift.units} clusters of conversations"


def _change(lift: Lift, target: float) -> str:
    """`72% higher`."""
    if lift.lift == 0:
        return "the same"
    low, high = (lift.lift, lift.lift) if lift.low is None or lift.high is None else (lift.low, lift.high)
    digits = lift_digits(lift.lift, low, high, target)
    return f"{abs(lift.lift):.{digits}%} {'higher' if lift.lift > 0 else 'lower'}"


def _interval(lift: Lift, target: float) -> str:
    """`+58% to +86%`; the interval of the difference where the ratio is not stable."""
    if lift.low is None or lift.high is None:
        return f"of the difference {lift.difference_low:+.3f} to {lift.difference_high:+.3f}"
    digits = lift_digits(lift.lift, lift.low, lift.high, target)
    return f"{lift.low:+.{digits}%} to {lift.high:+.{digits}%}"


def _goal(target: float) -> str:
    return f"the target of {_percent(target)}"


def _percent(target: float) -> str:
    return f"+{percent(target)}"


def _describe_goal(lifts: Sequence[Lift], target: float) -> str:
    """`the target of +40% is reached on each`, or the headlines on which it is not."""
    said = {"verified": "is reached", "undecided": "lies within the interval", "not met": "is not reached"}
    places = {
        where: metrics
        for outcome, where in said.items()
        if (metrics := [metric_label(lift.metric) for lift in lifts if _by_interval(lift, target) == outcome])
    }
    if len(places) == 1:
        return f"{_goal(target)} {next(iter(places))}" + (" on each" if len(lifts) > 1 else "")
    return f"{_goal(target)} " + " and ".join(f"{where} on {join_words(metrics)}" for where, metrics in places.items())


def _beside(rival: MeasuredRun, lifts: Sequence[LiftResult], target: float) -> str:
    """The lift over the other baseline in a clause: judged and other lift are always shown together."""
    what = "best-prompted baseline" if rival.manifest.tuned else "plain baseline"
    gains = [f"{describe_gain(lift, target)} on {metric_label(lift.metric)}" for lift in lifts]
    return f"Over the {what} it is {join_words(gains)}"


def _has_checker(run: MeasuredRun) -> bool:
    return any(row.sees == "faithfulness" and row.n for row in run.summary.metrics)


# ------------------------------------------------------------------------------- what is proven, what not, what settles


def _proven(evidence: Evidence, guards: Sequence[Guard]) -> list[str]:
    """What holds in any case: gains whose interval lies above zero, and the guards that passed."""
    words = []
    for name, lifts in (
        ("the untuned model" if evidence.baseline.manifest.system.adapter is None else "the baseline", evidence.lifts),
        ("the best prompt that was found for it", evidence.prompted),
    ):
        for lift in (one for one in lifts if isinstance(one, Lift)):
            if lift.low is not None and lift.low > 0:
                words.append(
                    f"In {gloss(lift.metric)} it scores at least {lift.low:.0%} higher than {name} "
                    f"(measured: {lift.lift:.0%})."
                )
            elif lift.low is None and lift.difference_low > 0:
                words.append(f"In {gloss(lift.metric)} it scores higher than {name}.")
    if any(guard.name in DISCREDITING and guard.state == "failed" for guard in guards):
        words = []
    passed = [guard.label or guard.name for guard in guards if guard.state == "passed"]
    return [*words, f"{len(passed)} of {len(guards)} checks passed: {join_words(passed)}."] if passed else words


def _not_proven(evidence: Evidence, failing: Sequence[Guard], target: float) -> list[str]:
    words = [f"{guard.question} {guard.words}" for guard in failing]
    goal = f"The target of {_percent(target)}"
    for lift in evidence.judged:
        outcome = lift_outcome(lift, target)
        if outcome == "not met":
            words.append(f"{goal} on {metric_label(lift.metric)}: it is not reached, even at the upper bound.")
        elif outcome == "undecided":
            words.append(f"{goal} on {metric_label(lift.metric)}: {describe_gain(lift, target)} leaves it open.")
    if evidence.best_prompted is None:
        words.append("That the gain takes training: what a better prompt alone buys was not measured.")
    if not _has_checker(evidence.candidate):
        words.append(TRUTH)
    if _one_training(evidence):
        words.append(
            "That the trainer does so again: one adapter was judged, and its next seed may come out otherwise."
        )
    return words


def _settle(evidence: Evidence, failing: Sequence[Guard], target: float) -> list[str]:
    words = [f"{guard.title}: {guard.fix}" for guard in failing if guard.fix]
    words += [need for lift in evidence.judged if (need := describe_need(lift, target))]
    if evidence.best_prompted is None:
        words.append("`bench baseline --tune` measures what a prompt alone buys.")
    if not _has_checker(evidence.candidate):
        words.append(CHECKER)
    if _one_training(evidence):
        words.append("`bench train --seeds 5` judges the trainer.")
    return words


def describe_need(lift: LiftResult, target: float) -> str:
    """How many conversations would settle an undecided lift, as a sentence; empty where none would."""
    needed = count_needed(lift, target)
    if needed is None:
        return ""
    return (
        f"Measure about {needed:,} conversations: they most likely settle it, if the true lift on "
        f"{metric_label(lift.metric)} is the measured one."
    )


def count_needed(lift: LiftResult, target: float) -> int | None:
    """How many conversations would most likely settle an undecided lift; None where it is decided, or none would."""
    if isinstance(lift, NoLift) or lift_outcome(lift, target) != "undecided" or lift.needed is None:
        return None
    return max(lift.needed, FEWEST)


def _one_training(evidence: Evidence) -> bool:
    return evidence.candidate.manifest.system.adapter is not None and not evidence.seeds


def _caveats(evidence: Evidence, target: float) -> list[str]:
    candidate, baseline = evidence.candidate, evidence.baseline
    caveats = [f"Not measured: {what}" for what in evidence.unmeasured]
    caveats += [f"The guards are loosened: {what}." for what in describe_loosened(evidence.terms.limits)]
    caveats += [*_unshared_looks(evidence), *evidence.basis.selection.notes]
    manifest = baseline.manifest
    if target != manifest.target:
        caveats.append(f"The target of its recipe is {_percent(manifest.target)}, and {_percent(target)} was judged.")
    if {lift.metric for lift in evidence.lifts} != set(manifest.headlines):
        caveats.append(f"The headlines of its recipe are {join_words(list(map(metric_label, manifest.headlines)))}.")
    whole = sum(map(len, manifest.plan))
    if whole > evidence.n:
        caveats.append(f"Only {evidence.n} of the {whole} conversations of the split were scored (data.limit).")
    detectable = [lift for lift in evidence.judged if isinstance(lift, Lift) and lift.units >= FEWEST]
    caveats += [
        f"With these {lift.n} conversations a true lift of {lift.detectable:+.0%} or more on "
        f"{metric_label(lift.metric)} would be verified four times out of five."
        for lift in detectable
    ]
    caveats.append(
        f"Whether the {candidate.manifest.protocol.split} split also served to choose prompts or settings is not "
        "recorded; if it did, this is a development result."
    )
    if not baseline.manifest.system.generation_verified:
        caveats.append("How the baseline's texts were made was not recorded (generation unverified).")
    for count, fault in ((baseline.summary.empty, "are empty"), (baseline.summary.cut, "were cut at the token limit")):
        if count > NOTEWORTHY * baseline.summary.n:
            caveats.append(f"{count} of {baseline.summary.n} summaries of the baseline {fault}.")
    rival = evidence.best_prompted
    if rival and rival is not evidence.over and rival.summary.shortened > NOTEWORTHY * rival.summary.n:
        caveats.append(
            f"With the best prompt, the model was shown only a part of {rival.summary.shortened} of {rival.summary.n} "
            "conversations."
        )
    caveats += _seed_gaps(evidence)
    for who, run in (("candidate", candidate), ("baseline", baseline)):
        caveats.extend(f"{metric} was left out: {why}" for metric, why in run.manifest.skipped.items())
        caveats.extend(f"The {who}'s run notes: {note}" for note in run.manifest.notes)
    return list(dict.fromkeys(caveats))


def _unshared_looks(evidence: Evidence) -> list[str]:
    """That more candidates were tried than share the level."""
    looks = evidence.basis.selection.looks
    if looks <= evidence.basis.bootstrap.comparisons:
        return []
    return [
        f"{looks} candidates were measured under this protocol in this runs folder. The more are tried, the likelier "
        "one reaches the target by chance: guards.share_level=true shares the 5% among them."
    ]


def _seed_gaps(evidence: Evidence) -> list[str]:
    """A caveat on unjudged seeds below the highest judged one: whoever trained them knows their results."""
    if not evidence.candidate.manifest.family:
        return []
    seeds = set(evidence.seeds) or {seed_of(evidence.candidate)}
    missing = sorted(set(range(max(seeds) if max(seeds) <= MOST_SEEDS else 0)) - seeds)
    if not missing:
        return []
    which = f"Seed {missing[0]}" if len(missing) == 1 else f"Seeds {join_words([*map(str, missing)])}"
    judged = join_words([*map(str, sorted(seeds))])
    return [f"{which} of this training cannot be seen in this runs folder; {judged} was judged."]
