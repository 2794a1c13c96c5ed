"""Stretches of a text that are personal data: what every finder hands over, and how the next one is kept off them."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Kind = Literal["EMAIL", "PHONE", "CARD", "IBAN", "ADDRESS", "PERSON", "ORDER"]


class Span(Struct, frozen=True):
    """A stretch of a text that identifies somebody."""

    kind: Kind
    start: int
    end: int
    key: str
    """What makes two spans the same value: the e-mail address in lower case, a phone number without its prefix, …"""


COVER = "\ufffc"
"""What is found is covered by this before the next finder looks: no letter, no space, no punctuation."""


def cover(text: str, spans: list[tuple[int, int]]) -> str:
    """The text with some stretches covered, its length unchanged."""
    for start, end in spans:
        text = f"{text[:start]}{COVER * (end - start)}{text[end:]}"
    return text
