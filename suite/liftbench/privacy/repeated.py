"""Finds in one text the values that were found in other texts of the conversation, even without a cue or a capital."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import regex

from ..text.spans import Span, cover
from .identifiers import code_key

_PIECE = regex.compile(r"(?<![£$€.,]|\d[.,:/])\b[^\W_]+\b(?![.,:]\d|%)")
_PIECES = 8
"""The most groups of characters that a number or code is written in; an IBAN has up to eight."""


class Repeated:
    """The numbers, codes and addresses of a conversation, in all spellings that count as equal."""

    def __init__(self, found: Iterable[tuple[Span, str]]) -> None:
        """`found` has each span with the text that it covers."""
        self._codes: dict[str, Span] = {}
        self._addresses: dict[str, Span] = {}
        for span, written in found:
            if span.kind == "ADDRESS":
                self._addresses[span.key] = span
            elif span.kind != "EMAIL":
                spellings = (span.key, code_key(written), *([f"0{span.key}"] if span.kind == "PHONE" else []))
                self._codes |= dict.fromkeys(spellings, span)

    def codes(self, text: str) -> list[Span]:
        """The known numbers, codes and last digits of cards in a text, with any spacing."""
        if not self._codes:
            return []
        pieces = list(_PIECE.finditer(text))
        spans: list[Span] = []
        position = 0
        while position < len(pieces):
            span = self._code_at(text, pieces[position : position + _PIECES])
            if span is None:
                position += 1
                continue
            spans.append(span)
            while position < len(pieces) and pieces[position].start() < span.end:
                position += 1
        return spans

    def addresses(self, form: str) -> Iterator[Span]:
        """Two or more words of a known address in a row, also as alternatives (`oak|elm street`), in a fact's form."""
        for key, known in self._addresses.items():
            word = rf"\b(?:{'|'.join(map(regex.escape, key.split()))})\b"
            found = [match.span() for match in regex.finditer(rf"(?i){word}(?:[ ,|]+{word})+", form)]
            yield from (Span("ADDRESS", start, end, known.key) for start, end in found)
            form = cover(form, found)

    def _code_at(self, text: str, pieces: list[regex.Match[str]]) -> Span | None:
        beginning = pieces[0][0].upper()
        if not any(code.startswith(beginning) for code in self._codes):
            return None
        start = pieces[0].start()
        for last in reversed(pieces):
            written = text[start : last.end()]
            known = self._codes.get(code_key(written))
            if known and regex.fullmatch(r"[^\W_]+(?:[ /-][^\W_]+)*", written):
                return Span(known.kind, start, last.end(), known.key)
        return None
