"""How numbers are written in reports: on the page and in the terminal alike."""

from __future__ import annotations

import math

from ..records.run import Usage
from ..statistics.lift import Lift, LiftResult, NoLift, lift_digits
from ..text.phrases import exact_duration, percent, pluralize

UNKNOWN = "unknown"


def format_score(value: float | None) -> str:
    """A metric's value on its own scale.

    >>> format_score(0.35042), format_score(None)
    ('0.350', 'unknown')
    """
    return UNKNOWN if _missing(value) else f"{value:.3f}"


def format_score_interval(low: float | None, high: float | None) -> str:
    """`0.331 to 0.370`."""
    return UNKNOWN if _missing(low) or _missing(high) else f"{low:.3f} to {high:.3f}"


def format_difference(value: float | None) -> str:
    """A difference of two scores, with its sign.

    >>> format_difference(0.1204), format_difference(-0.00001)
    ('+0.120', '0.000')
    """
    if value is None or _missing(value):
        return UNKNOWN
    return f"{value:+.3f}" if round(value, 3) else "0.000"


def format_difference_interval(low: float | None, high: float | None) -> str:
    """`+0.125 to +0.166`."""
    return UNKNOWN if _missing(low) or _missing(high) else f"{format_difference(low)} to {format_difference(high)}"


def describe_chance(p: float | None) -> str:
    """How often something happens by chance alone, in words.

    >>> describe_chance(0.034), describe_chance(0.0024), describe_chance(0.0001), describe_chance(1.0)
    ('3 times in 100', '2 times in 1,000', 'less than once in 1,000 times', '100 times in 100')
    """
    if p is None or _missing(p):
        return UNKNOWN
    if p < 0.001:
        return "less than once in 1,000 times"
    of = 1000 if p < 0.01 else 100
    return f"{pluralize(round(of * p), 'time')} in {of:,}"


def format_lift(judged: LiftResult, goal: float) -> str:
    """`+72%`: with as many decimals as it takes to tell its bounds from the target."""
    return UNKNOWN if isinstance(judged, NoLift) else f"{judged.lift:+.{_digits(judged, goal)}%}"


def format_lift_interval(judged: LiftResult, goal: float) -> str:
    """`+58% to +88%`; the interval of the difference where no ratio is stable."""
    if isinstance(judged, NoLift):
        return UNKNOWN
    if judged.decides == "surplus":
        return f"of the difference {format_difference_interval(judged.difference_low, judged.difference_high)}"
    if judged.low is None or judged.high is None:
        return UNKNOWN
    digits = _digits(judged, goal)
    return f"{judged.low:+.{digits}%} to {judged.high:+.{digits}%}"


def format_share(value: float | None) -> str:
    """A share of the human-to-floor range.

    >>> format_share(0.354), format_share(-0.004), format_share(None)
    ('35%', '0%', '–')
    """
    return "–" if value is None or _missing(value) else f"{round(100 * value):d}%"


def format_position(value: float | None) -> str:
    """A position between floor (0) and ceiling (1).

    >>> format_position(0.716), format_position(-0.2)
    ('0.72', '-0.20')
    """
    return UNKNOWN if value is None or _missing(value) else f"{value:.2f}"


def format_target(value: float) -> str:
    """The lift to reach.

    >>> format_target(0.4), format_target(0.125)
    ('+40%', '+12.5%')
    """
    return f"{'-' if value < 0 else '+'}{percent(abs(value))}"


def describe_level(judged: LiftResult) -> str:
    """The interval's level: `95% interval`; it rises with the number of candidates."""
    return f"{percent(judged.level)} interval"


def format_count(value: int | None) -> str:
    """`160,000`."""
    return UNKNOWN if value is None else f"{value:,}"


def format_duration(seconds: float | None) -> str:
    """Wall time.

    >>> format_duration(7.25), format_duration(600), format_duration(3725)
    ('7.2 s', '10 min', '1 h 2 min')
    """
    if seconds is None or _missing(seconds):
        return UNKNOWN
    return f"{seconds:.1f} s" if round(seconds, 1) < 10 else exact_duration(seconds)


def format_bytes(count_of_bytes: int | None) -> str:
    """Memory in decimal gigabytes: `4.3 GB`."""
    return UNKNOWN if count_of_bytes is None else f"{count_of_bytes / 1e9:.1f} GB"


def format_size(count_of_bytes: int) -> str:
    """What files take on the disk, in decimal units.

    >>> format_size(812), format_size(52_400), format_size(25_900_000), format_size(3_850_000_000)
    ('812 B', '52 kB', '26 MB', '3.9 GB')
    """
    if count_of_bytes < 1000:
        return f"{count_of_bytes} B"
    if count_of_bytes < 999_500:
        return f"{count_of_bytes / 1e3:.0f} kB"
    return f"{count_of_bytes / 1e6:.0f} MB" if count_of_bytes < 999_500_000 else f"{count_of_bytes / 1e9:.1f} GB"


def format_speed(tokens: int | None, seconds: float | None) -> str:
    """`245 tokens/s`."""
    return f"{tokens / seconds:,.0f} tokens/s" if tokens and seconds else UNKNOWN


def _missing(value: float | None) -> bool:
    return value is None or not math.isfinite(value)


def _digits(judged: Lift, goal: float) -> int:
    if judged.low is None or judged.high is None:
        return 0
    return lift_digits(judged.lift, judged.low, judged.high, goal)


def format_usage(usage: Usage) -> str:
    """The tokens that a server was asked for, and their cost: `12,345 tokens of prompts and 678 new ones, cost 0.21 …`.

    The cost is in the currency of the prices.
    """
    told = f"{usage.prompt_tokens:,} tokens of prompts and {usage.new_tokens:,} new ones"
    if usage.not_believed:
        answers = pluralize(usage.not_believed, "answer")
        told += f" (those of {answers} counted here: the server's numbers do not fit the texts)"
    if usage.cost is None:
        return told
    return f"{told}, cost {usage.cost:.4g} ({usage.price_in:g} and {usage.price_out:g} a million)"
