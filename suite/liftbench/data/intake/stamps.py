"""The times that stand beside the turns of a transcript, as chats, calls and captions write them."""

from __future__ import annotations

import re

_MONTH = r"(?:jan|feb|mar|mär|apr|may|mai|jun|jul|aug|sep|oct|okt|nov|dec|dez)[a-zä]{0,6}\.?"
_DAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6}\.?|today|yesterday|heute|gestern)"
_DATE = (
    rf"(?:{_DAY},?\s+)?(?:\d{{1,4}}[./-]\d{{1,2}}[./-]\d{{1,4}}\.?|{_MONTH}\s\d{{1,2}}(?:st|nd|rd|th)?(?:,?\s\d{{4}})?"
    rf"|\d{{1,2}}\.?\s{_MONTH}(?:,?\s\d{{4}})?)|{_DAY}"
)
_CLOCK = (
    r"\d{1,2}(?::\d{2}|h\d{2}|\.\d{2}(?=[\s.\])]))(?:[:.]\d{2})?(?:[.,]\d{1,6})?"
    r"(?:\s?[ap]\.?\s?m\b\.?)?(?:\s?(?:z|utc|gmt|uhr)\b)?(?:\s?[+-]\d{2}:?\d{2}\b)?"
)
_ELAPSED = r"(?:\d{1,2}h\s?)?(?:\d{1,3}m\s?)?\d{1,3}s\b|\d{1,2}h\s?\d{1,2}m\b"

STAMP = rf"[\[(]?\s*(?:(?:(?:{_DATE})[,t]?\s*(?:at\s|um\s|,\s|-\s)?\s*)?{_CLOCK}|{_ELAPSED})\s*[\])]?"
"""A time of day, with or without its date and brackets, or the time since the beginning."""
TIME_LINE = re.compile(rf"[-–—\s]*(?:{STAMP}|[\[(]?(?:{_DATE})[\])]?)[-–—\s]*", re.IGNORECASE)
"""A line that holds a time or a date, and nothing else."""
CUE = re.compile(
    r"\s*(?:\d{1,3}:)?\d{1,2}:\d{2}(?:[.,]\d{1,3})?\s*-->\s*(?:\d{1,3}:)?\d{1,2}:\d{2}(?:[.,]\d{1,3})?\b.*"
)
"""The line of a caption that says when it is shown, with its settings."""


_BEGINS = re.compile(STAMP, re.IGNORECASE)


_EDGE = re.compile(
    rf"[\[(]{STAMP}[\])]?\s+(?P<after>.*)|{STAMP}\s+[-–—|]\s+(?P<later>.*)|(?P<before>.*?)\s+[\[(]{STAMP}[\])]?",
    re.IGNORECASE | re.DOTALL,
)


def without_edge_time(text: str) -> str | None:
    """A text without the time in brackets at its beginning or end, or the one before a dash; None if it has none."""
    match = _EDGE.fullmatch(text)
    return next((part for part in match.groups() if part is not None), "") if match else None


def begins_with_time(line: str) -> bool:
    """Whether a line begins with a time."""
    return _BEGINS.match(line) is not None


def is_time(line: str) -> bool:
    """Whether a line holds a time or a date, and nothing else."""
    return any(map(str.isdigit, line)) and TIME_LINE.fullmatch(line) is not None
