"""From lifts to a verdict: the outcome, a sentence that a team lead understands, and what it does not show."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from . import stats
from .runs import Run
from .types import Against, Cost, Lift, Outcome, Position, Validity, Verdict
from .yardsticks import FLOOR

FEWEST = 20
"""Conversations for a *verified*. Percentile intervals on few are too narrow: of normal data a nominal 95% interval
covers the mean in 90% of cases at n = 10, 93% at 20 and 94.6% at 100 (the bootstrap's narrowness bias, Hesterberg 2015,
https://arxiv.org/abs/1411.5279)."""

NOTEWORTHY = 0.02
"""Share of empty or cut summaries above which a caveat mentions them."""

OVERLAP = (
    "All headlines count shared words: they hardly see whether facts are right, roles are swapped or an outcome is "
    "negated. The validity table has what each of them sees."
)


CHECKER = (
    "No faithfulness checker was run, so nothing here says whether the summaries are true (a recipe names one in "
    "metrics.checkers)."
)

SEVERITY: tuple[Outcome, ...] = ("unproven", "not met", "undecided", "verified")
"""The outcome of several headlines is the first of these that any of them has."""


class Lifted(Struct, frozen=True, kw_only=True):
    """All that a verdict on one candidate is made from; of the lifts and positions those on the headlines."""

    baseline: Run
    candidate: Run
    best_prompted: Run | None
    lifts: list[Lift]
    """Over the baseline."""
    prompted: list[Lift]
    """Over the best-prompted baseline; empty where there is none."""
    positions: list[Position]
    unmeasured: list[str]
    """Controls and the validity table, where they could not be measured, with the reason."""


def judge(lifted: Lifted, against: Against, target: float) -> Verdict:
    """The verdict: the target must be reached on every headline, so no correction for several of them is due.

    A headline is *verified* if its interval's lower bound is at least the target, *not met* if its upper bound is
    below, else *undecided*; fewer than `FEWEST` conversations verify nothing; *unproven* where there is no number to
    judge. The verdict is the least favourable of them.
    """
    over, lifts, rival, others = lifted.baseline, lifted.lifts, lifted.best_prompted, lifted.prompted
    if against == "best-prompted":
        over, lifts, rival, others = rival or over, others, lifted.baseline, lifted.lifts
    outcomes = [_outcome(lift, target, _direction(lifted.candidate, lift.metric)) for lift in lifts]
    if not outcomes:
        outcomes = [
            ("unproven", "the lift is judged over the best-prompted baseline, and `bench baseline --tune` is missing")
        ]
    outcome = min((outcome for outcome, _ in outcomes), key=SEVERITY.index)
    reason = next((reason for one, reason in outcomes if one == outcome and reason), "")
    if outcome == "unproven":
        words = [f"Unproven: {reason}."]
    else:
        words = [
            f"{outcome.capitalize()}: {_figures(over, lifted.candidate, lifts, target)}",
            *([reason] if reason else []),
        ]
    if rival and others:
        words.append(_beside(rival, others, target))
    if _texts(over) == _texts(lifted.candidate):
        words.append(
            f"All {len(over.predictions)} texts are identical to the baseline's: was the adapter or the prompt applied?"
        )
    sentence = " ".join(words)
    if outcome != "unproven" and not _checked(lifted.candidate):
        sentence = f"{sentence.rstrip('.')} (overlap only)."
    return Verdict(
        outcome=outcome,
        headlines=tuple(lift.metric for lift in lifted.lifts),
        against=against,
        target=target,
        sentence=sentence,
        caveats=_caveats(lifted),
    )


def metric_label(metric: str) -> str:
    """A metric's name as people write it.

    >>> metric_label("rougeL"), metric_label("bertscore")
    ('ROUGE-L', 'bertscore')
    """
    return re.sub(r"^rouge(?=.)", "ROUGE-", metric)


def listed(words: Sequence[str]) -> str:
    """`one, two and three`."""
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words)


