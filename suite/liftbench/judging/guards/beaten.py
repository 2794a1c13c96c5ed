"""Guards on what the candidate must beat or equal: controls, people's writing and facts, the baseline on each slice."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from ...floors.control_scores import SystemScores
from ...floors.ranking import Position
from ...statistics.lift import FEWEST
from ...text.phrases import join_words, metric_label, pluralize
from ..abstractiveness import NOBODY_COPIES
from ..evidence import Evidence
from ..slices import SliceResult
from .base import Check

FACTS = "unsupported-facts"
"""The metric that the guard `facts` reads."""


def check_controls(evidence: Evidence) -> Check:
    """Whether the candidate beats the best control on every headline that separates people from the controls."""
    headlines = [lift.metric for lift in evidence.lifts]
    by_metric = {position.metric: position for position in evidence.positions}
    rows = evidence.controls.rows if evidence.controls else []
    missing = [row.name for row in rows if row.role == "floor" and (row.missing or not _whole(row, headlines))]
    if missing or any(metric not in by_metric for metric in headlines):
        which = join_words(missing) if missing else "the controls"
        return Check(
            "not run",
            f"Not measured: {which}.",
            "Most learn from human summaries of a training split (data.train_split).",
            "it was not compared with systems that need no model",
            step="Ask `bench controls` why they were not measured.",
        )
    states = {one.metric: one.state for one in evidence.basis.separations}
    deciding = [metric for metric in headlines if states.get(metric, "not measured") != "does not separate"]
    if not deciding:
        return _no_deciding_headline(evidence, headlines)
    unbeaten = [one for one in map(by_metric.__getitem__, deciding) if one.gap_low is None or one.gap_low <= 0]
    words = "; ".join(map(_describe_gap, map(by_metric.__getitem__, deciding)))
    unable = [metric for metric in headlines if metric not in deciding]
    aside = f" {_cannot_tell(unable)}" if unable else ""
    if any(states.get(metric, "not measured") == "not measured" for metric in deciding):
        aside += (
            " Whether people would score higher could not be checked: fewer than "
            f"{FEWEST} conversations have a second human summary."
        )
    if not unbeaten:
        return Check("passed", f"The candidate scores significantly higher than every control ({words}).{aside}")
    where = join_words([metric_label(one.metric) for one in unbeaten])
    worse = all(one.gap_high is not None and one.gap_high < 0 for one in unbeaten)
    verb = "The candidate scores lower than" if worse else "The candidate is not shown to beat"
    return Check(
        "failed",
        f"{verb} the best control on {where} ({words}).{aside}",
        "It must score clearly above "
        f"{join_words([f'{one.floor_mean:.3f} on {metric_label(one.metric)}' for one in unbeaten])}.",
        f"it {'scores lower than' if worse else 'does not clearly beat'} {_name_control(unbeaten[0].floor)}",
        step="Train a better adapter, or take a larger model.",
    )


def _no_deciding_headline(evidence: Evidence, headlines: Sequence[str]) -> Check:
    others = evidence.basis.find_separating()
    fix = (
        f"Here {join_words(list(map(metric_label, others)), 'or')} can (metrics.headlines)."
        if others
        else "content-overlap, bertscore or embedding often can (metrics.headlines)."
    )
    brief = "the metrics that it is judged on cannot tell people from a fixed template"
    step = "Judge on a metric that can tell people from a template."
    return Check("not run", _cannot_tell(headlines), fix, brief, step=step)


_CONTROLS = {
    "best-constant": "one fixed sentence",
    "slot-template": "a fixed template",
    "random-summary": "a random human summary",
    "lead-1": "the conversation's first turn",
    "lead-2": "the conversation's first two turns",
    "longest-turn": "the conversation's longest turn",
    "whole-conversation": "the conversation itself",
}
"""Controls in words that need no explanation; others are named."""


def _name_control(name: str) -> str:
    return _CONTROLS.get(name, f"the control {name}")


def _cannot_tell(metrics: Sequence[str]) -> str:
    labels = join_words(list(map(metric_label, metrics)))
    does = "do not" if len(metrics) > 1 else "does not"
    it = "they" if len(metrics) > 1 else "it"
    return f"{labels} cannot tell people from a template on these conversations; {it} {does} decide this."


def _describe_gap(one: Position) -> str:
    """`ROUGE-L 0.346, slot-template 0.359: -0.013 (-0.031 to +0.004)`."""
    words = f"{metric_label(one.metric)} {one.candidate_mean:.3f}, {one.floor} {one.floor_mean:.3f}"
    if one.gap_low is None or one.gap_high is None:
        return words
    return f"{words}: {one.candidate_mean - one.floor_mean:+.3f} ({one.gap_low:+.3f} to {one.gap_high:+.3f})"


def _whole(row: SystemScores, metrics: Sequence[str]) -> bool:
    """Whether a control has a value for every conversation on each of `metrics`."""
    return all(None not in row.scores.get(metric, [None]) for metric in metrics)


def check_writing(evidence: Evidence) -> Check:
    """Whether the summaries use new words like people's, instead of pasting the conversation's like a control's."""
    found, limit = evidence.abstractiveness, evidence.terms.limits.abstraction
    if not limit:
        return Check("passed", "The recipe allows extracts (guards.abstraction = 0).")
    if found.problem == NOBODY_COPIES:
        return Check("passed", "Not asked here, because people copy as much from the conversations as the controls do.")
    if found.value is None or found.low is None or found.high is None:
        fix = "`bench controls` says why; promote older baselines again."
        return Check("not run", f"Not measured: {found.problem}.", fix, "it is not known whether it writes or pastes")
    words = (
        f"{found.candidate_mean:.1%} of the word pairs are not in the conversation ({found.control} "
        f"{found.control_mean:.1%}, the humans {found.humans_mean:.1%}): {found.value:.2f} of the way from pasting to "
        f"people ({found.low:.2f} to {found.high:.2f}); the limit is {limit:g}."
    )
    figure = f"{found.value:.2f}, limit {limit:g}"
    if found.low >= limit:
        return Check("passed", words, figure=figure)
    fix, step = "Set guards.abstraction lower only if you want extracts.", "Train on summaries that people wrote."
    if found.high < limit:
        return Check("failed", words, fix, "it pastes from the conversation where people write", figure, step=step)
    brief = "it is open whether it writes or pastes from the conversation"
    return Check("undecided", words, fix, brief, figure, step=step)


