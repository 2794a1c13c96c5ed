"""The details that a conversation supports, in the same readings as `mentions`, so that the two can be compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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
    """What the turns of a conversation support."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        texts = [turn.text for turn in turns]
        plain = [replace_number_words(text) for text in texts]
        self._tokens = {token for text in texts for token in map(fold, _TOKEN.findall(text))}
        self._stems = {stem for token in self._tokens for stem in stems(token)}
        self._joined = " ".join(map(alphanumeric, plain))
        self._readings = {reading for text in texts for reading in (*_numbers(text), *_spelled_numbers(text))}
        for text in plain:
            self._readings.update(_numbers(text), _times(text), _words(text))
            self._readings.update(calendar_key(match[0]) for match in _CALENDAR.finditer(text))
        self._dates = {day for text in plain for date in dates(text) for day in _days(date)}
        self._lone_days = {
            day for text in plain for match in _LONE_DAY.finditer(text) for day in readings(match["day"])
        }

    def supports(self, mention: Mention) -> bool:
        """Whether the turns have each part of a mention in one of its readings; of a date, day and month together."""
        if not self._readings.isdisjoint(frozenset.intersection(*mention.parts)):
            return True
        if mention.kind == "date" and (days := list(_days(mention))) and not any(map(self._has_day, days)):
            return False
        return all(any(self._holds(reading, mention) for reading in part) for part in mention.parts)

    def _has_day(self, date: tuple[str, str]) -> bool:
        """Whether day and month occur together, or the day without any month and the month elsewhere."""
        day, month = date
        return date in self._dates or (day in self._lone_days and month in self._readings)

    def _holds(self, reading: str, mention: Mention) -> bool:
        if reading in self._readings or (mention.kind in ("code", "name") and f"{reading}s" in self._tokens):
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


def _words(text: str) -> Iterator[str]:
    """The words of a text, runs of two and three words joined (`Play Station 4`), and parts of run-together words."""
    tokens = [fold(token) for token in _TOKEN.findall(text)]
    yield from tokens
    yield from map("".join, _runs(tokens, 2))
    yield from map("".join, _runs(tokens, 3))
    yield from map(fold, HUMP.findall(text))


def _runs(tokens: Sequence[str], length: int) -> Iterable[Sequence[str]]:
    return (tokens[start : start + length] for start in range(len(tokens) - length + 1))
