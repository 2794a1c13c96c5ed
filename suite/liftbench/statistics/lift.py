"""A lift: the relative gain of a candidate over a baseline on one metric, or the reason why there is none."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

FEWEST = 30
"""The fewest conversations (clusters, where the data have any) that verify a lift, and that a slice is judged on.

Intervals are widened for few units (see `bootstrap`), but widening does not correct skewness. On real scores the lower
bound, nominally wrong in 2.5% of experiments, is wrong in up to 3.8% of those with 30 conversations
(`baselines/interval-coverage.jsonl`) and in 5.8% of those with 20. Where 2%, 5% or 10% of the candidate's texts fail
and score 0, it is wrong in up to 3.7% of those with 30 and 3.2% of those with 110: a higher number would change little.

An interval cannot know of failures that did not occur in the sample: failures of 5% of all texts are absent from 21% of
samples of 30 conversations, and from 0.4% of samples of 110. Real scores vary enough for the interval to allow for
such failures; scores that hardly vary apart from the failures would not. The guards catch the failures that did occur.
"""


class Lift(Struct, frozen=True, kw_only=True, tag_field="kind", tag="lift"):
    """The gain of a candidate over a baseline on one metric, over the same conversations."""

    metric: str
    signature: str
    baseline: float
    candidate: float
    """Means over the shared conversations."""
    lift: float
    """(candidate - baseline) / baseline."""
    low: float | None
    high: float | None
    """Bounds of its interval (see `bootstrap`); None where the baseline's mean is too unstable to divide by."""
    level: float
    """Confidence level of the two-sided intervals."""
    difference: float
    """candidate - baseline."""
    difference_low: float
    difference_high: float
    surplus_low: float
    surplus_high: float
    """Bounds of the interval of candidate - (1 + target) * baseline, which decides where the ratio is not stable."""
    decides: Literal["ratio", "surplus"]
    """Which interval the target is judged by: that of the lift, or that of the surplus."""
    p: float
    """P-value of a two-sided paired randomization test: how often chance alone would make a difference this large."""
    p_holm: float | None = None
    """`p`, corrected for all metrics and candidates of a comparison (Holm); None for a metric without a better
    direction."""
    detectable: float
    """The smallest true lift that a measurement of this size would verify four times out of five."""
    needed: int | None
    """Conversations that would settle whether the target is reached in four cases out of five, if the true lift were
    the observed one; None where that cannot be computed."""
    n: int
    """Conversations."""
    units: int
    """Number of resampled units: clusters, or conversations where the data have no clusters."""
    method: str
    """How the interval was made, in words with its parameters."""


class NoLift(Struct, frozen=True, kw_only=True, tag_field="kind", tag="no lift"):
    """Why a candidate has no lift on a metric; nothing is judged on that metric, and nothing passes because of it."""

    metric: str
    signature: str
    reason: str
    n: int
    """Number of the candidate's conversations."""
    level: float
    """Confidence level of the interval that could not be made."""
    units: int = 0
    """Number of units that would have been resampled; 0 where that is not known."""
    baseline: float | None = None
    candidate: float | None = None
    """Means, where they exist."""

    def because(self, reason: str, **fields: Any) -> NoLift:
        """A copy with another reason, and with `fields` replaced."""
        return replace(self, reason=reason, **fields)


LiftResult = Lift | NoLift


def describe_gain(lift: LiftResult, target: float) -> str:
    """A lift with its interval: `+72% (+58% to +88%)`; `unknown` where there is no number.

    Where the ratio has no stable interval, the difference of the means is shown instead.
    """
    if isinstance(lift, NoLift):
        return "unknown"
    if lift.low is None or lift.high is None:
        return f"{lift.lift:+.0%} (difference {lift.difference_low:+.3f} to {lift.difference_high:+.3f})"
    digits = lift_digits(lift.lift, lift.low, lift.high, target)
    return f"{lift.lift:+.{digits}%} ({lift.low:+.{digits}%} to {lift.high:+.{digits}%})"


def lift_digits(lift: float, low: float, high: float, target: float) -> int:
    """The fewest decimals (0 to 2) at which a bound does not look like the target, nor a gain like zero."""
    for digits in (0, 1):
        shown = [round(100 * bound, digits) for bound in (low, high)]
        if round(100 * target, digits) not in shown and (round(100 * lift, digits) or not lift):
            return digits
    return 2
