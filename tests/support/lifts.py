"""Lifts of which a test knows that there is a number."""

from __future__ import annotations

from liftbench.statistics.lift import Lift, NoLift


def as_lift(found: Lift | NoLift) -> Lift:
    """The lift. Fails where there is none, and says why."""
    assert isinstance(found, Lift), found.reason
    return found
