"""A guard of a verdict: a condition without which a lift, however large, proves nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from msgspec import Struct

GuardState = Literal["passed", "failed", "undecided", "not run"]


class Guard(Struct, frozen=True, kw_only=True):
    """One condition of a verdict, checked."""

    name: str
    """Short name, used in the verdict: `controls`, `leakage`, …"""
    question: str
    """The guard's question, in words that a reader without statistics understands."""
    state: GuardState
    """Only `passed` supports a verdict: a guard that could not run has not passed."""
    words: str
    """What was found, with its figures."""
    fix: str = ""
    """What would settle it; empty where the guard passed."""
    brief: str = ""
    """What is wrong, as a clause that continues a sentence about the candidate: `it invents 4 times as many details as
    people do`. Empty where the guard passed."""
    figure: str = ""
    """The figure that the guard turns on, as short as it gets: `4 of 104`. Empty where there is none."""
    ids: list[str] = []
    """The conversations with what the guard looks for, whether it passed or not; empty where it is not about single
    ones."""


class Check(NamedTuple):
    """What a guard found."""

    state: GuardState
    words: str
    fix: str = ""
    brief: str = ""
    figure: str = ""
    ids: Sequence[str] = ()


SEEN_HERE = "Generate the texts through this suite (`bench score SYSTEM`)."

STATES: tuple[GuardState, ...] = ("failed", "not run", "undecided", "passed")
"""The states, worst first."""


def not_passed(guards: Sequence[Guard]) -> list[Guard]:
    """The guards that did not pass, worst first."""
    return sorted((guard for guard in guards if guard.state != "passed"), key=lambda guard: STATES.index(guard.state))
