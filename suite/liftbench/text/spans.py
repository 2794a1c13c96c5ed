"""Stretches of a text that are personal data, and how they are hidden from the next finder."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Kind = Literal[
    "EMAIL",
    "PHONE",
    "CARD",
    "IBAN",
    "SSN",
    "BIRTHDATE",
    "ADDRESS",
    "IP",
    "PERSON",
    "USERNAME",
    "SECRET",
    "ORDER",
]


class Span(Struct, frozen=True):
    """A stretch of a text that identifies somebody."""

    kind: Kind
    start: int
    end: int
    key: str
    """Equal for spans with the same value: an e-mail address in lower case, a phone number without its prefix, …"""


COVER = "\ufffc"
"""Covers what is already found from the next finder. It is neither a letter nor a space nor punctuation."""


def cover(text: str, spans: list[tuple[int, int]]) -> str:
    """The text with each stretch (start, end) covered; its length does not change."""
    for start, end in spans:
        text = f"{text[:start]}{COVER * (end - start)}{text[end:]}"
    return text
