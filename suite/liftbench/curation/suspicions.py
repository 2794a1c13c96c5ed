"""Signs that something may be wrong with a cleaned conversation, for a person to check."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal

from ..records.conversation import Conversation
from ..text.words import words
from .exports import has_broken_characters, has_quoted_history, is_contained, is_training_row

Suspicion = Literal[
    "one turn",
    "one speaker",
    "other speakers",
    "short reference",
    "long reference",
    "placeholder reference",
    "copied reference",
    "contained reference",
    "training row",
    "quoted history",
    "broken characters",
    "reference in another script",
]

LEAST_WORDS = 4
"""A reference with fewer words can hardly say what the customer wanted and what was done."""

PLACEHOLDERS = frozenset(
    (
        *("n", "a", "na", "nan", "nil", "none", "null", "no", "not", "available", "unknown", "missing", "pending"),
        "yet",
        *("test", "tests", "testing", "todo", "tbd", "tba", "fixme", "wip", "x", "xx", "xxx", "abc", "asdf", "qwerty"),
        *("summary", "reference", "placeholder", "example", "sample", "dummy", "empty", "blank", "foo", "bar"),
        *("lorem", "ipsum", "dolor", "sit", "amet"),
    )
)
"""A reference that consists only of these words is a placeholder."""

_SCRIPTS = {
    "CJK": "Han, Hiragana, Katakana",
    "HIRAGANA": "Han, Hiragana, Katakana",
    "KATAKANA": "Han, Hiragana, Katakana",
}
"""First word of a letter's Unicode name → its script, if they differ. Japanese is written in all three scripts."""


def misread(conversation: Conversation) -> Iterator[Suspicion]:
    """The signs, in a conversation that is not cleaned, that its export was read as something that it is not."""
    if is_training_row(conversation):
        yield "training row"
    elif any(has_quoted_history(turn.text) for turn in conversation.turns):
        yield "quoted history"
    if any(map(has_broken_characters, (*(turn.text for turn in conversation.turns), *conversation.references))):
        yield "broken characters"


def suspicions(conversation: Conversation) -> Iterator[Suspicion]:
    """The suspicions about a cleaned conversation and about each of its references; one may occur several times."""
    speakers = {turn.role for turn in conversation.turns}
    if len(conversation.turns) == 1:
        yield "one turn"
    elif len(speakers) == 1:
        yield "one speaker"
    if speakers - {"customer", "agent"}:
        yield "other speakers"
    if not conversation.references:
        return
    turns = [words(turn.text) for turn in conversation.turns]
    length = sum(map(len, turns))
    script = main_script(" ".join(turn.text for turn in conversation.turns))
    for reference in conversation.references:
        summary = words(reference)
        if all(word in PLACEHOLDERS for word in summary):
            yield "placeholder reference"
        elif len(summary) < LEAST_WORDS:
            yield "short reference"
        elif summary in turns:
            yield "copied reference"
        elif is_contained(summary, turns):
            yield "contained reference"
        elif len(summary) > length:
            yield "long reference"
        if script and (main_script(reference) or script) != script:
            yield "reference in another script"


def main_script(text: str) -> str | None:
    """The script of most letters of a text (`Latin`, `Cyrillic`, …); None for a text without letters.

    >>> main_script("Где мой новый iPhone?"), main_script("42 €")
    ('Cyrillic', None)
    """
    if text.isascii():
        return "Latin" if any(map(str.isalpha, text)) else None
    counts = Counter(script for character in text if (script := _script(character)))
    return max(counts, key=lambda script: (counts[script], script)) if counts else None


@lru_cache(maxsize=1 << 14)
def _script(character: str) -> str | None:
    if not character.isalpha():
        return None
    name = unicodedata.name(unicodedata.normalize("NFKC", character)[0], "").partition(" ")[0]
    return _SCRIPTS.get(name, name.capitalize()) or None
