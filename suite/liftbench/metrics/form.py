"""The form of a summary: how much it copies from the conversation, in what passages, how short, how repetitive it is.

Coverage, density and compression follow Grusky, Naaman & Artzi 2018 (Newsroom, https://aclanthology.org/N18-1065). All
count words as `text.words` splits them. The words of all turns are joined, so a copied passage may run from one turn
into the next. None of these metrics says whether a summary is good.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain, pairwise
from typing import ClassVar

from ..records.conversation import Conversation, Turn
from ..records.run import Direction
from ..text.words import words, words_of_turns
from .base import Metric, MetricRequest

Tokens = tuple[str, ...]

TOKENS = "words:nfkc-casefold|unspaced:characters"


class Form(Metric):
    """A figure of a text and its conversation; it uses no reference and learns nothing."""

    definition: ClassVar[str]
    """The part of the signature between the name and the rule for words."""
    direction: Direction = "neither"
    sees = "form"

    def __init__(self, request: MetricRequest = MetricRequest()) -> None:  # noqa: ARG002, B008
        self.signature = f"{self.name}|{self.definition}|{TOKENS}"

    def score(self, texts: Sequence[str], conversations: Sequence[Conversation]) -> list[float | None]:
        """One value per text; None if the figure is undefined (a share of nothing)."""
        return [
            self.value(_words_of_text(text), _words_of_turns(one.turns))
            for text, one in zip(texts, conversations, strict=True)
        ]

    @abstractmethod
    def value(self, summary: Tokens, conversation: Tokens) -> float | None:
        """The figure for the words of a summary and of a conversation."""


class Coverage(Form):
    """Share of the summary's words that are in copied fragments, in [0, 1]; None for an empty text."""

    name = "coverage"
    definition = "newsroom"

    def value(self, summary: Tokens, conversation: Tokens) -> float | None:
        """Sum of the fragments' lengths, divided by the summary's."""
        return sum(fragments(summary, conversation)) / len(summary) if summary else None


class Density(Form):
    """Mean length of the copied fragment that a word is in (0 if in none), 0 or more; None for an empty text."""

    name = "density"
    definition = "newsroom"

    def value(self, summary: Tokens, conversation: Tokens) -> float | None:
        """Sum of the fragments' squared lengths, divided by the summary's length."""
        return sum(n * n for n in fragments(summary, conversation)) / len(summary) if summary else None


class Compression(Form):
    """Words of the conversation per word of the summary, 0 or more; None for an empty text."""

    name = "compression"
    definition = "newsroom"

    def value(self, summary: Tokens, conversation: Tokens) -> float | None:
        """The conversation's length divided by the summary's."""
        return len(conversation) / len(summary) if summary else None


class NovelBigrams(Form):
    """Share of the summary's bigrams that the conversation does not have, in [0, 1]; None for fewer than two words."""

    name = "novel-bigrams"
    definition = "of-all"

    def value(self, summary: Tokens, conversation: Tokens) -> float | None:
        """A repeated bigram counts each time."""
        bigrams = list(pairwise(summary))
        known = set(pairwise(conversation))
        return sum(bigram not in known for bigram in bigrams) / len(bigrams) if bigrams else None


class Repetition(Form):
    """Share of the summary's trigrams that repeat an earlier one, in [0, 1); 0.0 for fewer than four words.

    A text that loops comes near 1; human summaries are near 0.
    """

    name = "repetition"
    definition = "trigrams"
    direction = "lower"

    def value(self, summary: Tokens, conversation: Tokens) -> float:
        """Depends on the summary alone."""
        del conversation
        trigrams = list(zip(summary, summary[1:], summary[2:], strict=False))
        return 1 - len(set(trigrams)) / len(trigrams) if trigrams else 0.0


class Words(Form):
    """Length in words."""

    name = "words"
    definition = "count"

    def value(self, summary: Tokens, conversation: Tokens) -> float:
        """Depends on the summary alone."""
        del conversation
        return float(len(summary))


# Cached, because all figures of a text and its conversation are computed one after the other.
@lru_cache(maxsize=1 << 10)
def _words_of_text(text: str) -> Tokens:
    return tuple(words(text))


@lru_cache(maxsize=1 << 10)
def _words_of_turns(turns: tuple[Turn, ...]) -> Tokens:
    return tuple(chain.from_iterable(words_of_turns(turns)))


# Cached, because coverage and density need the same fragments.
@lru_cache(maxsize=1 << 12)
def fragments(summary: Tokens, conversation: Tokens) -> tuple[int, ...]:
    """Lengths of the summary's passages that are also in the conversation, in order: F(A, S) of the Newsroom paper.

    Greedy from the left: each fragment is the longest passage that begins there and occurs in the conversation.

    >>> fragments(("the", "parcel", "is", "late", "again"), ("where", "is", "the", "parcel", "is", "late"))
    (4,)
    """
    places = defaultdict(list)
    for place, word in enumerate(conversation):
        places[word].append(place)
    lengths = []
    start = 0
    while start < len(summary):
        longest = max(
            (_run(summary, start, conversation, place) for place in places.get(summary[start], ())), default=0
        )
        if longest:
            lengths.append(longest)
        start += max(longest, 1)
    return tuple(lengths)


def _run(summary: Tokens, start: int, conversation: Tokens, place: int) -> int:
    """The number of words that a summary from `start` and a conversation from `place` have in common."""
    longest = min(len(summary) - start, len(conversation) - place)
    for length in range(longest):
        if summary[start + length] != conversation[place + length]:
            return length
    return longest
