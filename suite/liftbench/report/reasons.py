"""The one sentence of an answer that says why: what the scores do, and what stands against it, in plain words."""

from __future__ import annotations

from collections.abc import Sequence

from ..judging.guards import Guard
from ..judging.verdict import Outcome, Verdict, lift_outcome
from ..statistics.lift import FEWEST, Lift, LiftResult
from ..text.phrases import join_words, metric_label, percent, pluralize
from . import numbers

MOST_REASONS = 3
"""Reasons that a sentence holds; the others are counted."""

MOST_SHARES = 3
"""Scores of which each one's share is said; of more, only the least and the most."""


def write_reason(gain: str, reasons: Sequence[str], conditions: Sequence[str], most: int = MOST_REASONS) -> str:
    """Why the outcome is what it is, in one sentence that a reader without statistics understands.

    Of more than `most` reasons the last ones are only counted.

    >>> write_reason("Scores rise 79%", ["4 of 104 summaries are cut off", "it copies"], [])
    'Scores rise 79%, but 4 of 104 summaries are cut off, and it copies.'
    """
    some = _limit(reasons, most)
    words = f"{gain}, but {_join(some)}" if gain and some else gain or _join(some)
    weaker = f" ({'; '.join(conditions)})" if conditions else ""
    return f"{words[:1].upper()}{words[1:]}{weaker}."


def explain_guards(guards: Sequence[Guard]) -> list[str]:
    """What is wrong with each of some guards that did not pass, a clause each."""
    return [guard.brief or f"the check {guard.title} did not pass" for guard in guards]


def describe_gains(lifts: Sequence[Lift], target: float) -> str:
    """`Scores rise 79%`, `Both scores rise (by 79% and 142%)`; empty where there is no number."""
    if not lifts:
        return ""
    if all(lift.lift == 0 for lift in lifts):
        return "Scores stay the same"
    if all(lift.lift > 0 for lift in lifts):
        return _move("rise", lifts, target)
    if all(lift.lift < 0 for lift in lifts):
        return f"{_move('fall', lifts, target)}, and the target is a rise of {percent(target)}"
    each = [
        f"{'rise' if lift.lift > 0 else 'fall'} {_share(lift, target)} on {metric_label(lift.metric)}"
        for lift in sorted(lifts, key=lambda one: -one.lift)
    ]
    return f"Scores {join_words(each)}"


def _move(verb: str, lifts: Sequence[Lift], target: float) -> str:
    """`Both scores rise (by 79% and 142%)`: two figures never look like a range."""
    shares = [_share(lift, target) for lift in lifts]
    if len(shares) == 1:
        return f"Scores {verb} {shares[0]}"
    several = "Both" if len(shares) == 2 else f"All {len(shares)}"
    if len(set(shares)) == 1:
        return f"{several} scores {verb} by {shares[0]}"
    if len(shares) > MOST_SHARES:
        least, *_, most = [_share(lift, target) for lift in sorted(lifts, key=lambda one: abs(one.lift))]
        return f"{several} scores {verb} (by {least} at least, and {most} at most)"
    return f"{several} scores {verb} (by {join_words(shares)})"


def _share(lift: Lift, target: float) -> str:
    return numbers.format_lift(lift, target).lstrip("+-")


def doubt_lifts(verdict: Verdict, judged: Sequence[LiftResult]) -> list[str]:
    """What keeps the lifts themselves from reaching the target, a clause each."""
    found: dict[Outcome, list[Lift]] = {}
    for lift in judged:
        if isinstance(lift, Lift):
            found.setdefault(lift_outcome(lift, verdict.target), []).append(lift)
    goal = f"the target of {percent(verdict.target)}"
    clauses = []
    missed = found.get("not met", [])
    if missed and len(missed) < len(judged):
        clauses.append(f"{goal} is not reached on {_name(missed)}")
    elif any(lift.lift >= 0 for lift in missed):
        clauses.append(f"that is clearly less than {goal}")
    if unsettled := found.get("undecided"):
        where = "" if len(unsettled) == len(judged) else f" on {_name(unsettled)}"
        n = unsettled[0].n
        few = f" ({FEWEST} are needed)" if unsettled[0].units < FEWEST else ""
        clauses.append(f"{pluralize(n, 'conversation')} are too few to tell whether they reach {goal}{where}{few}")
    return clauses


def _name(lifts: Sequence[Lift]) -> str:
    return join_words([metric_label(lift.metric) for lift in lifts])


def list_conditions(verdict: Verdict) -> list[str]:
    """What makes a proven or undecided outcome weaker than the same word elsewhere, as phrases."""
    if verdict.outcome not in ("verified", "undecided"):
        return []
    return [*verdict.conditions, *(["only shared words were counted"] if verdict.overlap_only else [])]


def _limit(reasons: Sequence[str], most: int) -> list[str]:
    if len(reasons) <= most:
        return list(reasons)
    others = pluralize(len(reasons) - most + 1, "more reason")
    return (
        [*reasons[: most - 1], f"there are {others}"] if most > 1 else [f"there are {len(reasons)} reasons against it"]
    )


def _join(clauses: Sequence[str]) -> str:
    """Clauses with a comma before the last `and`, since each has its own subject and verb."""
    *others, last = clauses or ["nothing was judged"]
    return f"{', '.join(others)}, and {last}" if others else last
