"""Hashes of conversations: what a split is, and what an adapter has seen."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Literal

from ...files import digest
from ...records.conversation import Conversation
from ...records.training import TrainingRow
from ...text.words import words, words_of

SHINGLE_WORDS = 5
REFERENCE_WORDS = 8
SKETCH = 128
"""Hashes kept of a conversation's shingles: the Jaccard estimate of a bottom-k sketch is off by about 1/sqrt(k)."""


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
    tokens = words_of(conversation)
    references = {h for text in conversation.references for h in ngram_hashes(words(text), REFERENCE_WORDS)}
    return TrainingRow(
        id=conversation.id,
        part=part,
        sha256=words_sha256(tokens),
        shingles=sketch(tokens),
        reference_ngrams=sorted(references),
    )


def sketch(tokens: list[str]) -> list[int]:
    """The `SKETCH` smallest hashes of the words' shingles, rising; all of them where there are fewer."""
    return sorted(ngram_hashes(tokens, SHINGLE_WORDS))[:SKETCH]


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
