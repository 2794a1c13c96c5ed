"""The times of messages as exports write them, made comparable."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import cache, lru_cache
from itertools import product
from math import isfinite
from typing import Literal, NamedTuple

from .values import shape

Unit = Literal["day", "minute", "exact"]
"""How exactly a time is known: dates have no clock, many exports have no seconds."""

OTHER_DATES = (
    *("%d.%m.%Y", "%d.%m.%y", "%Y/%m/%d", "%Y.%m.%d", "%Y-%m-%d", "%d %b %Y", "%b %d %Y", "%d %B %Y", "%B %d %Y"),
    *("%d-%b-%Y", "%d-%b-%y", "%d/%b/%Y", "%d %b %y", "%Y%m%d"),
)
DAYS_FIRST = ("%d/%m/%Y", "%d/%m/%y", "%d-%m-%Y", "%d-%m-%y")
MONTHS_FIRST = ("%m/%d/%Y", "%m/%d/%y", "%m-%d-%Y", "%m-%d-%y")
CLOCKS = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", ":%H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
ONLY_CLOCKS = ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p")
DATELESS = "times without a date"
SECONDS_A_DAY = 86_400
EPOCH = (631_152_000, 4_102_444_800)
"""The seconds since 1970 that are taken for times: 1990 to 2100."""
EXCEL_DAYS = (30_000, 60_000)
"""The day numbers of Excel that are taken for dates: 1982 to 2064."""
EXCEL_1970 = 25_569
ZONES = {
    **{"Z": 0, "UTC": 0, "GMT": 0, "WET": 0, "BST": 1, "CET": 1, "WEST": 1, "CEST": 2, "EET": 2, "EEST": 3, "MSK": 3},
    **{"EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7, "IST": 5.5, "JST": 9},
    **{"AEST": 10, "AEDT": 11},
}
"""Names of time zones as help desks write them → hours ahead of UTC."""

_ZONE = re.compile(
    r"(?P<time>.*\d:\d\d(?::\d\d(?:\.\d+)?)?(?:\s[AP]M)?)\s*"
    r"(?:(?P<name>[A-Z]{1,4})?\s*(?:(?P<sign>[+-])(?P<hours>\d{1,2}):?(?P<minutes>\d\d)?)?)(?:\s*\([^)]*\))?$"
)
_WEEKDAY = re.compile(r"^(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?\s+", re.IGNORECASE)
_HALF_DAY = re.compile(r"(?<=\d)\s*([ap])\.?\s?m\b\.?", re.IGNORECASE)
_AMBIGUOUS = re.compile(r"(\d{1,2})([/-])(\d{1,2})\2\d{2,4}\b")
_TWITTER = re.compile(r"^([A-Z][a-z]{2} \d\d?) (\d\d:\d\d:\d\d) ([+-]\d{4}) (\d{4})$")


class Moment(NamedTuple):
    """A time that was read."""

    seconds: float | Fraction
    """Since 1970, or a number to sort by."""
    form: str
    """How it is written, for people."""
    unit: Unit
    zoned: bool | None = None
    """Whether it names its time zone; None for a number."""
    pattern: str = ""
    """The format that reads it as it is, for the next time of the column; empty if another may come first."""


class Clock:
    """Turns the times of a column into numbers to sort by; None for a time that it cannot read.

    It is made from samples, which decide what cannot be known from one time: whether the day or the month comes first,
    and whether numbers are times. Each time is read as it is written, so formats may be mixed.
    """

    def __init__(self, samples: Iterable[str]) -> None:
        seen = [time for time in samples if time]
        self.doubts: list[str] = []
        self._pattern = ""
        self._months_first = self._order_of_day_and_month(seen)
        self._numbers: Literal["epoch", "raw", "mixed"] = "mixed"
        self.dateless = True
        """Whether no time has a date, so that midnight may come between any two."""
        moments = [moment for time in seen if (moment := self.moment(time)) is not None]
        self.dateless = bool(moments) and all(moment.form == DATELESS for moment in moments)
        moments = [moment for moment in moments if self.dateless or moment.form != DATELESS]
        if numbers := [number for time in seen if (number := _number(time)) is not None]:
            words = len(moments) - sum(moment.zoned is None for moment in moments)
            scaled = all(_is_epoch(number) for number in numbers)
            self._numbers = "mixed" if words else "epoch" if scaled else "raw"
            moments = [moment for time in seen if (moment := self.moment(time)) is not None]
        self.unit: Unit = next(
            (unit for unit in ("exact", "minute", "day") if any(moment.unit == unit for moment in moments)), "exact"
        )
        self._forms: dict[tuple[str, bool], Moment] = {}
        self._told = set(_mixtures(moments))
        self.doubts += sorted(self._told)

    def __call__(self, time: str) -> float | Fraction | None:
        moment = self.moment(time)
        if moment is None:
            return None
        self._forms.setdefault((moment.form, moment.zoned is not False), moment)
        return moment.seconds

    @property
    def late_doubts(self) -> list[str]:
        """What is in doubt by the times that were read since, if the samples did not show it."""
        return [] if self._told else list(_mixtures(list(self._forms.values())))

    @property
    def counts(self) -> bool:
        """Whether the times are numbers of messages, which may begin again in every file."""
        return self._numbers == "raw"

    def moment(self, time: str) -> Moment | None:
        """A time, with how it is written; None if it cannot be read."""
        moment = self._moment(time)
        return None if moment is not None and moment.form == DATELESS and not self.dateless else moment

    def _moment(self, time: str) -> Moment | None:
        if self._pattern and (moment := _read_pattern(time, self._pattern)) is not None:
            return moment
        number = _number(time)
        if number is None:
            # Numbers of messages cannot be compared with times.
            moment = None if self._numbers == "raw" else _read(time, self._months_first)
            self._pattern = moment.pattern if moment is not None else self._pattern
            return moment
        if self._numbers == "raw":
            day = number.is_integer() and (EXCEL_DAYS[0] <= number <= EXCEL_DAYS[1] or _is_compact_date(time))
            return Moment(_exactly(time, number), "numbers", "day" if day else "exact")
        if _is_epoch(number):
            seconds, unit_name = _scale(number)
            if time.isdecimal() and len(time) > len("1736071200000"):
                # Floats would make nanoseconds equal.
                return Moment(Fraction(int(time), _PARTS[unit_name]), f"{unit_name} since 1970", "exact")
            return Moment(seconds, f"{unit_name} since 1970", _unit_of_seconds(seconds))
        if self._numbers == "mixed" and _is_compact_date(time):
            return _read(time, self._months_first)
        if self._numbers == "mixed" and EXCEL_DAYS[0] <= number <= EXCEL_DAYS[1]:
            seconds = (number - EXCEL_1970) * SECONDS_A_DAY
            return Moment(seconds, "Excel's day numbers", _unit_of_seconds(round(seconds)), None)
        return Moment(number, "numbers", "exact") if self._numbers == "epoch" else None

    def _order_of_day_and_month(self, times: list[str]) -> bool:
        """Whether the month comes first in dates such as 3/4/2025; a doubt is noted."""
        pairs = [(int(found[1]), int(found[3]), time) for time in times if (found := _AMBIGUOUS.match(time))]
        days = sum(first > 12 for first, _, _ in pairs)
        months = sum(second > 12 for _, second, _ in pairs)
        # A 12-hour clock is American, so its date probably is, too.
        american = any(_HALF_DAY.search(time) for _, _, time in pairs)
        months_first = months > days or (american and not days)
        read = (_read(time, False) for time in times if not _AMBIGUOUS.match(time))
        others = sorted(moment.seconds for moment in read if moment is not None)
        if pairs and others and not days and not months:
            middle = others[len(others) // 2]
            months_first = min((False, True), key=lambda first: _distance((time for *_, time in pairs), first, middle))
        order = "month/day" if months_first else "day/month"
        if pairs and days and months:
            self.doubts.append(f"dates with the day first and with the month first; where both fit, as {order}")
        elif pairs and not days and not months and any(first != second for first, second, _ in pairs):
            self.doubts.append(f"dates such as {pairs[0][2]} were read as {order}, and could be the other way round")
        return months_first


def clock_for(times: Iterable[str]) -> tuple[Clock, str | None]:
    """The clock for a column with such times, and what is in doubt, else None."""
    clock = Clock(times)
    return clock, "; ".join(clock.doubts) or None


def _distance(times: Iterable[str], months_first: bool, middle: float | Fraction) -> float:
    """How far times are from the middle of the other times of their column, all together, in seconds."""
    moments = (_read(time, months_first) for time in times)
    return sum(abs(float(moment.seconds - middle)) for moment in moments if moment is not None)


def _mixtures(moments: list[Moment]) -> Iterator[str]:
    forms = Counter(moment.form for moment in moments)
    if len(forms) > 1:
        yield f"times in several formats, each read as it is written: {', '.join(forms)}"
    zoned = Counter(moment.zoned is not False for moment in moments)
    if len(zoned) > 1:
        yield "times with and without a time zone; those without one were read as UTC"


# --------------------------------------------------------------------------------------------------------- numbers


def _number(time: str) -> float | None:
    try:
        value = float(time)
    except ValueError:
        return None
    return value if isfinite(value) else None


def _exactly(time: str, number: float) -> float:
    # Floats would round the numbers of tweets, for instance.
    return int(time) if abs(number) >= 2**53 and time.isdecimal() else number


_PARTS = {"nanoseconds": 10**9, "microseconds": 10**6, "milliseconds": 10**3, "seconds": 1}


def _scale(number: float) -> tuple[float, str]:
    """Seconds since 1970, from seconds, milli-, micro- or nanoseconds."""
    name = "seconds"
    for size, larger in ((1e11, "milliseconds"), (1e14, "microseconds"), (1e17, "nanoseconds")):
        name = larger if number >= size else name
    return number / _PARTS[name], name


def _is_epoch(number: float) -> bool:
    return EPOCH[0] <= _scale(number)[0] <= EPOCH[1]


def _is_compact_date(time: str) -> bool:
    return bool(re.fullmatch(r"(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])", time))


def _unit_of_seconds(seconds: float) -> Unit:
    return "exact" if seconds % 60 else "minute" if seconds % SECONDS_A_DAY else "day"


# ----------------------------------------------------------------------------------------------------------- words


@lru_cache(maxsize=4096)
def _read(time: str, months_first: bool) -> Moment | None:
    """A time in ISO 8601 or in one of the formats; a date alone, or midnight, has no clock."""
    for text in (time, time.removesuffix(" UTC")):
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            continue
        return _moment(moment, "ISO 8601", zoned=moment.tzinfo is not None or text != time)
    text = _HALF_DAY.sub(lambda found: f" {found[1].upper()}M", " ".join(time.replace(",", " ").split()))
    text = _TWITTER.sub(r"\1 \4 \2 \3", _WEEKDAY.sub("", text.replace(" at ", " ")))
    text, offset = _split_zone(text)
    patterns = _FORMATS[months_first].get(shape(text), [])
    for place, pattern in enumerate(patterns):
        try:
            moment = datetime.strptime(text, pattern)
        except ValueError:
            continue
        found = _moment(moment - timedelta(hours=offset or 0), _form(pattern), offset is not None, clock=moment)
        # A year of four digits is nothing else.
        alone = text == time and all(other.startswith("%Y") for other in patterns[:place])
        return found._replace(pattern=pattern if alone else "")
    return None


def _read_pattern(time: str, pattern: str) -> Moment | None:
    try:
        return _moment(datetime.strptime(time, pattern), _form(pattern), False)._replace(pattern=pattern)
    except ValueError:
        return None


def _split_zone(text: str) -> tuple[str, float | None]:
    """A time without its zone, and the zone's hours ahead of UTC; None if it names none that is known."""
    found = _ZONE.match(text)
    if not found or not (found["name"] or found["sign"]):
        return text, None
    if found["name"] and found["name"] not in ZONES:
        return text, None
    hours = float(ZONES[found["name"]]) if found["name"] else 0.0
    if found["sign"]:
        hours = (int(found["hours"]) + int(found["minutes"] or 0) / 60) * (-1 if found["sign"] == "-" else 1)
    return found["time"], hours