def _direction(run: Run, metric: str) -> str:
    return next((row.direction for row in run.summary.metrics if row.name == metric), "higher")


def _outcome(lift: Lift, target: float, direction: str) -> tuple[Outcome, str]:
    if direction != "higher":
        return "unproven", f"a lift is judged on a metric where higher is better, and {lift.metric} is none"
    if lift.problem or lift.low is None or lift.high is None:
        return "unproven", lift.problem or "the lift has no interval"
    few = f"With {lift.n} conversations the interval is rough: {FEWEST} are the least to verify anything on."
    reason = few if lift.n < FEWEST else ""
    if lift.high < target:
        return "not met", reason
    if lift.low >= target and not reason:
        return "verified", ""
    return "undecided", reason


def _figures(over: Run, candidate: Run, lifts: Sequence[Lift], target: float) -> str:
    before, after = over.manifest.system.name, candidate.manifest.system.name
    if before == after:
        before, after = f"the baseline {before}", f"the candidate {after}"
    level = lifts[0].method.partition(" ")[0]
    first, *rest = (_gain(lift, target) for lift in lifts)
    gains = [f"{first[0]} {before} on {first[1]} ({level} interval {first[2]})"]
    gains += [f"{gain} on {metric} ({interval})".replace(" than on", " on") for gain, metric, interval in rest]
    goal = f"the target of {'-' if target < 0 else '+'}{stats.percent(abs(target))}"
    return f"on {lifts[0].n} conversations {after} scores {listed(gains)}; {_reached(lifts, target, goal)}."


def _gain(lift: Lift, target: float) -> tuple[str, str, str]:
    """`72% higher than`, `ROUGE-L`, `+58% to +88%`."""
    if lift.lift is None or lift.low is None or lift.high is None:
        return "nothing comparable to", metric_label(lift.metric), "no interval"
    digits = lift_digits(lift.lift, lift.low, lift.high, target)
    change = (
        f"{abs(lift.lift):.{digits}%} {'higher' if lift.lift > 0 else 'lower'} than" if lift.lift else "the same as"
    )
    return change, metric_label(lift.metric), f"{lift.low:+.{digits}%} to {lift.high:+.{digits}%}"


def _reached(lifts: Sequence[Lift], target: float, goal: str) -> str:
    """`the target of +40% lies below both intervals`, or on which headline it does not."""
    places: dict[str, list[str]] = {"is reached": [], "lies within the interval": [], "is not reached": []}
    for lift in lifts:
        assert lift.low is not None
        assert lift.high is not None
        where = (
            "is reached"
            if lift.low >= target
            else "is not reached"
            if lift.high < target
            else "lies within the interval"
        )
        places[where].append(metric_label(lift.metric))
    said = {where: metrics for where, metrics in places.items() if metrics}
    if len(said) == 1:
        where = next(iter(said))
        return f"{goal} {where}" + (" on each" if len(lifts) > 1 else "")
    return f"{goal} " + " and ".join(f"{where} on {listed(metrics)}" for where, metrics in said.items())


def _beside(rival: Run, lifts: Sequence[Lift], target: float) -> str:
    """The lift that was not judged, in a sentence: neither is shown without the other."""
    what = "best-prompted baseline" if rival.manifest.tuned else "plain baseline"
    gains = [
        f"{lift.lift:+.{lift_digits(lift.lift, lift.low, lift.high, target)}%} on {metric_label(lift.metric)}"
        if lift.lift is not None and lift.low is not None and lift.high is not None
        else f"no number on {metric_label(lift.metric)}"
        for lift in lifts
    ]
    return f"Over the {what} it is {listed(gains)}."


def _checked(run: Run) -> bool:
    return any(row.sees == "faithfulness" and row.n for row in run.summary.metrics)