def check_facts(evidence: Evidence) -> Check:
    """Whether the summaries have hardly more unsupported facts than the humans' own."""
    humans = next((row for row in evidence.controls.rows if row.role == "humans"), None) if evidence.controls else None
    column = humans.scores.get(FACTS) if humans else None
    if column is None or evidence.controls is None:
        return Check(
            "not run",
            f"{FACTS} was not measured of the candidate and of the humans.",
            f"Give metrics.names {FACTS!r}, and a split with human summaries.",
            "it is not known how many details it invents",
        )
    own = {id_: scores.get(FACTS) for id_, scores in evidence.candidate.scores.items()}
    pairs = {
        id_: (found, human)
        for id_, human in zip(evidence.controls.ids, column, strict=True)
        if (found := own.get(id_)) is not None and human is not None
    }
    differences = [found - human for found, human in pairs.values()]
    difference, _, high = evidence.basis.bootstrap.mean(differences, list(pairs))
    if len(pairs) < evidence.n:
        return Check(
            "not run",
            f"{len(pairs)} of {evidence.n} conversations have a number for {FACTS} of the candidate and of the humans.",
            "Score conversations that all have a human summary.",
            "it is not known how many details it invents",
        )
    if difference is None or high is None:
        words, brief = (
            "Too few conversations, or clusters of them, for an interval.",
            "too few conversations were scored",
        )
        return Check("not run", words, "Score more of them.", brief)
    human_mean = fmean(human for _, human in pairs.values())
    allowed = evidence.terms.limits.unsupported
    words = (
        f"{human_mean + difference:.3f} invented details a summary (numbers, names, dates, codes that the conversation "
        f"lacks), the humans {human_mean:.3f}; at most {max(high, 0):.3f} more (upper bound), and the limit is "
        f"{allowed:g}."
    )
    figure = f"{human_mean + difference:.2f} a summary, people {human_mean:.2f}"
    more = [id_ for id_, (found, human) in pairs.items() if found > human]
    if high <= allowed:
        return Check("passed", words, figure=figure, ids=more)
    fix = "If they are really invented, train on more conversations or take a larger model; then measure again."
    brief = _describe_inventions(human_mean + difference, human_mean)
    return Check("failed", words, fix, brief, figure, more, "Read the marked details.")


