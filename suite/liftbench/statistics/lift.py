"""A lift: the relative gain of a candidate over a baseline, with its interval."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

# ------------------------------------------------------------------------------------------------------- comparisons


class Lift(Struct, frozen=True, kw_only=True):
    """The gain of a candidate over a baseline on one metric, over the same conversations."""

    metric: str
    signature: str
    baseline: float | None
    candidate: float | None
    """Means over the shared conversations."""
    lift: float | None
    """(candidate - baseline) / baseline; None where it cannot be had."""
    low: float | None
    high: float | None
    """Bounds of its interval (see `stats`); None where the baseline's mean is too unstable to divide by."""
    level: float = 0.95
    """Of the intervals, two-sided."""
    difference: float | None = None
    """candidate - baseline."""
    difference_low: float | None = None
    difference_high: float | None = None
    surplus_low: float | None = None
    surplus_high: float | None = None
    """Bounds of the interval of candidate - (1 + target) * baseline: what decides where no ratio is stable."""
    decides: Literal["ratio", "surplus"] = "ratio"
    """Which of the intervals the target is judged by: that of the lift, or that of the surplus."""
    p: float | None = None
    """Of a two-sided paired randomization test: how often chance alone would make so large a difference."""
    p_holm: float | None = None
    """The same, corrected for all metrics and candidates of a comparison (Holm)."""
    detectable: float | None = None
    """The least true lift that a measurement of this size would verify four times out of five."""
    needed: int | None = None
    """Conversations that would settle in four cases out of five whether the target is reached, were the lift the
    observed one; None where that cannot be said."""
    n: int
    """Conversations."""
    units: int = 0
    """What was resampled: as many clusters, or conversations where the data have no clusters."""
    method: str
    """How the interval was made, in words with its parameters."""
    problem: str = ""
    """Why there is no number, if there is none."""


def gain(lift: Lift, target: float) -> str:
    """A lift with its interval: `+72% (+58% to +88%)`; `unknown` where there is no number.

    Where the ratio has no stable interval, the difference of the means stands in.
    """
    if lift.lift is None:
        return "unknown"
    if lift.low is None or lift.high is None:
        if lift.difference_low is None or lift.difference_high is None:
            return f"{lift.lift:+.0%} (no interval)"
        return f"{lift.lift:+.0%} (difference {lift.difference_low:+.3f} to {lift.difference_high:+.3f})"
    digits = lift_digits(lift.lift, lift.low, lift.high, target)
    return f"{lift.lift:+.{digits}%} ({lift.low:+.{digits}%} to {lift.high:+.{digits}%})"


def lift_digits(lift: float, low: float, high: float, target: float) -> int:
    """The fewest decimals (0 to 2) at which no bound looks like the target and no gain like none."""
    for digits in (0, 1):
        shown = [round(100 * bound, digits) for bound in (low, high)]
        if round(100 * target, digits) not in shown and (round(100 * lift, digits) or not lift):
            return digits
    return 2
