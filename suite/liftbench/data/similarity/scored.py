"""The scored conversations with their hashes, groups and languages, each computed once, when needed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import NamedTuple

from ...records.conversation import Conversation
from ...text.languages import languages_of
from ...text.transcript import transcript
from ...text.words import words, words_of
from .clusters import cluster_conversations
from .containment import ALIKE, Containment
from .duplicates import Groups, NearDuplicates
from .fingerprints import REFERENCE_WORDS, Fingerprint, fingerprint, fingerprint_words, ngram_hashes
from .novelty import Novelty


def find_clusters(conversations: Sequence[Conversation]) -> dict[str, str]:
    """`ScoredSplit.clusters`, in memory that does not hold the conversations' hashes longer than it must."""
    return cluster_conversations(conversations, _group(map(fingerprint, conversations)))


def _group(fingerprints: Iterable[Fingerprint]) -> Groups:
    duplicates = NearDuplicates()
    for one in fingerprints:
        duplicates.add(one)
    return duplicates.groups(duplicates.pairs())


class Repetition(NamedTuple):
    """A conversation that resembles an earlier one of its split, by their numbers."""

    number: int
    first: int
    likeness: float
    """In [ALIKE, 1]."""


class ScoredSplit:
    """Conversations that are scored; each has a number, from 0."""

    def __init__(self, conversations: Sequence[Conversation]) -> None:
        self.conversations = conversations

    @cached_property
    def fingerprints(self) -> list[Fingerprint]:
        return [fingerprint(one) for one in self.conversations]

    @cached_property
    def near_duplicates(self) -> Groups:
        """Groups of duplicates and near-duplicates."""
        return _group(self.fingerprints)

    @cached_property
    def clusters(self) -> dict[str, str]:
        """Id → the label of the unit that the conversation is resampled in."""
        return cluster_conversations(self.conversations, self.near_duplicates)

    @cached_property
    def novelty(self) -> Novelty:
        return Novelty(self.conversations)

    @cached_property
    def containment(self) -> Containment:
        return Containment(self.fingerprints)

    @cached_property
    def containment_as_shown(self) -> Containment:
        """The same for conversations as a prompt shows them, with speakers."""
        return Containment([fingerprint_words(words(transcript(one.turns))) for one in self.conversations])

    @cached_property
    def reference_words(self) -> list[list[list[str]]]:
        """For each conversation, the words of each reference."""
        return [[words(reference) for reference in one.references] for one in self.conversations]

    @cached_property
    def reference_ngrams(self) -> list[frozenset[int]]:
        """For each conversation, the word 8-grams of all references; of a shorter one, all its words."""
        return [
            frozenset().union(*(ngram_hashes(tokens, REFERENCE_WORDS) for tokens in references))
            for references in self.reference_words
        ]

    @cached_property
    def passages(self) -> list[list[set[int]]]:
        """For each conversation, the word 8-grams of turns, transcript and references that have at least 8 words."""
        return [
            [
                ngram_hashes(tokens, REFERENCE_WORDS)
                for tokens in (words_of(one), words(transcript(one.turns)), *references)
                if len(tokens) >= REFERENCE_WORDS
            ]
            for one, references in zip(self.conversations, self.reference_words, strict=True)
        ]

    @cached_property
    def languages(self) -> dict[str, tuple[str, ...]]:
        """Id → the languages that the conversation may be in; empty if none was detected."""
        return {one.id: languages_of(" ".join(turn.text for turn in one.turns)) for one in self.conversations}

    @cached_property
    def repetitions(self) -> list[Repetition]:
        """Conversations that resemble an earlier one of the split.

        A group of near-duplicates may be a chain whose ends have little in common, so a conversation is a repetition
        only of one that it resembles itself.
        """
        found = []
        for group in self.near_duplicates.all():
            firsts: list[int] = []
            for number in group if len(group) > 1 else ():
                shares = ((first, self._likeness(number, first)) for first in firsts)
                alike = next(((first, share) for first, share in shares if share >= ALIKE), None)
                if alike is None:
                    firsts.append(number)
                else:
                    found.append(Repetition(number, *alike))
        return found

    def _likeness(self, number: int, other: int) -> float:
        one, two = self.fingerprints[number].shingles, self.fingerprints[other].shingles
        return 1.0 if one == two else len(one & two) / min(len(one), len(two))
