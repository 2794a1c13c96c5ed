"""The answers of a comparison in the terminal, with the report and the next command: at most eight lines."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Group, RenderableType
from rich.text import Text

from ...judging.compare import Comparison
from ...judging.guards import Guard
from ...judging.ranking import Ranking
from ...workflow.setup import RUNS
from ..answer import Answer, LiftAnswer, answer_comparison
from ..outcomes import REACHED, SYMBOLS
from ..ranking import say_best
from ..reasons import MOST_REASONS, write_reason
from .text import STYLES, plain

COLUMNS = 80
MOST_LINES = 8
LEAST_REASON = 2
"""Lines that the reasons get before the next command gets one of its own."""
NEXT = "next:   "
MOST_LIFTS = 3
MOST_ANSWERS = 4
"""Answers of which each has a line; of more, the last ones are counted on one of these lines."""


def list_answers(comparison: Comparison, page: Path, runs: Path) -> RenderableType:
    """The badge, the reasons, the lifts, the report's path and what to do next; a line each for several candidates."""
    answers = answer_comparison(comparison)
    command = suggest_command(comparison, answers, runs)
    if len(answers) == 1:
        return Group(*_show_answer(answers[0], page, command))
    lines = [*_show_several(answers)]
    if ranking := comparison.ranking:
        lines.append(_say_best(ranking))
    lines.append(_fold(f"report: {page}"))
    if command:
        first = _first_open(answers)
        lines += _say_next(f"{first.next.step.rstrip('.')} ({first.name}).", command, MOST_LINES - len(lines))
    return Group(*lines)


def _fold(words: str) -> Text:
    """A line that a terminal may fold, but that is copied as one."""
    made = plain(words)
    made.no_wrap, made.overflow = True, "ignore"
    return made


def _show_answer(answer: Answer, page: Path, command: str) -> Iterator[RenderableType]:
    badge = _badge(answer)
    about = "; ".join(filter(None, [answer.name, answer.about]))
    if len(badge) + len(about) + 3 <= COLUMNS:
        badge.append_text(plain(f" ({about})", "dim"))
    lifts = [*_list_lifts(answer), *_show_unbeaten(answer)]
    free = MOST_LINES - 2 - len(lifts)
    steps = _say_next(answer.next.step, command, free - LEAST_REASON)
    yield badge
    yield plain(_shorten_reason(answer, free - len(steps)))
    yield from map(plain, lifts)
    yield _fold(f"report: {page}")
    yield from steps


def _say_next(step: str, command: str, lines: int) -> list[Text]:
    """The first thing to do as a sentence, with the command for it where it fits into so many lines."""
    together = f"{NEXT}{step.rstrip('.')}: {command}"
    if len(together) <= COLUMNS:
        return [_fold(together)]
    sentence = plain(NEXT + textwrap.shorten(step, COLUMNS - len(NEXT), placeholder=" …"))
    return [sentence, _fold(f"{' ' * len(NEXT)}{command}")] if lines > 1 else [sentence]


def _badge(answer: Answer) -> Text:
    return Text(f"{SYMBOLS[answer.outcome]} {answer.headline}", STYLES[answer.outcome])


def _list_lifts(answer: Answer) -> list[str]:
    shown = answer.lifts if len(answer.lifts) <= MOST_LIFTS else answer.lifts[: MOST_LIFTS - 1]
    lines = [_describe_lift(lift, answer.target) for lift in shown]
    others = len(answer.lifts) - len(shown)
    return [*lines, f"… and {others} more headlines: see the report"] if others else lines


def _describe_lift(lift: LiftAnswer, target: str) -> str:
    """`ROUGE-L +108% (+88% to +132%): reaches the target of +40%`."""
    interval = f" ({lift.interval})" if lift.state != REACHED["unproven"] else ""
    state = lift.state
    if state in (REACHED["verified"], REACHED["not met"]):
        state = f"{state} of {target}"
    elif state == REACHED["undecided"]:
        state = f"{state}, the target is {target}"
    return textwrap.shorten(f"{lift.label} {lift.lift}{interval}: {state}", COLUMNS, placeholder=" …")