def lift_digits(lift: float, low: float, high: float, target: float) -> int:
    """The fewest decimals (0 to 2) at which no bound looks like the target and no gain like none."""
    for digits in (0, 1):
        shown = [round(100 * bound, digits) for bound in (low, high)]
        if round(100 * target, digits) not in shown and (round(100 * lift, digits) or not lift):
            return digits
    return 2


def _texts(run: Run) -> dict[str, str]:
    return {id_: prediction.text for id_, prediction in run.predictions.items()}


def _caveats(lifted: Lifted) -> list[str]:
    candidate = lifted.candidate
    headlines = [lift.metric for lift in lifted.lifts]
    sees = {row.name: row.sees for row in candidate.summary.metrics}
    caveats = [OVERLAP] if all(sees.get(metric) == "overlap" for metric in headlines) else []
    if not _checked(candidate):
        caveats.append(CHECKER)
    for position in lifted.positions:
        # Headlines are metrics where higher is better.
        if position.gap_low is None or position.gap_low <= 0:
            caveats.append(
                f"On {metric_label(position.metric)} it is not shown to beat the control {position.floor}, with no "
                f"model: {position.candidate_mean:.3f} against {position.floor_mean:.3f}."
            )
    caveats += [f"Not measured: {what}" for what in lifted.unmeasured]
    if lifted.best_prompted is None:
        caveats.append("What a prompt alone buys was not measured (`bench baseline --tune`).")
    protocol, adapter = candidate.manifest.protocol, candidate.manifest.system.adapter
    if adapter is not None:
        caveats.append(
            "One adapter was measured: the verdict judges it, not its trainer, whose next seed may come out otherwise."
        )
        if adapter.run is None:
            caveats.append(
                "What the adapter was trained on is not recorded: it may have seen the scored conversations."
            )
    caveats.append(
        f"Whether the {protocol.split} split also served to choose prompts or settings is not recorded; "
        "if it did, this is a development result."
    )
    for who, run in (("candidate", candidate), ("baseline", lifted.baseline)):
        if not run.manifest.system.generation_verified:
            caveats.append(f"Nobody here saw how the {who}'s texts were made (generation unverified).")
        summary = run.summary
        for count, fault in ((summary.empty, "are empty"), (summary.cut, "were cut at the token limit")):
            if count > NOTEWORTHY * summary.n:
                caveats.append(f"{count} of {summary.n} summaries of the {who} {fault}.")
        caveats.extend(f"{metric} was left out: {reason}" for metric, reason in run.manifest.skipped.items())
        caveats.extend(f"The {who}'s run notes: {note}" for note in run.manifest.notes)
    return list(dict.fromkeys(caveats))


BLIND, SEEN = 0.1, 0.5
"""A corruption that surely costs less than `BLIND` of the human-to-floor range is not seen; more than `SEEN`, it is."""


def validity_words(validity: Validity, metric: str) -> str:
    """What a metric can and cannot see of what can be wrong with a summary, in a sentence.

    Only corruptions whose intervals settle it are named; the others cost something between.
    """
    costs = [cost for cost in validity.costs if cost.metric == metric and cost.corruption != FLOOR and not cost.problem]
    if not costs:
        return f"{metric_label(metric)}: nothing could be measured."
    blind = [_named(cost) for cost in costs if cost.high is not None and cost.high < BLIND]
    seen = [_named(cost) for cost in costs if cost.low is not None and cost.low > SEEN]
    fooled = [_named(cost) for cost in costs if cost.high is not None and cost.high < 0]
    blind = [name for name in blind if name not in fooled]
    words = []
    if fooled:
        words.append(f"prefers {listed(fooled)} to the humans' own")
    if blind:
        words.append(f"cannot see {listed(blind)}")
    if seen:
        words.append(f"sees {listed(seen)}")
    return f"{metric_label(metric)} {'; it '.join(words)}." if words else f"{metric_label(metric)}: nothing is settled."


def _named(cost: Cost) -> str:
    return cost.corruption.replace("-", " ")
