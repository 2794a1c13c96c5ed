"""Decides which words of a summary are names, as learned from training conversations, with a gazetteer for the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import regex
from msgspec import Struct
from rapidfuzz.distance import OSA

from ..records.conversation import Conversation
from ..text.names import BRANDS, NEVER, PLACES, fold, gazetteer
from ..text.rouge_words import stems

ANNOTATORS = 3
"""A word is not a name but a word of summaries (`URL`) if it is in the references of at least this many conversations,
but not in the conversations themselves."""
SLIP = 0.75
"""A capitalized word with at least this likeness (1 - edits / length) to a speaker is the speaker, misspelt
(`Custoner`)."""

HUMP = regex.compile(r"\p{Lu}+(?!\p{Ll})|\p{Lu}?[\p{Ll}\p{Lo}\p{M}]+|\d+")
"""A part of a run-together word: `GWRHelp` has two parts."""
_WORD = regex.compile(r"\p{L}[\p{L}\p{M}]*")
_INNER_CAPITAL = regex.compile(r".+\p{Lu}")
_BEGINS = regex.compile(r"(?:^|[.!?:;\n\"“(•*]|\s[-–])\s*$")


def begins_sentence(text: str, position: int) -> bool:
    """Whether a capital at this position may be due to the beginning of a sentence."""
    return bool(_BEGINS.search(text[max(0, position - 4) : position]))


class Lexicon(Struct, frozen=True, kw_only=True):
    """Folded words, grouped by how the training conversations write them."""

    speakers: frozenset[str] = frozenset({"customer", "agent"})
    """The roles of the speakers in the data."""
    annotators: frozenset[str] = frozenset()
    """Words that only summaries use (see `ANNOTATORS`)."""
    lower: frozenset[str] = frozenset()
    """Words written without a capital as often as with one, or more often."""
    lower_stems: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    """Words written with a capital inside sentences more than once, and more often than without."""

    def is_name(self, written: str, position: int, text: str) -> bool:
        """Whether the word at a position of a text is a name, or part of one.

        Inside a sentence, a word with a capital is a name. At the beginning of a sentence, it is a name unless it is
        also known without a capital. Without a capital, it is a name only if training conversations write it with one.
        """
        word = fold(written)
        if word not in self.names and written.islower():
            return False
        if len(word) < 2 or word.replace("'", "") in NEVER or word in self.speakers or word in self.annotators:
            return False
        if written.islower():
            return len(word) > 3 and self.lower_stems.isdisjoint(stems(word))
        if word in self.names or _INNER_CAPITAL.match(written) or not begins_sentence(text, position):
            return True
        return not self._is_ordinary(word)

    def _is_ordinary(self, word: str) -> bool:
        if any(OSA.normalized_similarity(word, speaker) >= SLIP for speaker in self.speakers):
            return True
        if all(len(part) < 2 or part in self.lower or part in NEVER for part in _WORD.findall(word)):
            return True
        if word in PLACES or word in BRANDS:
            return False
        return gazetteer().is_vocabulary(word) or not self.lower_stems.isdisjoint(stems(word))


def learn(training: Iterable[Conversation]) -> Lexicon:
    """The lexicon of the turns and references of training conversations."""
    lower: Counter[str] = Counter()
    upper: Counter[str] = Counter()
    own: Counter[str] = Counter()
    speakers = {"customer", "agent"}
    for conversation in training:
        turns = " \n".join(turn.text for turn in conversation.turns)
        references = " \n".join(conversation.references)
        for text in (turns, references):
            small, capital = _count_capitals(text)
            lower.update(small)
            upper.update(capital)
        said = fold(turns)
        own.update({word for word in map(fold, _WORD.findall(references)) if word not in said})
        speakers |= {fold(turn.role) for turn in conversation.turns}
    mostly = frozenset(word for word, count in lower.items() if count >= upper[word])
    return Lexicon(
        speakers=frozenset(speakers),
        annotators=frozenset(word for word, count in own.items() if count >= ANNOTATORS),
        lower=mostly,
        lower_stems=frozenset(stem for word in mostly for stem in stems(word)),
        names=frozenset(word for word, count in upper.items() if count > 1) - mostly,
    )


def _count_capitals(text: str) -> tuple[Counter[str], Counter[str]]:
    """Counts of each folded word without a capital, and with one that is not due to the beginning of a sentence."""
    lower: Counter[str] = Counter()
    upper: Counter[str] = Counter()
    for match in _WORD.finditer(text):
        word = fold(match[0])
        if match[0].islower():
            lower[word] += 1
        elif _INNER_CAPITAL.match(match[0]):
            # In a handle such as `AmazonHelp`, the first part is the name.
            upper.update({word, fold(HUMP.findall(match[0])[0])})
        elif not begins_sentence(text, match.start()):
            upper[word] += 1
    return lower, upper
