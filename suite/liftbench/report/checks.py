"""What stands behind a verdict, arranged for page and terminal alike: guards, leaks, and choices made otherwise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from msgspec import Struct

from ..guards import not_passed
from ..types import Choice, Guard, Leak, LeakKind
from ..wording import counted, listed, metric_label
from . import numbers

SYMBOLS = {
    "verified": "✓",
    "undecided": "?",
    "not met": "✗",
    "unproven": "○",
    "passed": "✓",
    "failed": "✗",
    "not run": "○",
    "not worse": "✓",
    "worse": "✗",
}
"""Outcomes and states are told apart by symbol and word, never by their colour alone."""

LEAKS: dict[LeakKind, str] = {
    "trained on": "The candidate was trained on the conversation, or on nearly the same one.",
    "chose the checkpoint": "It, or nearly the same one, decided which checkpoint became the adapter.",
    "shown in the prompt": "It, or nearly the same one, is an example in the prompt.",
    "copied from training": "Much of the candidate’s text is a training summary, word for word.",
    "copied reference": "The candidate’s text is the human summary that it is scored against, word for word.",
    "twice": "The scored data hold nearly the same conversation again, so that it counts twice.",
}
"""What each kind means, in the order of a report."""


class ChoiceRow(Struct, frozen=True, kw_only=True):
    """One thing chosen otherwise, on every headline."""

    name: str
    cells: list[Choice | None]
    """One a headline; None where there is no such choice."""
    otherwise: bool
    """Whether the lift amounts to something else than as measured, on any headline."""


def in_order(guards: Sequence[Guard]) -> list[Guard]:
    """Those that did not pass first, the failed ones before all."""
    return [*not_passed(guards), *(guard for guard in guards if guard.state == "passed")]


def leak_counts(leaks: Sequence[Leak]) -> dict[LeakKind, int]:
    """Kind → conversations, of the kinds that there are."""
    counts = Counter(leak.kind for leak in leaks)
    return {kind: counts[kind] for kind in LEAKS if counts[kind]}


def choice_rows(choices: Sequence[Choice], headlines: Sequence[str]) -> list[ChoiceRow]:
    """A row for each choice, in the order they were made."""
    cells = {(choice.name, choice.lift.metric): choice for choice in choices}
    rows = []
    for name in dict.fromkeys(choice.name for choice in choices):
        some = [cells.get((name, headline)) for headline in headlines]
        otherwise = any(_differs(cell, choices) for cell in some if cell)
        rows.append(ChoiceRow(name=name, cells=some, otherwise=otherwise))
    return rows


def choice_words(choices: Sequence[Choice], target: float) -> str:
    """Whether the verdict hangs on one choice, in a sentence or two; empty where nothing was chosen otherwise."""
    others = [choice for choice in choices if choice.kind != "as measured"]
    if not others:
        return ""
    spans = []
    for metric in dict.fromkeys(choice.lift.metric for choice in others):
        known = [choice.lift for choice in others if choice.lift.metric == metric and choice.lift.lift is not None]
        ends = sorted(known, key=lambda lift: lift.lift or 0.0)
        if ends:
            spans.append(
                f"{numbers.lift(ends[0], target)} to {numbers.lift(ends[-1], target)} on {metric_label(metric)}"
            )
    number = len({choice.name for choice in others})
    measured = f"Over {counted(number, 'other choice')} the lift is {listed(spans) or 'unknown'}"
    differing = [
        f"{choice.name} ({choice.outcome} on {metric_label(choice.lift.metric)})"
        for choice in others
        if _differs(choice, choices)
    ]
    if not differing:
        return f"{measured}; none of them changes what it amounts to."
    return f"{measured}. It would amount to something else with: {listed(differing)}."


def _differs(choice: Choice, choices: Sequence[Choice]) -> bool:
    """Whether its lift amounts to something else than as measured."""
    measured = {one.lift.metric: one.outcome for one in choices if one.kind == "as measured"}
    return choice.outcome != measured.get(choice.lift.metric, choice.outcome)
