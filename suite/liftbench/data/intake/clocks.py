"""The times of messages as exports write them, made comparable."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import product
from math import isfinite

Clock = Callable[[str], float | None]
"""Turns a time into a number to sort by; None for a time that it cannot read."""

DAYS_FIRST = ("%d/%m/%Y", "%d/%m/%y", "%m/%d/%Y", "%m/%d/%y")
MONTHS_FIRST = ("%m/%d/%Y", "%m/%d/%y", "%d/%m/%Y", "%d/%m/%y")
OTHER_DATES = (
    "%d.%m.%Y",
    "%d.%m.%y",
    "%d-%m-%Y",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%d %b %Y",
    "%b %d %Y",
    "%d %B %Y",
    "%B %d %Y",
)
FORMATS = (
    *map(" ".join, product((*OTHER_DATES, *DAYS_FIRST), ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f"))),
    # A 12-hour clock is American, so its date probably is, too.
    *map(" ".join, product((*OTHER_DATES, *MONTHS_FIRST), ("%I:%M %p", "%I:%M:%S %p"))),
    *(*OTHER_DATES, *DAYS_FIRST),
    "%a %b %d %H:%M:%S %z %Y",  # Twitter's
    "%a %d %b %Y %H:%M:%S %z",  # e-mail's
    "%d/%b/%Y:%H:%M:%S %z",
)
"""Formats, in the order in which they are tried, after numbers and ISO 8601; commas are removed from times first."""


def clock_for(times: Iterable[str]) -> tuple[Clock, str | None]:
    """The clock that reads most of a column's times, and a note where the format is ambiguous, else None.

    Seconds since 1970 and message numbers are both numbers, so one clock reads both.
    """
    seen = list(times)
    clocks: list[Clock] = [_number, _iso, *(_clock_for_format(pattern) for pattern in FORMATS)]
    best = max(clocks, key=lambda clock: sum(clock(time) is not None for time in seen))
    return best, _doubt(seen) if best not in (_number, _iso) else None


def _doubt(times: list[str]) -> str | None:
    # Day and month are ambiguous if no time has a number above 12 in either place.
    heads = [re.match(r"(\d{1,2})/(\d{1,2})/", time) for time in times]
    if not heads or not all(head and int(head[1]) <= 12 and int(head[2]) <= 12 for head in heads):
        return None
    order = "month/day" if re.search(r"[ap]m", times[0], re.IGNORECASE) else "day/month"
    return f"dates such as {times[0]} were read as {order}, and could be the other way round"


def _number(time: str) -> float | None:
    try:
        value = float(time)
    except ValueError:
        return None
    return value if isfinite(value) else None


def _iso(time: str) -> float | None:
    for text in (time, time.removesuffix(" UTC")):
        try:
            return _seconds(datetime.fromisoformat(text))
        except ValueError:
            continue
    return None


def _clock_for_format(pattern: str) -> Clock:
    def read(time: str) -> float | None:
        try:
            return _seconds(datetime.strptime(" ".join(time.replace(",", " ").split()), pattern))
        except ValueError:
            return None

    return read


def _seconds(moment: datetime) -> float:
    # Times without a zone are compared with each other; UTC, so that a clock change does not reorder them.
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
