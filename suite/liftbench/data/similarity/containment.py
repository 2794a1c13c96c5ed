"""Which of some conversations another one is like: told from hashes, also where one is a part of the other."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Sequence

from .duplicates import LEAST_SHINGLES, NEAR
from .fingerprints import SKETCH, Fingerprint

ALIKE = NEAR
"""The least share of the shorter conversation's word 5-grams that the other must have, too. Not their resemblance: the
first half of a thread resembles the whole by no more than 0.5, and yet all of it was seen. Measured between splits,
strangers reach 0.37 (TweetSumm, 108 conversations against 867) and 0.02 (the helpdesk corpus, 104 against 160). Between
two halves of DialogSum's 500, 4 pairs are one dialogue told twice: 3 reach 0.69 and more, and one, told more freely, is
missed with 0.59."""

LEAST_COMPARED = 10
"""Of a conversation inside a much longer one, the fewest 5-grams that must be within the range of the longer one's
sketch: with 10, the standard error of the share is 0.15. So what is shorter than a thirteenth of the other is not
found in it."""

COMMON = 0.05
LEAST_COMMON = 10
"""A 5-gram that more scored conversations have than this share, and more than this number, says nothing: it is part of
a canned reply, a signature or a disclaimer. Counted in what is scored, so that no training set can be made to hide
behind copies of itself."""


class Containment:
    """Conversations that others are compared with; each is known by its number, from 0."""

    def __init__(self, conversations: Sequence[Fingerprint]) -> None:
        self._by_sha256: dict[str, list[int]] = defaultdict(list)
        self._holders: dict[int, list[int]] = defaultdict(list)
        for number, one in enumerate(conversations):
            self._by_sha256[one.sha256].append(number)
            for shingle in one.shingles:
                self._holders[shingle].append(number)
        most = max(LEAST_COMMON, COMMON * len(conversations))
        self._common = {shingle for shingle, holders in self._holders.items() if len(holders) > most}
        self._shingles = [sorted(one.shingles - self._common) for one in conversations]

    def like(self, sha256: str, sketched: Sequence[int]) -> dict[int, float]:
        """Number → likeness, in [ALIKE, 1], of those that are like a text of which hash and sketch are known.

        A bottom-k sketch is a random sample of the one's 5-grams, and within its range it holds every 5-gram that both
        have: so the share that is shared can be told of either (Broder 1997, *On the resemblance and containment of
        documents*). That of the shorter one is the larger of the two. In place of a sketch, all the 5-grams will do.
        """
        found = dict.fromkeys(self._by_sha256.get(sha256, ()), 1.0)
        telling = [shingle for shingle in sketched if shingle not in self._common]
        if len(telling) < LEAST_SHINGLES:
            return found
        shared = Counter(number for shingle in telling for number in self._holders.get(shingle, ()))
        for number, count in shared.items():
            own = self._shingles[number]
            if len(own) < LEAST_SHINGLES:
                continue
            compared = bisect_right(own, max(sketched)) if len(sketched) == SKETCH else len(own)
            fewer = min(len(telling), compared) if compared >= LEAST_COMPARED else len(telling)
            if count / fewer >= ALIKE:
                found.setdefault(number, count / fewer)
        return found
