"""From a lift to a verdict: the outcome, a sentence that a team lead understands, and what it does not show."""

from __future__ import annotations

import re

from . import stats
from .runs import Run
from .types import Lift, Outcome, Verdict

FEWEST = 20
"""Conversations for a *verified*. Percentile intervals on few are too narrow: of normal data a nominal 95% interval
covers the mean in 90% of cases at n = 10, 93% at 20 and 94.6% at 100 (the bootstrap's narrowness bias, Hesterberg 2015,
https://arxiv.org/abs/1411.5279)."""

NOTEWORTHY = 0.02
"""Share of empty or cut summaries above which a caveat mentions them."""

OVERLAP = (
    "ROUGE counts shared words: it cannot see whether facts are right, roles are swapped or an outcome is negated, and "
    "a fixed sentence can raise it too, so this verdict alone does not show that the summaries are better informed."
)


def judge(baseline: Run, candidate: Run, lift: Lift, target: float) -> Verdict:
    """The verdict on the headline metric's lift.

    *Verified* if the interval's lower bound is at least the target, *not met* if its upper bound is below, else
    *undecided*; fewer than `FEWEST` conversations verify nothing; *unproven* where there is no number to judge.
    """
    directions = {row.name: row.direction for row in candidate.summary.metrics}
    outcome, reason = _outcome(lift, target, directions.get(lift.metric, "higher"))
    if outcome == "unproven":
        sentence = f"Unproven: {reason}."
    else:
        sentence = f"{outcome.capitalize()}: {_figures(baseline, candidate, lift, target)}"
        sentence += f" {reason}" if reason else ""
    if _texts(baseline) == _texts(candidate):
        sentence += f" All {lift.n} texts are identical to the baseline's: was the adapter or the prompt applied?"
    return Verdict(
        outcome=outcome,
        headline=lift.metric,
        target=target,
        sentence=sentence,
        caveats=_caveats(baseline, candidate, lift.metric),
    )


def metric_label(metric: str) -> str:
    """A metric's name as people write it.

    >>> metric_label("rougeL"), metric_label("bertscore")
    ('ROUGE-L', 'bertscore')
    """
    return re.sub(r"^rouge(?=.)", "ROUGE-", metric)


def _outcome(lift: Lift, target: float, direction: str) -> tuple[Outcome, str]:
    if direction != "higher":
        return "unproven", f"lower is better for {lift.metric}, and a lift is judged on a metric where higher is better"
    if lift.problem or lift.low is None or lift.high is None:
        return "unproven", lift.problem or "the lift has no interval"
    few = f"With {lift.n} conversations the interval is rough: {FEWEST} are the least to verify anything on."
    reason = few if lift.n < FEWEST else ""
    if lift.high < target:
        return "not met", reason
    if lift.low >= target and not reason:
        return "verified", ""
    return "undecided", reason


def _figures(baseline: Run, candidate: Run, lift: Lift, target: float) -> str:
    assert lift.lift is not None
    assert lift.low is not None
    assert lift.high is not None
    before, after = baseline.manifest.system.name, candidate.manifest.system.name
    if before == after:
        before, after = f"the baseline {before}", f"the candidate {after}"
    digits = lift_digits(lift.lift, lift.low, lift.high, target)
    gain = f"{abs(lift.lift):.{digits}%}"
    change = f"{gain} {'higher' if lift.lift > 0 else 'lower'} than" if lift.lift else "the same as"
    goal = f"{'-' if target < 0 else '+'}{stats.percent(abs(target))}"
    if lift.high < target:
        against = f"below the target of {goal}"
    elif lift.low < target:
        against = f"which contains the target of {goal}"
    else:
        against = f"and the target was {goal}"
    level = lift.method.partition(" ")[0]
    return (
        f"on {lift.n} conversations {after} scores {change} {before} on {metric_label(lift.metric)}; "
        f"the {level} interval is {lift.low:+.{digits}%} to {lift.high:+.{digits}%}, {against}."
    )


def lift_digits(lift: float, low: float, high: float, target: float) -> int:
    """The fewest decimals (0 to 2) at which no bound looks like the target and no gain like none."""
    for digits in (0, 1):
        shown = [round(100 * bound, digits) for bound in (low, high)]
        if round(100 * target, digits) not in shown and (round(100 * lift, digits) or not lift):
            return digits
    return 2


def _texts(run: Run) -> dict[str, str]:
    return {id_: prediction.text for id_, prediction in run.predictions.items()}


def _caveats(baseline: Run, candidate: Run, metric: str) -> list[str]:
    caveats = [OVERLAP] if metric.startswith("rouge") else []
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
    for who, run in (("candidate", candidate), ("baseline", baseline)):
        if not run.manifest.system.generation_verified:
            caveats.append(f"Nobody here saw how the {who}'s texts were made (generation unverified).")
        summary = run.summary
        for count, fault in ((summary.empty, "are empty"), (summary.cut, "were cut at the token limit")):
            if count > NOTEWORTHY * summary.n:
                caveats.append(f"{count} of {summary.n} summaries of the {who} {fault}.")
        caveats.extend(f"The {who}'s run notes: {note}" for note in run.manifest.notes)
    return caveats