def _show_unbeaten(answer: Answer) -> list[str]:
    """The comparison with the best control, where it decides against the candidate: on one line."""
    unbeaten = [one for one in answer.deciders if one.state != "beats it"]
    if not unbeaten:
        return []
    figures = ", ".join(f"{one.label} {one.difference} ({one.interval})" for one in unbeaten)
    return [textwrap.shorten(f"minus {unbeaten[0].control}: {figures}", COLUMNS, placeholder=" …")]


def _shorten_reason(answer: Answer, lines: int) -> str:
    """The longest sentence of reasons, then of conditions, that fits into so many lines."""
    few = [f"{len(answer.conditions)} conditions: see the report"] if answer.conditions else []
    for conditions in (answer.conditions, few):
        for most in range(MOST_REASONS, 0, -1):
            words = write_reason(answer.gain, answer.reasons, conditions, most)
            if len(textwrap.wrap(words, COLUMNS)) <= lines:
                return words
    return textwrap.shorten(words, COLUMNS * lines - COLUMNS // 4, placeholder=" …")


def _show_several(answers: Sequence[Answer]) -> Iterator[RenderableType]:
    """A line for each answer: its badge, its name and its lifts."""
    if not answers:
        yield plain("There is no candidate to judge.")
    names = [answer.name for answer in answers]
    shown = answers if len(answers) <= MOST_ANSWERS else answers[: MOST_ANSWERS - 1]
    for answer in shown:
        name = answer.name if names.count(answer.name) == 1 else f"{answer.name} {short_id(answer.runs[0])}"
        name += f", {len(answer.seeds)} seeds" if answer.seeds else ""
        lifts = ", ".join(f"{lift.label} {lift.lift}" for lift in answer.lifts)
        words = f"{SYMBOLS[answer.outcome]} {answer.badge}: {name}, {lifts}"
        yield plain(textwrap.shorten(words, COLUMNS, placeholder=" …"), STYLES[answer.outcome])
    if len(answers) > len(shown):
        yield plain(f"… and {len(answers) - len(shown)} more: --verbose shows all", "dim")


def _say_best(ranking: Ranking) -> Text:
    names = [rival.name for rival in ranking.rivals]
    labels = {one.id: one.name if names.count(one.name) == 1 else short_id(one.id) for one in ranking.rivals}
    return plain(textwrap.shorten(say_best(ranking, labels), COLUMNS, placeholder=" …"))


# ------------------------------------------------------------------------------------------------------------ what next


def suggest_command(comparison: Comparison, answers: Sequence[Answer], runs: Path) -> str:
    """The command that comes next: it depends on the first answer that is not proven, or on the first one."""
    if not answers:
        return ""
    words = _next_words(comparison, _first_open(answers))
    return shlex.join([*words, *(["--runs", str(runs)] if runs != RUNS else [])])


def _first_open(answers: Sequence[Answer]) -> Answer:
    """The first answer that is not proven, else the first."""
    return next((one for one in answers if one.outcome != "verified"), answers[0])


def _next_words(comparison: Comparison, answer: Answer) -> list[str]:
    run = short_id(answer.runs[0])
    if answer.outcome == "verified":
        name = re.sub(r"[^A-Za-z0-9.]+", "-", f"{comparison.protocol.dataset}-{answer.name}")
        return ["bench", "promote", run, name.strip("-.")]
    ids = next((guard.ids for guard in _guards_of(comparison, answer) if guard.name == answer.next.guard), [])
    if ids:
        return ["bench", "show", run, ids[0]]
    return ["bench", "compare", short_id(comparison.baseline), run, "--verbose"]


def _guards_of(comparison: Comparison, answer: Answer) -> list[Guard]:
    results = [one for one in comparison.candidates if one.run in answer.runs]
    return results[0].verdict.guards


def short_id(run: str) -> str:
    """The part of a run's id by which commands find it."""
    return run.rpartition("-")[2]