def _moment(moment: datetime, form: str, zoned: bool, clock: datetime | None = None) -> Moment:
    shown = clock or moment
    unit: Unit = "exact" if shown.second or shown.microsecond else "minute" if shown.hour or shown.minute else "day"
    # Times without a zone are compared with each other; UTC, so that a clock change does not reorder them.
    return Moment((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp(), form, unit, zoned)


@cache
def _form(pattern: str) -> str:
    if pattern in ONLY_CLOCKS:
        return DATELESS
    if pattern.startswith(("%Y-%m-%d", "%Y%m%d")):
        return "ISO 8601"
    names = {"d": "day", "m": "month", "b": "month", "B": "month", "Y": "year", "y": "year"}
    date, _, clock = pattern.partition(" ") if "% " not in pattern else (pattern, "", "")
    written = re.sub(r"%([dmbBYy])", lambda found: names[found[1]], pattern)
    return re.sub(r"[ :]?%[HIMSfp].*", "", written) or f"{date}{clock}"


def _formats(*dates: str) -> dict[str, list[str]]:
    """Formats by the shape of the times that they may fit, so that few are tried for a time."""
    example = datetime(2025, 10, 11, 10, 11, 12, 131415)
    found: dict[str, list[str]] = {}
    for pattern in (*map("".join, product(dates, CLOCKS)), *ONLY_CLOCKS):
        found.setdefault(shape(example.strftime(pattern)), []).append(pattern)
    return found


_FORMATS = {
    False: _formats(*OTHER_DATES, *DAYS_FIRST, *MONTHS_FIRST),
    True: _formats(*OTHER_DATES, *MONTHS_FIRST, *DAYS_FIRST),
}
