"""Duplicates among many conversations: equal ones by hash, nearly equal ones by MinHash.

Two conversations resemble each other as far as they share word 5-grams: their resemblance is the Jaccard index of the
two sets (Broder 1997, *On the resemblance and containment of documents*). MinHash signatures and locality-sensitive
hashing find the pairs worth looking at (Leskovec, Rajaraman and Ullman, *Mining of Massive Datasets*, chapter 3), whose
hashed 5-grams are then compared. Memory holds these and no text: about a kilobyte for a conversation of 100 words.
"""

from __future__ import annotations

import random
from array import array
from collections.abc import Iterable, Iterator, Set

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from .fingerprints import Fingerprint

NEAR = 0.6
"""The least resemblance of near-duplicates. Of 60 words, one may change (0.84), or two (0.70)."""

WORTH_COMPARING = 0.5
"""The least estimate by signatures, whose standard error is 0.043 at `NEAR`."""

LEAST_SHINGLES = 20
"""A conversation with fewer has only exact duplicates. One changed word already takes two of them below `NEAR`; what
short conversations share beyond that is a greeting or a canned reply, which would chain strangers into one group."""

HASHES = 128
ROWS = 4
BANDS = HASHES // ROWS
"""A pair is looked at if it agrees in all 4 hashes of any of the 32 bands: 98.8% of the pairs are at a resemblance of
0.6, and 99.98% at 0.7."""

LARGE = 256
"""Conversations that agree in a band, above which they must agree in the next band too. So many only share a canned
greeting; looking at all their pairs would take time by the square of them."""

MOST_SHINGLES = 2048
"""Hashes kept of a longer conversation, the least ones: the resemblance is then estimated, within 0.011."""

_SHINGLES_AT_ONCE = 4096
_random = random.Random(1997)
# Multiply-shift hashing (Dietzfelbinger and others 1997): the high half of a * x + b, with a odd, modulo 2**64.
_FACTORS = np.array([_random.getrandbits(64) | 1 for _ in range(HASHES)], dtype=np.uint64)
_SHIFTS = np.array([_random.getrandbits(64) for _ in range(HASHES)], dtype=np.uint64)
_BAND_FACTORS = np.array([_random.getrandbits(64) | 1 for _ in range(ROWS)], dtype=np.uint64)


class NearPair(Struct, frozen=True):
    """Two conversations, by their numbers."""

    first: int
    second: int
    resemblance: float
    """In [NEAR, 1]."""


class Groups:
    """Disjoint groups of the numbers 0 to n - 1, each by itself at first."""

    def __init__(self, n: int) -> None:
        self.labels = np.arange(n)
        """Number → one of the numbers in its group, the same for all of them."""
        self._members: dict[int, list[int]] = {}

    def join(self, first: int, second: int) -> None:
        """Make one group of two numbers' groups."""
        one, other = int(self.labels[first]), int(self.labels[second])
        if one == other:
            return
        # The smaller group is relabelled, so that joining all n numbers takes n log n steps.
        moved, kept = sorted((self._members.pop(one, [one]), self._members.pop(other, [other])), key=len)
        label = int(self.labels[kept[0]])
        self.labels[moved] = label
        kept.extend(moved)
        self._members[label] = kept

    def all(self) -> list[list[int]]:
        """Every group, its numbers rising, by its smallest number."""
        found: dict[int, list[int]] = {}
        for number, label in enumerate(self.labels.tolist()):
            found.setdefault(label, []).append(number)
        return list(found.values())


