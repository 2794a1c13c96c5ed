"""A guard of a verdict: a condition without which a lift, however large, proves nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from msgspec import Struct

GuardState = Literal["passed", "failed", "undecided", "not run"]


class Guard(Struct, frozen=True, kw_only=True):
    """One condition of a verdict, checked."""

    name: str
    """Short name, for rules and programs: `controls`, `leakage`, …"""
    label: str = ""
    """What was found, in two or three plain words for people: `cut off`, or `summaries complete` where it passed."""
    question: str
    """The guard's question, in words that a reader without statistics understands."""
    state: GuardState
    """Only `passed` supports a verdict: a guard that could not run has not passed."""
    words: str
    """What was found, with its figures."""
    fix: str = ""
    """What would settle it; empty where the guard passed."""
    step: str = ""
    """The first thing to do, as a sentence that fits into a line: the beginning of `fix`. Empty where that is short."""
    brief: str = ""
    """What is wrong, as a clause that continues a sentence about the candidate: `it invents 4 times as many details as
    people do`. Empty where the guard passed."""
    figure: str = ""
    """The figure that the guard turns on, with its limit: `4 of 104 (limit 2%)`. Empty where there is none."""
    ids: list[str] = []
    """The conversations with what the guard looks for, whether it passed or not; empty where it is not about single
    ones."""

    @property
    def title(self) -> str:
        """The label, with the name that rules use: `cut off (endings)`."""
        return f"{self.label} ({self.name})" if self.label else self.name


class Check(NamedTuple):
    """What a guard found."""

    state: GuardState
    words: str
    fix: str = ""
    brief: str = ""
    figure: str = ""
    ids: Sequence[str] = ()
    step: str = ""
    """What to do first; `fix` goes on from there."""
    label: str = ""
    """What was found, where the kind's own words are not it."""


SEEN_HERE = "Generate the texts through this suite (`bench score SYSTEM`)."

STATES: tuple[GuardState, ...] = ("failed", "not run", "undecided", "passed")
"""The states, worst first."""


def not_passed(guards: Sequence[Guard]) -> list[Guard]:
    """The guards that did not pass, worst first."""
    return sorted((guard for guard in guards if guard.state != "passed"), key=lambda guard: STATES.index(guard.state))
