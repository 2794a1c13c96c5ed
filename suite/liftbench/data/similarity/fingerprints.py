"""Hashes of conversations, which identify a split and record what an adapter has seen."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Literal, NamedTuple

from ...files import canonical_json, digest
from ...records.conversation import Conversation
from ...records.training import TrainingRow
from ...text.words import words, words_of

SHINGLE_WORDS = 5
REFERENCE_WORDS = 8
SKETCH = 128
"""The number of hashes in a sketch: the Jaccard estimate of a bottom-k sketch has an error of about 1/sqrt(k)."""


class Fingerprint(NamedTuple):
    """The hashes by which conversations are compared."""

    sha256: str
    """Hash of the words: equal for conversations that differ only in case, punctuation or white space."""
    shingles: frozenset[int]
    """Hashes of the word 5-grams."""

    @property
    def sketch(self) -> list[int]:
        """The `SKETCH` smallest shingles in rising order, or all if there are fewer."""
        return sorted(self.shingles)[:SKETCH]


def fingerprint(conversation: Conversation) -> Fingerprint:
    """The fingerprint of the words of all turns."""
    return fingerprint_words(words_of(conversation))


def fingerprint_words(tokens: list[str]) -> Fingerprint:
    """The fingerprint of a list of words."""
    return Fingerprint(words_sha256(tokens), frozenset(ngrams(tokens, SHINGLE_WORDS)))


def conversation_sha256(conversation: Conversation) -> str:
    """Hash of the turns' words: equal for conversations that differ only in case, punctuation or white space."""
    return words_sha256(words_of(conversation))


def words_sha256(tokens: list[str]) -> str:
    """Hash of a list of words."""
    return hashlib.sha256(" ".join(tokens).encode()).hexdigest()


def split_fingerprint(conversations: Iterable[Conversation], cleaning: str) -> str:
    """Hash of a split: order, ids, turns, references, metadata, and the version of the cleaning."""
    # The canonical JSON of `digest(list(conversations), cleaning)`, one conversation at a time.
    total = hashlib.sha256(b"[[")
    for number, one in enumerate(conversations):
        total.update((b"," if number else b"") + canonical_json(one))
    total.update(b"]," + canonical_json(cleaning) + b"]")
    return total.hexdigest()


def ids_sha256(ids: Iterable[str]) -> str:
    """Hash of a set of ids."""
    return digest(sorted(ids))


def training_row(conversation: Conversation, part: Literal["train", "validation"]) -> TrainingRow:
    """What a check for leaks needs to know about a training conversation, without its text."""
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
    """Hashes of all n-grams of words, in [0, 2**63); for fewer than `n` words, the hash of all of them."""
    return set(ngrams(tokens, n))


def ngrams(tokens: list[str], n: int) -> list[int]:
    """The same hashes as a list, one for each position of an n-gram."""
    encoded = [token.encode() for token in tokens]
    length = max(1, min(n, len(encoded)))
    joined = map(b" ".join, zip(*(encoded[start:] for start in range(length)), strict=False))
    # 63 bits, so that any JSON reader can hold them in a signed integer.
    return [int.from_bytes(hashlib.blake2b(ngram, digest_size=8).digest()) >> 1 for ngram in joined]
