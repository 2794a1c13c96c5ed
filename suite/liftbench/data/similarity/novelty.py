"""How much of a text is new: the share of its word bigrams that its conversation does not have.

The metric `novel-bigrams`, for the texts of many systems: a conversation is split into words once.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from ...records.conversation import Conversation
from ...text.words import words, words_of


class Novelty:
    """The bigrams of conversations; each is known by its number, from 0."""

    def __init__(self, conversations: Sequence[Conversation]) -> None:
        self._conversations = conversations
        # Hashes, sorted: a set of the bigrams themselves would take ten times the memory.
        self._known = [np.unique(_bigrams(words_of(one))) for one in conversations]

    def share(self, number: int, text: str) -> float:
        """Of a text of one conversation, in [0, 1]; 0.0 for fewer than two words, which say nothing of their own."""
        bigrams, known = _bigrams(words(text)), self._known[number]
        if not bigrams.size or not known.size:
            return float(bigrams.size > 0)
        # A bigram stands where it would have to be put in, if it is there; `np.isin` takes ten times as long.
        nearest = known[np.minimum(np.searchsorted(known, bigrams), known.size - 1)]
        return float((nearest != bigrams).mean())

    def shares(self, texts: Sequence[str]) -> list[float]:
        """Of one text for each conversation, in their order."""
        if len(texts) != len(self._known):
            raise ValueError(f"{len(texts)} texts for {len(self._known)} conversations")
        return [self.share(number, text) for number, text in enumerate(texts)]

    @cached_property
    def humans(self) -> list[float | None]:
        """Of each conversation the mean over its references; None where there is none."""
        return [
            fmean(self.share(number, text) for text in one.references) if one.references else None
            for number, one in enumerate(self._conversations)
        ]


def _bigrams(tokens: list[str]) -> NDArray[np.int64]:
    # Python's own hashes differ from process to process, and none of them leaves this one.
    return np.fromiter(map(hash, pairwise(tokens)), dtype=np.int64)
