"""The guard that a recipe may require: people prefer the candidate's summaries."""

from __future__ import annotations

from ...text.phrases import join_words, percent, pluralize
from ..evidence import Evidence
from .base import Check


def check_people(evidence: Evidence) -> Check:
    """Whether the number of people that the recipe requires prefer the candidate to what its lift is over.

    The guard passes where the lower bound of the win rate (ties count half) lies above one half. Judgments by language
    models do not count.
    """
    rival, wanted = evidence.over, evidence.terms.limits.judges
    fix = f"`bench judge export {evidence.candidate.id} --baseline {rival.id}` makes the page on which people judge."
    found = [one for one in evidence.preferences if one.kind == "people" and one.other == rival.id]
    enough = [one for one in found if len(one.judges) >= wanted]
    if not enough:
        most = max((len(one.judges) for one in found), default=0)
        return Check(
            "not run",
            f"{pluralize(most, 'person', 'people')} judged, and the recipe requires {wanted}.",
            fix,
            f"{pluralize(wanted, 'person', 'people')} should judge it, and {most or 'nobody'} did",
            f"{most} of {wanted}",
        )
    best = max(enough, key=lambda one: (len(one.judges), one.n))
    if best.win_rate is None or best.low is None or best.high is None:
        return Check(
            "not run",
            f"{pluralize(best.n, 'conversation')} were judged: too few for an interval.",
            fix,
            "people judged too few of its summaries",
            str(best.n),
        )
    words = (
        f"{join_words(list(best.judges))} preferred the candidate in {percent(round(best.win_rate, 3))} of "
        f"{pluralize(best.n, 'conversation')}, ties counted half (95% interval {best.low:.0%} to {best.high:.0%})."
    )
    figure = f"{best.win_rate:.0%}"
    if best.low > 0.5:
        return Check("passed", words, figure=figure)
    if best.high < 0.5:
        fix = "Read the pairs that the candidate lost, and train on what they show."
        return Check("failed", words, fix, "people like it less than what it is compared with", figure)
    brief = "it is open whether people prefer it"
    return Check("undecided", words, "Let people judge more pairs.", brief, figure)