class NearDuplicates:
    """Takes conversations one after the other, numbered from 0, and then says which of them are alike.

    What is found depends on the conversations alone, not on their order.
    """

    def __init__(self) -> None:
        self.originals = array("q")
        """Number → number of the first conversation with the same words: its own, unless it is an exact duplicate."""
        self._seen: dict[bytes, int] = {}
        self._numbers = array("q")
        self._signatures = bytearray()
        self._shingles = bytearray()
        self._ends = array("q", [0])

    def add(self, conversation: Fingerprint) -> int:
        """Take a conversation in, by its fingerprint; returns its number."""
        number = len(self.originals)
        original = self._seen.setdefault(bytes.fromhex(conversation.sha256), number)
        self.originals.append(original)
        if original != number:
            return number
        shingles = conversation.shingles
        if len(shingles) >= LEAST_SHINGLES:
            self._numbers.append(number)
            self._signatures += signature(shingles).tobytes()
            # The high half of 63 bits: small enough to keep, and strangers hardly ever share one.
            kept = [shingle >> 31 for shingle in sorted(shingles)[:MOST_SHINGLES]]
            self._shingles += np.array(kept, dtype=np.uint32).tobytes()
            self._ends.append(len(self._shingles) // 4)
        return number

    def pairs(self) -> list[NearPair]:
        """Near-duplicates that are not exact ones: enough pairs to join every group, not all pairs within it."""
        signatures = np.frombuffer(self._signatures, dtype=np.uint32).reshape(-1, HASHES)
        groups = Groups(len(signatures))
        found: list[NearPair] = []
        for band in range(BANDS):
            for bucket in _buckets_of(band, signatures):
                for first, second in _worth_comparing(bucket, signatures, groups):
                    resemblance = self._resemblance(first, second)
                    if resemblance >= NEAR:
                        groups.join(first, second)
                        found.append(NearPair(self._numbers[first], self._numbers[second], resemblance))
        return found

    def _resemblance(self, first: int, second: int) -> float:
        """The Jaccard index of two sets of shingles; of longer ones, by the least hashes of their union (Broder)."""
        one, other = (
            np.frombuffer(self._shingles, np.uint32, self._ends[i + 1] - self._ends[i], 4 * self._ends[i])
            for i in (first, second)
        )
        union = np.union1d(one, other)[:MOST_SHINGLES]
        return float(np.isin(union, np.intersect1d(one, other, assume_unique=True)).mean())

    def groups(self, pairs: Iterable[NearPair]) -> Groups:
        """All conversations, joined where they are exact duplicates or one of these pairs."""
        groups = Groups(len(self.originals))
        for number, original in enumerate(self.originals):
            groups.join(original, number)
        for pair in pairs:
            groups.join(pair.first, pair.second)
        return groups


def signature(shingles: Set[int]) -> NDArray[np.uint32]:
    """The least hash of a set of shingles under each of `HASHES` hash functions."""
    values = np.fromiter(shingles, dtype=np.uint64, count=len(shingles))
    least = np.full(HASHES, np.iinfo(np.uint32).max, dtype=np.uint32)
    # In blocks, so that an endless conversation takes no more memory than another.
    for start in range(0, len(values), _SHINGLES_AT_ONCE):
        hashed = (values[start : start + _SHINGLES_AT_ONCE, None] * _FACTORS + _SHIFTS) >> np.uint64(32)
        np.minimum(least, hashed.min(axis=0).astype(np.uint32), out=least)
    return least


def _buckets_of(band: int, signatures: NDArray[np.uint32]) -> Iterator[NDArray[np.int64]]:
    """Numbers of signatures that agree in a band, and where too many do, in the next one too."""
    for bucket in _alike(signatures, band):
        if len(bucket) <= LARGE:
            yield bucket
        else:
            for smaller in _alike(signatures[bucket], (band + 1) % BANDS):
                yield bucket[smaller]


def _alike(signatures: NDArray[np.uint32], band: int) -> Iterator[NDArray[np.int64]]:
    """Rows that agree in a band, two or more at a time."""
    # Different rows may get one key, by chance: that costs a comparison, and finds nothing wrong.
    keys = (signatures[:, band * ROWS : (band + 1) * ROWS] * _BAND_FACTORS).sum(axis=1)
    order = np.argsort(keys, kind="stable")
    edges = np.flatnonzero(np.diff(keys[order])) + 1
    starts = np.concatenate(([0], edges))
    ends = np.concatenate((edges, [len(keys)]))
    shared = ends - starts > 1
    for start, end in zip(starts[shared], ends[shared], strict=True):
        yield order[start:end]


def _worth_comparing(
    bucket: NDArray[np.int64], signatures: NDArray[np.uint32], groups: Groups
) -> Iterator[tuple[int, int]]:
    """The pairs of a bucket that look near, except where a group holds both already."""
    for place, first in enumerate(bucket.tolist()):
        others = bucket[place + 1 :]
        others = others[groups.labels[others] != groups.labels[first]]
        if not len(others):
            continue
        estimates = (signatures[others] == signatures[first]).mean(axis=1)
        for second in others[estimates >= WORTH_COMPARING].tolist():
            if groups.labels[second] != groups.labels[first]:
                yield first, second
