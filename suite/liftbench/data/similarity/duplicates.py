"""Duplicates among many conversations: exact ones by hash, near-duplicates by MinHash.

The resemblance of two conversations is the Jaccard index of their sets of word 5-grams (Broder 1997, *On the
resemblance and containment of documents*), except those that many conversations share (see `boilerplate`). MinHash
signatures and locality-sensitive hashing find the pairs worth comparing (Leskovec, Rajaraman and Ullman, *Mining of
Massive Datasets*, chapter 3); then their hashed 5-grams are compared. Memory holds hashes, not texts: about a kilobyte
for a conversation of 100 words.
"""

from __future__ import annotations

import random
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Set
from itertools import chain, combinations, pairwise

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from .boilerplate import LEAST_COMMON, SPARE, differ_by_a_word, most_holders
from .fingerprints import Fingerprint

NEAR = 0.6
"""The least resemblance of near-duplicates. With 60 words, one changed word leaves 0.84, two leave 0.70."""

WORTH_COMPARING = 0.5
"""The least resemblance, as estimated from signatures, of a pair that is compared; the estimate's standard error is
0.043 at `NEAR`."""

LEAST_SHINGLES = 20
"""A conversation with fewer 5-grams has only exact duplicates. One changed word already takes two such conversations
below `NEAR`; apart from exact duplicates, short conversations share only a greeting or a canned reply, which would
chain unrelated ones into one group."""

HASHES = 128
ROWS = 4
BANDS = HASHES // ROWS
"""A pair is examined if it agrees in all 4 hashes of any of the 32 bands: that holds for 98.8% of the pairs with a
resemblance of 0.6, and for 99.98% with 0.7."""

LARGE = 256
"""If more conversations than this agree in a band, they must agree in the next band too. Groups as large as this only
share a canned greeting, and comparing all their pairs would take quadratic time."""

FEWEST_HOLDERS = 6
"""A 5-gram is never boilerplate if no more conversations than this have it."""

MOST_SHINGLES = 2048
"""The number of hashes kept of a longer conversation, the smallest ones. Its resemblance is an estimate, within
0.011."""

MOST_COMPARED = 2048
"""Of conversations with hardly a 5-gram of their own, no more are compared in pairs; of the others, those with the same
boilerplate are. All pairs would take quadratic time."""

_SHINGLES_AT_ONCE = 4096
_COMPARED_AT_ONCE = 1 << 18
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
    """Disjoint groups of the numbers 0 to n - 1; at first each number is its own group."""

    def __init__(self, n: int) -> None:
        self.labels = np.arange(n)
        """Number → the label of its group: one of the numbers in it."""
        self._members: dict[int, list[int]] = {}

    def join(self, first: int, second: int) -> None:
        """Merge the groups of two numbers."""
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
        """All groups, sorted by their smallest numbers; the numbers in a group rise."""
        found: dict[int, list[int]] = {}
        for number, label in enumerate(self.labels.tolist()):
            found.setdefault(label, []).append(number)
        return list(found.values())


