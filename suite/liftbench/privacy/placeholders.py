"""Placeholders: their form, the register of a conversation's values, and the digests for customers and ids."""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from typing import Literal, get_args

import regex

from ..text.spans import Kind, Span

# Case is ignored, because cleaning writes the names of speakers in lower case.
_NUMBERED = regex.compile(rf"<(?P<kind>{'|'.join(get_args(Kind))})_(?P<number>[0-9]{{1,9}})>", regex.IGNORECASE)
_DIGEST = regex.compile(r"<(?:CUSTOMER|ID)_[0-9a-f]{16}>", regex.IGNORECASE)


def placeholders(text: str) -> list[tuple[int, int]]:
    """The placeholders of an earlier redaction in a text, as (start, end)."""
    return [match.span() for pattern in (_NUMBERED, _DIGEST) for match in pattern.finditer(text)]


def has_numbered(text: str) -> bool:
    """Whether a text has a numbered placeholder, which identifies a value only within one conversation."""
    return bool(_NUMBERED.search(text))


def is_digest(text: str) -> bool:
    """Whether the whole text is a digest."""
    return bool(_DIGEST.fullmatch(text))


def keyed_digest(kind: Literal["CUSTOMER", "ID"], value: str, key: bytes) -> str:
    """The digest of a value, equal in all conversations that are redacted with one key.

    Without the key, nobody can check a guess.
    """
    return f"<{kind}_{hmac.digest(key, f'{kind} {value}'.encode(), hashlib.sha256).hex()[:16]}>"


class Register:
    """The numbered placeholders of one conversation and the values that they stand for."""

    def __init__(self) -> None:
        self._numbers: Counter[str] = Counter()
        self._placeholders: dict[tuple[Kind, str], str] = {}

    def skip(self, text: str) -> None:
        """Continue the numbering after the placeholders that are already in a text."""
        for match in _NUMBERED.finditer(text):
            kind = match["kind"].upper()
            self._numbers[kind] = max(self._numbers[kind], int(match["number"]))

    def placeholder(self, span: Span) -> str:
        """The placeholder of the span's value; a new one if it has none yet."""
        key = span.key
        if span.kind == "ADDRESS":
            # The street alone, the street with its town and the street with a flat are one address.
            words = set(key.split())
            known = (known for kind, known in self._placeholders if kind == "ADDRESS")
            key = next((other for other in known if words <= set(other.split()) or words >= set(other.split())), key)
        if (span.kind, key) not in self._placeholders:
            self._numbers[span.kind] += 1
            self._placeholders[span.kind, key] = f"<{span.kind}_{self._numbers[span.kind]}>"
        return self._placeholders[span.kind, key]
