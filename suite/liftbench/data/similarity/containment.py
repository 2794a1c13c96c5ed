"""Which known conversations a text resembles, by hashes alone; also if one is a part of the other."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Sequence

from .boilerplate import SPARE, differ_by_a_word, most_holders
from .duplicates import LEAST_SHINGLES, NEAR
from .fingerprints import SKETCH, Fingerprint

ALIKE = NEAR
"""Two conversations are alike if at least this share of the shorter one's word 5-grams is also in the longer one.

Their resemblance (see `duplicates`) would not do: the first half of a thread resembles the whole by at most 0.5, yet
all of it was seen. Measured between splits, unrelated conversations reach 0.37 (TweetSumm, 108 conversations against
867) and 0.02 (helpdesk, 104 against 160). Between two halves of DialogSum's 500, 4 pairs are versions of one dialogue:
3 reach 0.69 and more; one, a freer version, is missed with 0.59.
"""

LEAST_COMPARED = 10
"""The fewest 5-grams of a shorter conversation that must be within the range of the longer one's sketch for a
comparison: with 10, the standard error of the share is 0.15. Therefore a conversation shorter than a thirteenth of the
other is not found in it."""

MOST_COMPARED = 256
"""Of scored conversations with hardly a 5-gram of their own, no more are compared with each text; the others are if
they share one of their own with it."""

FEWEST_HOLDERS = 3
"""A 5-gram is never boilerplate (see `boilerplate`) if no more scored conversations than this have it. Only scored
conversations are counted, so that a training set cannot hide a leak by repeating it."""


class Containment:
    """Conversations that others are compared with; each has a number, from 0."""

    def __init__(self, conversations: Sequence[Fingerprint]) -> None:
        self._by_sha256: dict[str, list[int]] = defaultdict(list)
        self._holders: dict[int, list[int]] = defaultdict(list)
        for number, one in enumerate(conversations):
            self._by_sha256[one.sha256].append(number)
            for shingle in one.shingles:
                self._holders[shingle].append(number)
        most = most_holders(len(conversations), FEWEST_HOLDERS)
        self._common = {shingle for shingle, holders in self._holders.items() if len(holders) > most}
        self._whole = [one.shingles for one in conversations]
        self._shingles = [sorted(one.shingles - self._common) for one in conversations]
        self._bare = [
            number
            for number, own in enumerate(self._shingles)
            if len(own) <= SPARE and len(self._whole[number]) >= LEAST_SHINGLES
        ]

    def like(self, sha256: str, sketched: Sequence[int]) -> dict[int, float]:
        """Number → likeness, in [ALIKE, 1], of the conversations that resemble a text, given by its hash and sketch.

        A bottom-k sketch is a random sample of the text's 5-grams, and it contains every common 5-gram within its
        range, so it estimates the common share of either side (Broder 1997, *On the resemblance and containment of
        documents*). The likeness is the share of the shorter side, which is the larger one. `sketched` may also be the
        sorted list of all 5-grams.
        """
        found = dict.fromkeys(self._by_sha256.get(sha256, ()), 1.0)
        telling = [shingle for shingle in sketched if shingle not in self._common]
        shared = Counter(number for shingle in telling for number in self._holders.get(shingle, ()))
        for number, count in shared.items():
            own = self._shingles[number]
            if len(telling) < LEAST_SHINGLES or len(own) < LEAST_SHINGLES:
                continue
            compared = bisect_right(own, max(sketched)) if len(sketched) == SKETCH else len(own)
            fewer = min(len(telling), compared) if compared >= LEAST_COMPARED else len(telling)
            if count / fewer >= ALIKE:
                found.setdefault(number, count / fewer)
        if len(telling) < len(sketched):
            few = self._bare[:MOST_COMPARED] if len(telling) <= SPARE else ()
            sharing = (
                number
                for number in shared
                if len(self._shingles[number]) < LEAST_SHINGLES or len(telling) < LEAST_SHINGLES
            )
            for number in {*sharing, *few} - found.keys():
                if likeness := self._likeness_of_short(number, frozenset(sketched)):
                    found[number] = likeness
        return found

    def _likeness_of_short(self, number: int, sketched: frozenset[int]) -> float | None:
        """The likeness to a conversation where either side has few 5-grams of its own; None if they are not alike.

        Less than two changed words may tell them apart, boilerplate included.
        """
        whole = self._whole[number]
        if min(len(whole), len(sketched)) < LEAST_SHINGLES:
            return None
        largest = max(sketched)
        compared = {shingle for shingle in whole if shingle <= largest} if len(sketched) == SKETCH else whole
        likeness = len(compared & sketched) / max(1, min(len(compared), len(sketched)))
        return likeness if likeness >= ALIKE and differ_by_a_word(compared, sketched) else None