class NearDuplicates:
    """Collects conversations, numbered from 0 in the order of `add`, and finds duplicates and near-duplicates.

    The result does not depend on the order of the conversations.
    """

    def __init__(self) -> None:
        self.originals = array("q")
        """Number → number of the first conversation with the same words (its own, unless it is an exact duplicate)."""
        self._seen: dict[bytes, int] = {}
        self._numbers = array("q")
        self._signatures = bytearray()
        self._shingles = bytearray()
        self._ends = array("q", [0])
        self.with_boilerplate = 0
        """How many conversations have boilerplate; known after `pairs`."""

    def add(self, conversation: Fingerprint) -> int:
        """Add a conversation by its fingerprint; returns its number."""
        number = len(self.originals)
        original = self._seen.setdefault(bytes.fromhex(conversation.sha256), number)
        self.originals.append(original)
        if original != number:
            return number
        shingles = conversation.shingles
        if len(shingles) >= LEAST_SHINGLES:
            self._numbers.append(number)
            # The high half of the 63 bits saves memory, and unrelated conversations hardly ever share one.
            hashes = np.fromiter(shingles, dtype=np.uint64, count=len(shingles))
            hashes.sort()
            halves = (hashes >> np.uint64(31)).astype(np.uint32)
            self._signatures += signature(halves).tobytes()
            self._shingles += halves[:MOST_SHINGLES].tobytes()
            self._ends.append(len(self._shingles) // 4)
        return number

    def pairs(self) -> list[NearPair]:
        """Pairs of near-duplicates that are not exact duplicates: enough pairs to join each group, not all of them."""
        telling = self._telling()
        ends = np.array(self._ends)
        own = np.array(  # (conversations,)
            [np.count_nonzero(telling[start:end]) for start, end in pairwise(self._ends)], dtype=np.int64
        )
        bare = np.flatnonzero(own < np.diff(ends))
        self.with_boilerplate = len(bare)
        signatures = np.frombuffer(self._signatures, dtype=np.uint32).reshape(-1, HASHES)
        whole = signatures
        if len(bare):
            signatures = signatures.copy()
            for row in bare.tolist():
                signatures[row] = signature(self._own(row, telling))
        groups = Groups(len(signatures))
        found: list[NearPair] = []

        def note(first: int, second: int, resemblance: float) -> None:
            groups.join(first, second)
            found.append(NearPair(self._numbers[first], self._numbers[second], resemblance))

        for first, second in _candidates(np.flatnonzero(own >= LEAST_SHINGLES), signatures, groups):
            resemblance = _resemblance(self._own(first, telling), self._own(second, telling))
            if resemblance >= NEAR:
                note(first, second, resemblance)
        few = bare[own[bare] <= SPARE]
        for first, second in chain(
            self._same_boilerplate(few, telling),
            _candidates(few[:MOST_COMPARED], whole, groups),
            self._sharing(bare[own[bare] < LEAST_SHINGLES + SPARE], telling, groups),
        ):
            one, other = self._all(first), self._all(second)
            resemblance = _resemblance(one, other)
            if resemblance >= NEAR and differ_by_a_word(set(one.tolist()), set(other.tolist())):
                note(first, second, resemblance)
        return found

    def _telling(self) -> NDArray[np.bool_]:
        """For each kept 5-gram of each conversation, whether it is not boilerplate."""
        shingles = np.frombuffer(self._shingles, np.uint32)
        # Sorted, a hash that more than `most` hold is equal to the one `most` places on; nothing larger is made of it.
        most, ordered = int(most_holders(len(self._numbers), FEWEST_HOLDERS)), np.sort(shingles)
        common = np.unique(ordered[most:][ordered[most:] == ordered[: max(0, len(ordered) - most)]])
        telling = np.ones(len(shingles), dtype=np.bool_)
        for start in range(0, len(shingles) if len(common) else 0, _COMPARED_AT_ONCE):
            block = shingles[start : start + _COMPARED_AT_ONCE]
            places = np.minimum(np.searchsorted(common, block), len(common) - 1)
            telling[start : start + _COMPARED_AT_ONCE] = common[places] != block
        return telling

    def _all(self, row: int) -> NDArray[np.uint32]:
        start, end = self._ends[row], self._ends[row + 1]
        return np.frombuffer(self._shingles, np.uint32, end - start, 4 * start)

    def _own(self, row: int, telling: NDArray[np.bool_]) -> NDArray[np.uint32]:
        return self._all(row)[telling[self._ends[row] : self._ends[row + 1]]]

    def _same_boilerplate(self, rows: NDArray[np.int64], telling: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
        """Each of these conversations with the first that has the same boilerplate."""
        firsts: dict[bytes, int] = {}
        for row in rows.tolist():
            shared = self._all(row)[~telling[self._ends[row] : self._ends[row + 1]]]
            first = firsts.setdefault(shared.tobytes(), row)
            if first != row:
                yield first, row

    def _sharing(
        self, rows: NDArray[np.int64], telling: NDArray[np.bool_], groups: Groups
    ) -> Iterator[tuple[int, int]]:
        """Pairs of these conversations that share one of their own 5-grams with few others."""
        holders: dict[int, list[int]] = defaultdict(list)
        for row in rows.tolist():
            for shingle in self._own(row, telling).tolist():
                holders[shingle].append(row)
        pairs = {pair for some in holders.values() if len(some) <= LEAST_COMMON for pair in combinations(some, 2)}
        for first, second in sorted(pairs):
            if groups.labels[first] != groups.labels[second]:
                yield first, second

    def groups(self, pairs: Iterable[NearPair]) -> Groups:
        """Groups of all conversations: exact duplicates and the two sides of each pair are joined."""
        groups = Groups(len(self.originals))
        for number, original in enumerate(self.originals):
            groups.join(original, number)
        for pair in pairs:
            groups.join(pair.first, pair.second)
        return groups


def _resemblance(one: NDArray[np.uint32], other: NDArray[np.uint32]) -> float:
    """The Jaccard index of two sets of shingles; for large sets, estimated from their union's smallest hashes."""
    union = np.union1d(one, other)[:MOST_SHINGLES]
    return float(np.isin(union, np.intersect1d(one, other, assume_unique=True)).mean())


def signature(shingles: Set[int] | NDArray[np.uint32]) -> NDArray[np.uint32]:
    """The least hash of a set of shingles under each of `HASHES` hash functions."""
    if isinstance(shingles, np.ndarray):
        values = shingles.astype(np.uint64)
    else:
        values = np.fromiter(shingles, dtype=np.uint64, count=len(shingles))
    least = np.full(HASHES, np.iinfo(np.uint32).max, dtype=np.uint32)
    # Blocks bound the memory that a very long conversation takes.
    for start in range(0, len(values), _SHINGLES_AT_ONCE):
        hashed = (values[start : start + _SHINGLES_AT_ONCE, None] * _FACTORS + _SHIFTS) >> np.uint64(32)
        np.minimum(least, hashed.min(axis=0).astype(np.uint32), out=least)
    return least


def _candidates(rows: NDArray[np.int64], signatures: NDArray[np.uint32], groups: Groups) -> Iterator[tuple[int, int]]:
    """Pairs among some rows whose signatures look similar, except pairs that are already in one group."""
    chosen = signatures if len(rows) == len(signatures) else signatures[rows]
    for band in range(BANDS):
        for bucket in _buckets_of(band, chosen):
            yield from _worth_comparing(rows[bucket], signatures, groups)


def _buckets_of(band: int, signatures: NDArray[np.uint32]) -> Iterator[NDArray[np.int64]]:
    """Numbers of signatures that agree in a band; if more than `LARGE` do, they must agree in the next band, too."""
    for bucket in _agreeing_rows(signatures, band):
        if len(bucket) <= LARGE:
            yield bucket
        else:
            for smaller in _agreeing_rows(signatures[bucket], (band + 1) % BANDS):
                yield bucket[smaller]


def _agreeing_rows(signatures: NDArray[np.uint32], band: int) -> Iterator[NDArray[np.int64]]:
    """Groups of two or more rows that agree in a band."""
    # Different rows may have the same key by chance; that costs a comparison, but does not change the result.
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
    """The pairs of a bucket whose signatures look similar, except pairs that are already in one group."""
    for place, first in enumerate(bucket.tolist()):
        others = bucket[place + 1 :]
        others = others[groups.labels[others] != groups.labels[first]]
        if not len(others):
            continue
        estimates = (signatures[others] == signatures[first]).mean(axis=1)
        for second in others[estimates >= WORTH_COMPARING].tolist():
            if groups.labels[second] != groups.labels[first]:
                yield first, second
