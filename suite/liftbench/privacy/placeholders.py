"""Placeholders: what they look like, which value has which, and the digests that stand for customers and ids."""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from typing import Literal

import regex

from ..text.spans import Kind, Span

# Without case, because cleaning writes speakers' names in lower case.
_NUMBERED = regex.compile(
    r"<(?P<kind>EMAIL|PHONE|CARD|IBAN|ADDRESS|PERSON|ORDER)_(?P<number>[0-9]{1,9})>", regex.IGNORECASE
)
_DIGEST = regex.compile(r"<(?:CUSTOMER|ID)_[0-9a-f]{16}>", regex.IGNORECASE)


def placeholders(text: str) -> list[tuple[int, int]]:
    """Where a text has placeholders of an earlier redaction."""
    return [match.span() for pattern in (_NUMBERED, _DIGEST) for match in pattern.finditer(text)]


def has_numbered(text: str) -> bool:
    """Whether a text has a placeholder that means something within its own conversation only."""
    return bool(_NUMBERED.search(text))


def is_digest(text: str) -> bool:
    """Whether a text is a digest already."""
    return bool(_DIGEST.fullmatch(text))


def keyed_digest(kind: Literal["CUSTOMER", "ID"], value: str, key: bytes) -> str:
    """A placeholder that equal values share in all conversations redacted with one key, and that none can guess."""
    return f"<{kind}_{hmac.digest(key, f'{kind} {value}'.encode(), hashlib.sha256).hex()[:16]}>"


class Register:
    """Which numbered placeholder a value of a conversation has."""

    def __init__(self) -> None:
        self._numbers: Counter[str] = Counter()
        self._placeholders: dict[tuple[Kind, str], str] = {}

    def skip(self, text: str) -> None:
        """Number on after the placeholders that a text has already."""
        for match in _NUMBERED.finditer(text):
            kind = match["kind"].upper()
            self._numbers[kind] = max(self._numbers[kind], int(match["number"]))

    def placeholder(self, span: Span) -> str:
        """The one that the span's value has, or a new one."""
        key = span.key
        if span.kind == "ADDRESS":
            # The street alone, with its town, and after the flat are one address.
            words = set(key.split())
            known = (known for kind, known in self._placeholders if kind == "ADDRESS")
            key = next((other for other in known if words <= set(other.split()) or words >= set(other.split())), key)
        if (span.kind, key) not in self._placeholders:
            self._numbers[span.kind] += 1
            self._placeholders[span.kind, key] = f"<{span.kind}_{self._numbers[span.kind]}>"
        return self._placeholders[span.kind, key]
