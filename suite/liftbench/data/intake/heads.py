"""Reads the head of a turn, `Ann Lee (Support): …`, and tells names from prose."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from msgspec import Struct

from .columns import plain_name
from .speakers import INTERNAL_NOTE, UNSPOKEN_HEADS
from .stamps import STAMP, is_time

_HEAD = re.compile(
    rf"(?>{STAMP}\s*(?:[-–—|]\s*)?)?+(?:[-–—•>]+\s+|\d{{1,4}}[.)]\s+)?+[*_]{{0,3}}+"
    rf"(?P<name>[^:：\n(\[*]{{1,80}}?)\s*(?:[(\[](?P<aside>[^)\]]{{0,60}})[)\]]|[,–—-]?\s(?P<time>(?>{STAMP})))?\s*[*_]{{0,3}}\s*"
    r"(?P<colon>[:：])(?!//)[*_]{0,3}\s*(?P<text>.*)",
    re.IGNORECASE | re.DOTALL,
)
_NO_NAME = re.compile(r"[?!;…\"“”„«»{}=]|\w{5,}\.\s|https?$")
_ROLE_WORDS = (
    *("agent", "customer", "client", "caller", "representative", "rep", "advisor", "adviser", "operator", "assistant"),
    *("support", "bot", "chatbot"),
)
"""Words at the end of a name that say its role, however many words it has."""
_VERBS = ("says", "said", "wrote", "writes")
_PHONE = re.compile(r"\+\d[\d\s.-]{6,20}")
INTERNAL_ASIDES = (*UNSPOKEN_HEADS, "internal", "internalonly", "note", "whisper", "intern")
"""What stands in brackets beside the name of an agent who writes to other agents."""
SHORT = 2
"""The most words of a short name."""


class Head(Struct, frozen=True):
    """The beginning of a turn: who speaks, what stands in brackets beside the name, and the words after the colon."""

    name: str
    aside: str
    text: str
    weak: bool = False
    """Whether the colon may be one of a time (`At 10:15`)."""
    is_timed: bool = False
    """Whether a time without brackets stands before the colon (`Ann 10:15: …`)."""

    @property
    def is_short(self) -> bool:
        """Whether the name begins a turn wherever it stands before a colon."""
        return len(self.name.split()) <= SHORT and not self.is_timed

    def speaker(self, known: Callable[[str], str | None]) -> str:
        """The name; if it has no role, what has one: the words in brackets, or its last word (`Service Agent`)."""
        if known(self.name) is None:
            last = self.name.split()[-1].strip(".").lower()
            without_verb = " ".join(self.name.split()[:-1]) if last in _VERBS else ""
            for other in (self.aside, without_verb, last if last in _ROLE_WORDS and not self.aside else ""):
                if other and known(other) in ("customer", "agent"):
                    return other
        return self.name


@lru_cache(maxsize=4096)
def read_head(line: str) -> Head | None:
    """The head of a turn at the beginning of a line, or None. Whether it is a speaker, other lines decide."""
    match = _HEAD.fullmatch(line) if ":" in line or "：" in line else None
    if match is None:
        return None
    name = match["name"].strip(" \t_*\u200e\u200f")
    # A name has a letter, so `12:30 is fine` does not begin a turn; nor does `10h15: …`.
    if not (any(map(str.isalpha, name)) or _PHONE.fullmatch(name)) or is_time(name) or _NO_NAME.search(name):
        return None
    start = match.start("colon")
    aside = (match["aside"] or "").strip()
    if plain_name(aside) in INTERNAL_ASIDES:
        # The agent does not speak to the customer in `Agent (internal note): …`.
        name = INTERNAL_NOTE
    weak = line[start - 1 : start].isdigit() and line[start + 1 : start + 2].isdigit()
    return Head(name, aside, match["text"], weak, match["time"] is not None)


def resembles_name(name: str) -> bool:
    """Whether the first and the last of a name's words begin with a capital, a digit, or a letter without case."""
    spelled = [word.lstrip("#@+'’\"-(") for word in name.split()]
    ends = [word[:1] for word in (spelled[0], spelled[-1])] if spelled else [""]
    return len(spelled) <= 8 and all(letter and (letter.isdigit() or letter == letter.upper()) for letter in ends)
