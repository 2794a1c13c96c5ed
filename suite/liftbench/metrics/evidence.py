"""The details that a conversation supports, in the same readings as `mentions`, so that the two can be compared."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import pairwise

import regex

from ..records.conversation import Turn
from ..text.names import fold
from ..text.numbers import (
    MONTH,
    NUMERAL,
    WEEKDAY,
    calendar_key,
    clock,
    find_number_words,
    readings,
    replace_number_words,
)
from ..text.rouge_words import stems
from .lexicon import HUMP
from .mentions import Mention, alphanumeric, dates, times

LEAST_LETTERS = 4
"""A shorter name or code must occur as a whole word, because its letters may be part of others by chance."""


class ConversationEvidence:
    """What the turns of a conversation support.

    Each kind of reading is collected when a mention first asks for it: most mentions are words that the turns have.
    """

    def __init__(self, turns: Sequence[Turn]) -> None:
        self._texts = [turn.text for turn in turns]

    @cached_property
    def _plain(self) -> list[str]:
        return [replace_number_words(text) for text in self._texts]

    @cached_property
    def _tokens(self) -> set[str]:
        return {token for text in self._texts for token in _tokenize(text)}

    @cached_property
    def _stems(self) -> set[str]:
        return {stem for token in self._tokens for stem in stems(token)}

    @cached_property
    def _joined(self) -> str:
        return " ".join(map(alphanumeric, self._plain))

    @cached_property
    def _plain_tokens(self) -> list[list[str]]:
        """The tokens of each turn, with digits instead of number words."""
        return [_tokenize(text) for text in self._plain]

    @cached_property
    def _words(self) -> set[str]:
        return {token for tokens in self._plain_tokens for token in tokens}

    @cached_property
    def _run_together(self) -> str:
        return "\n".join(map("".join, self._plain_tokens))

    @cached_property
    def _runs(self) -> set[str]:
        """Runs of two and three words, joined (`Play Station 4`)."""
        return {"".join(run) for tokens in self._plain_tokens for length in (2, 3) for run in _runs(tokens, length)}

    @cached_property
    def _humps(self) -> set[str]:
        """Parts of run-together words."""
        return {fold(part) for text in self._plain for part in HUMP.findall(text)}

    @cached_property
    def _figures(self) -> set[str]:
        found = {reading for text in self._texts for reading in (*_numbers(text), *_spelled_numbers(text))}
        return found.union(reading for text in self._plain for reading in _numbers(text))

    @cached_property
    def _times(self) -> set[str]:
        return {reading for text in self._plain for reading in _times(text)}

    @cached_property
    def _calendar(self) -> set[str]:
        return {calendar_key(match[0]) for text in self._plain for match in _CALENDAR.finditer(text)}

    @cached_property
    def _dates(self) -> set[tuple[str, str]]:
        return {day for text in self._plain for date in dates(text) for day in _days(date)}

    @cached_property
    def _lone_days(self) -> set[str]:
        return {day for text in self._plain for match in _LONE_DAY.finditer(text) for day in readings(match["day"])}

    def _has(self, reading: str) -> bool:
        """Whether the turns have a reading: of a calendar word, of a time, of a number, or a word."""
        if reading.startswith("~"):
            return reading in self._calendar
        if ":" in reading:
            return reading in self._times
        return (
            reading in self._words
            or (reading in self._run_together and reading in self._runs)
            or (reading[:1].isdigit() and reading in self._figures)
            or reading in self._humps
        )

    def supports(self, mention: Mention) -> bool:
        """Whether the turns have each part of a mention in one of its readings; of a date, day and month together."""
        if any(map(self._has, frozenset.intersection(*mention.parts))):
            return True
        if mention.kind == "date" and (days := list(_days(mention))) and not any(map(self._has_day, days)):
            return False
        return all(any(self._holds(reading, mention) for reading in part) for part in mention.parts)

    def _has_day(self, date: tuple[str, str]) -> bool:
        """Whether day and month occur together, or the day without any month and the month elsewhere."""
        day, month = date
        return date in self._dates or (day in self._lone_days and self._has(month))

    def _holds(self, reading: str, mention: Mention) -> bool:
        if self._has(reading) or (mention.kind in ("code", "name") and f"{reading}s" in self._tokens):
            return True
        if mention.kind == "number":
            # `1 hour` in a summary may be `an hour` in the conversation.
            return reading == "1"
        if mention.kind == "code":
            return len(reading) >= LEAST_LETTERS and reading in self._joined
        return mention.kind == "name" and (self._begins_or_ends(reading) or not self._stems.isdisjoint(stems(reading)))

    def _begins_or_ends(self, name: str) -> bool:
        if len(name) < LEAST_LETTERS:
            return False
        singular = name.removesuffix("s")
        return any(token.startswith(singular) or token.endswith(name) for token in self._tokens)


def _days(date: Mention) -> Iterator[tuple[str, str]]:
    """The pairs of day and month that a date can stand for."""
    every = frozenset[str]().union(*date.parts)
    months = [reading for reading in every if not reading.isdigit()]
    return ((day, month) for day in every.difference(months) if int(day) <= 31 for month in months)


# ------------------------------------------------------------------------------------------------- what a text holds

_FIGURE = regex.compile(rf"{NUMERAL}[kK]?")
_DIGITS = regex.compile(r"\d+")
_MONEY = regex.compile(r"(?i) (?:pounds?|dollars?|euros?)(?: and)? ")
_CALENDAR_WORD = rf"(?:{MONTH}|{WEEKDAY})\b"
_CALENDAR = regex.compile(
    rf"\b{_CALENDAR_WORD}|(?i:\b(?!(?:may|mar|march|sun|mon|wed)\b){_CALENDAR_WORD}"
    rf"|(?<=\b(?:in|since|until|till|of|last|next|by|from|early|late|mid|on|this) ){_CALENDAR_WORD}"
    rf"|(?<=\d(?:st|nd|rd|th)? ){_CALENDAR_WORD}|\b{_CALENDAR_WORD}(?= \d))"
)
"""Months and weekdays; without a capital only where they cannot be another word."""
_LONE_DAY = regex.compile(
    r"(?i)\b(?P<day>\d{1,2})(?:st|nd|rd|th)\b"
    r"|\b(?:the|on|by|before|until|till|from|to|and|or) (?P<day>\d{1,2})\b(?! ?[\p{L}%:£$€])"
)
_LONE_HOUR = regex.compile(
    r"(?i)(?:\b(?:at|by|before|after|until|till?|from|to|past|between|and|around|about|or|since|for|the)|[-–])"
    r" ?(?P<hour>\d{1,2})\b(?! ?(?:%|[.,:]\d|(?:days?|hours?|hrs?|min(?:ute)?s?|weeks?|months?|years?|times)\b))"
)
_BARE_TIME = regex.compile(r"(?<![\d,])(?P<hour>\d{1,2})[.:]?(?P<minute>[0-5]\d)(?!\d)(?<!\b\d00)")
"""`0815`, `913` and `9.13`, not `600`."""
_TOKEN = regex.compile(r"[^\W_]+")
_ASCII_TOKEN = re.compile("[a-z0-9]+")


def _numbers(text: str) -> Iterator[str]:
    for figure in (*_FIGURE.findall(text), *_DIGITS.findall(text)):
        yield from readings(figure)


def _spelled_numbers(text: str) -> Iterator[str]:
    runs = list(find_number_words(text))
    for run in runs:
        yield from map(str, run.values)
    for pounds, pence in pairwise(runs):
        if _MONEY.fullmatch(text, pounds.end, pence.start):
            yield f"{pounds.digits}{pence.digits}"


def _times(text: str) -> Iterator[str]:
    for time in times(text):
        yield from time.parts[0]
    for match in _LONE_HOUR.finditer(text):
        yield from clock(int(match["hour"]), 0)
    for match in _BARE_TIME.finditer(text):
        yield from clock(int(match["hour"]), int(match["minute"]))


def _tokenize(text: str) -> list[str]:
    if text.isascii():
        return _ASCII_TOKEN.findall(text.lower())
    return [fold(token) for token in _TOKEN.findall(text)]


def _runs(tokens: Sequence[str], length: int) -> Iterable[Sequence[str]]:
    return (tokens[start : start + length] for start in range(len(tokens) - length + 1))
