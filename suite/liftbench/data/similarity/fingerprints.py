"""Hashes of conversations: what a split is, and what an adapter has seen."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Literal, NamedTuple

from ...files import digest
from ...records.conversation import Conversation
from ...records.training import TrainingRow
from ...text.words import words, words_of

SHINGLE_WORDS = 5
REFERENCE_WORDS = 8
SKETCH = 128
"""Hashes kept of a conversation's shingles: the Jaccard estimate of a bottom-k sketch is off by about 1/sqrt(k)."""


class Fingerprint(NamedTuple):
    """What likeness to a conversation is told from: its words are split and hashed once."""

    sha256: str
    """Of its words: equal for conversations that differ only in case, punctuation or white space."""
    shingles: frozenset[int]
    """Hashes of its word 5-grams."""

    @property
    def sketch(self) -> list[int]:
        """The `SKETCH` smallest shingles, rising; all of them where there are fewer."""
        return sorted(self.shingles)[:SKETCH]


def fingerprint(conversation: Conversation) -> Fingerprint:
    """Of the words of all turns."""
    return fingerprint_words(words_of(conversation))


def fingerprint_words(tokens: list[str]) -> Fingerprint:
    """Of some words, in their order."""
    return Fingerprint(words_sha256(tokens), frozenset(ngrams(tokens, SHINGLE_WORDS)))


def conversation_sha256(conversation: Conversation) -> str:
    """Hash of the turns' words: equal for conversations that differ only in case, punctuation or white space."""
    return words_sha256(words_of(conversation))


def words_sha256(tokens: list[str]) -> str:
    """Hash of some words, in their order."""
    return hashlib.sha256(" ".join(tokens).encode()).hexdigest()


def split_fingerprint(conversations: Iterable[Conversation], cleaning: str) -> str:
    """Hash of a split as it is: order, ids, turns, references and metadata, and the version of what cleaned it."""
    return digest(list(conversations), cleaning)


def ids_sha256(ids: Iterable[str]) -> str:
    """Hash of a set of ids."""
    return digest(sorted(ids))


def training_row(conversation: Conversation, part: Literal["train", "validation"]) -> TrainingRow:
    """What a leakage check needs to know of a training conversation, without its text."""
    known = fingerprint(conversation)
    references = {h for text in conversation.references for h in ngram_hashes(words(text), REFERENCE_WORDS)}
    return TrainingRow(
        id=conversation.id,
        part=part,
        sha256=known.sha256,
        shingles=known.sketch,
        reference_ngrams=sorted(references),
    )


def ngram_hashes(tokens: list[str], n: int) -> set[int]:
    """Hashes of the runs of `n` words, in [0, 2**63); of fewer words, the hash of them all."""
    return set(ngrams(tokens, n))


def ngrams(tokens: list[str], n: int) -> list[int]:
    """The same hashes, one for each place where a run begins."""
    # 63 bits, so that any JSON reader can hold them in a signed integer.
    return [
        int.from_bytes(hashlib.blake2b(" ".join(tokens[i : i + n]).encode(), digest_size=8).digest()) >> 1
        for i in range(max(len(tokens) - n + 1, min(len(tokens), 1)))
    ]
