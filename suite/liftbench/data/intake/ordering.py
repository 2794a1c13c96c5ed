"""Orders the messages of a conversation by their times, and by their places where times are equal or missing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

from .clocks import Clock, clock_for
from .columns import plain_name
from .names import MESSAGE_TIMES
from .tally import Tally
from .values import words

HALF_A_DAY = 43_200

Key = float | Fraction | None


class Direction:
    """Counts how often the times of neighbouring messages rise and fall."""

    def __init__(self) -> None:
        self.rises = 0
        self.falls = 0

    def add(self, times: Iterable[Key]) -> None:
        """Count the times of a conversation, in the order of its rows."""
        for before, after in pairwise(time for time in times if time is not None):
            self.rises += after > before
            self.falls += after < before

    def descends(self, usual: bool) -> bool:
        """Whether the newest messages come first; `usual` where the times do not tell."""
        if bool(self.rises) != bool(self.falls):
            return self.falls > 0
        return usual


def in_order(messages: Sequence[Mapping[str, Any]], tally: Tally) -> list[Mapping[str, Any]]:
    """A list of messages sorted by their own times, if all have one that can be read; else as it is."""
    key, place = _time_key(messages), f"row {tally.rows}"
    if key is None:
        return list(messages)
    written = [words(_value(message, key)) for message in messages]
    clock, doubt = clock_for(written)
    if doubt:
        tally.remark(f"lists of messages: {doubt}", place)
    times = [clock(time) for time in written]
    direction = Direction()
    direction.add(times)
    order = list(range(len(times)))
    if direction.descends(usual=False):
        order.reverse()
    if None in times:
        tally.remark(f"lists of messages with a missing or unreadable {key}, left in the order of the list", place)
    elif direction.falls and not (clock.dateless and direction.rises):
        order.sort(key=lambda number: times[number])  # type: ignore[arg-type,return-value]
    if order != list(range(len(times))):
        tally.remark("lists of messages that were not in the order of their times, sorted by them", place)
    return [messages[number] for number in order]


def _time_key(messages: Sequence[Mapping[str, Any]]) -> str | None:
    if len(messages) < 2:
        return None
    names = {plain_name(key): key for message in messages for key in message if isinstance(key, str)}
    found = [names[plain] for plain in MESSAGE_TIMES if plain in names]
    filled = [key for key in found if all(words(_value(message, key)) for message in messages)]
    return next(iter(filled), None) or next(
        (key for key in found if sum(bool(words(_value(message, key))) for message in messages) > 1), None
    )


def _value(message: Mapping[str, Any], key: str) -> Any:
    value = message.get(key)
    # MongoDB's export wraps times.
    return value.get("$date") if isinstance(value, Mapping) else value


def by_time(times: Sequence[Key], files: Sequence[str], clock: Clock, usual: Mapping[str, bool]) -> list[int] | None:
    """The order of messages, as their places, by times; None where a time is missing.

    Messages of equal time stay in the order of their rows, or in the opposite one in files whose newest rows come
    first (`usual` says that of each file, for conversations whose own times do not tell).
    """
    places = in_rows(times, files, usual)
    if any(time is None for time in times):
        return None
    if clock.dateless and all(
        before <= after or before - after > HALF_A_DAY  # type: ignore[operator]
        for before, after in pairwise(times[place] for place in places)
    ):
        # The time that falls that far is of the next day.
        return places
    if clock.counts and _restarts(times, files):
        order = list(dict.fromkeys(files))
        return sorted(places, key=lambda place: (order.index(files[place]), times[place]))
    return sorted(places, key=lambda place: times[place])  # type: ignore[arg-type,return-value]


def in_rows(times: Sequence[Key], files: Sequence[str], usual: Mapping[str, bool]) -> list[int]:
    """The order of messages as their rows have it, oldest first."""
    places: list[int] = []
    for file in dict.fromkeys(files):
        own = [place for place, other in enumerate(files) if other == file]
        direction = Direction()
        direction.add(times[place] for place in own)
        places += reversed(own) if direction.descends(usual.get(file, False)) else own
    return places


def _restarts(times: Sequence[Key], files: Sequence[str]) -> bool:
    """Whether numbers of messages begin again in each file: those of two files overlap."""
    ranges = []
    for file in dict.fromkeys(files):
        own = [time for time, other in zip(times, files, strict=True) if other == file and time is not None]
        ranges.append((min(own), max(own)))
    return any(after[0] <= before[1] for before, after in pairwise(sorted(ranges)))