MUCH_MORE = 1.5
"""From this many times the humans' invented details on, the ratio is said; below it, only the interval is too wide."""


def _describe_inventions(candidate: float, humans: float) -> str:
    """`it invents 4 times as many details as people do`: from means of a summary, where the guard failed."""
    if humans and candidate >= MUCH_MORE * humans:
        return f"it invents {candidate / humans:.2g} times as many details as people do"
    if candidate > humans:
        return "it invents more details than people do"
    return "it is not shown to invent as few details as people do"


def check_slices(evidence: Evidence) -> Check:
    """Whether there is no slice on which the candidate is significantly worse than the baseline."""
    worse = [one for one in evidence.slices if one.state == "worse"]
    if worse:
        return Check(
            "failed",
            f"The candidate is worse than the baseline on {join_words([_part(one) for one in worse])}.",
            "Train with more conversations of that kind.",
            f"it is worse than before on {_shorten([f'{one.field}: {one.label}' for one in worse])}",
            pluralize(len({(one.field, one.label) for one in worse}), "slice"),
        )
    lacking = list(dict.fromkeys(_part(one) for one in evidence.slices if one.state == "undecided"))
    if lacking:
        return Check(
            "undecided",
            f"Scores are missing on {_shorten(lacking)}.",
            "Fix or replace what gives no number, and measure again.",
            "scores are missing on some slices of the conversations",
            pluralize(len(lacking), "slice"),
        )
    # One result per slice: the results of its metrics cover the same conversations.
    by_slice = {(one.field, one.label, one.pooled): one for one in evidence.slices}.values()
    whole = [one for one in by_slice if not one.pooled]
    together = [f"{_pool(one)} judged together" for one in by_slice if one.pooled and one.state != "not judged"]
    few = [_pool(one) for one in by_slice if one.state == "not judged"]
    fields = list(dict.fromkeys(one.field for one in evidence.slices))
    uncut = [field for field in evidence.terms.limits.slices if field not in fields]
    unseen = f" Not sliced by {join_words(uncut)}: too few conversations, or too much alike." if uncut else ""
    unseen += f" Too few conversations to judge {join_words(few)}; {FEWEST} are needed." if few else ""
    if not whole and not together:
        return Check("passed", f"There are no slices to check.{unseen}")
    by = join_words(list(dict.fromkeys(one.field for one in whole)))
    checked = "; ".join([f"{len(whole)} checked: {by}"] * bool(whole) + together)
    return Check("passed", f"No slice is worse than the baseline ({checked}).{unseen}")


def _shorten(names: Sequence[str]) -> str:
    """The names as one phrase, at most three of them."""
    names = list(dict.fromkeys(names))
    return join_words(names) if len(names) <= 3 else f"{', '.join(names[:3])} and {len(names) - 3} more"


def _pool(one: SliceResult) -> str:
    """`96 small slices by company (412)`, or a single one: `channel: phone (6)`."""
    return _part(one) if one.pooled == 1 else f"{one.pooled} small slices by {one.field} ({one.n})"


def _part(one: SliceResult) -> str:
    """`turns: 8 to 9 (12) on ROUGE-L`; the metric is named only where the slice is worse."""
    where = f"{one.field}: {one.label} ({one.n})"
    return f"{where} on {metric_label(one.metric)}" if one.state == "worse" else where
