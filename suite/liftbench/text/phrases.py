"""How names and figures are said in sentences, the same in verdicts, reports and terminals."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..statistics.lift import Lift


def metric_label(metric: str) -> str:
    """A metric's name as people write it.

    >>> metric_label("rougeL"), metric_label("bertscore")
    ('ROUGE-L', 'bertscore')
    """
    return re.sub(r"^rouge(?=.)", "ROUGE-", metric)


GLOSSES = {
    "rouge1": "words shared with the human summaries",
    "rouge2": "pairs of words shared with the human summaries",
    "rougeL": "words shared, in order, with the human summaries",
    "rougeLsum": "words shared, in order, with the human summaries",
    "content-overlap": "telling words shared with the human summaries",
    "key-facts": "key facts told",
}
"""What a metric counts, for readers who do not know its name."""


def glossed(metric: str) -> str:
    """A metric's name with what it counts.

    >>> glossed("key-facts"), glossed("bertscore")
    ('key facts told (key-facts)', 'bertscore')
    """
    label = metric_label(metric)
    return f"{GLOSSES[metric]} ({label})" if metric in GLOSSES else label


def listed(words: Sequence[str], last: str = "and") -> str:
    """`one, two and three`."""
    return f"{', '.join(words[:-1])} {last} {words[-1]}" if len(words) > 1 else "".join(words)


def counted(count: int, singular: str, plural: str = "") -> str:
    """A number with its noun.

    >>> counted(1, "summary", "summaries"), counted(1200, "row")
    ('1 summary', '1,200 rows')
    """
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


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
