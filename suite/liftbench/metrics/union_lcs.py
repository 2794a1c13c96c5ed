"""ROUGE-Lsum: the union of longest common subsequences of sentences, with the ties broken as `rouge-score` breaks them.

A sentence of the reference may have several longest common subsequences with a sentence of the text; which one is taken
decides the union (Lin 2004, section 3.2). The package walks back through its table of lengths, from the end, and steps
along the text only where that table is strictly larger there. The same walk is done here over rows of bits (Hyyrö 2004,
"Bit-parallel LCS-length computation revisited"): bit j of a row is set where the length grows with word j of the text,
so a length of the table is the number of set bits below a place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

Sentence = tuple[str, ...]
"""The words of a sentence."""


def union_hits(reference: Sequence[Sentence], text: Sequence[Sentence]) -> int:
    """How many words of the reference are in the unions, each counted at most as often as the text has it."""
    candidates = [_Places(sentence) for sentence in text]
    of_text = Counter(word for sentence in text for word in sentence)
    of_reference = Counter(word for sentence in reference for word in sentence)
    hits = 0
    for sentence in reference:
        union = {place for candidate in candidates for place in candidate.subsequence(sentence)}
        for word in map(sentence.__getitem__, sorted(union)):
            if of_text[word] > 0 and of_reference[word] > 0:
                hits += 1
                of_text[word] -= 1
                of_reference[word] -= 1
    return hits


class _Places:
    """A sentence of the text as bits: word → its places."""

    def __init__(self, sentence: Sentence) -> None:
        self._length = len(sentence)
        self._all = (1 << len(sentence)) - 1
        self._of: dict[str, int] = {}
        for place, word in enumerate(sentence):
            self._of[word] = self._of.get(word, 0) | (1 << place)

    def subsequence(self, sentence: Sentence) -> Iterator[int]:
        """The places in a sentence of the reference of one longest common subsequence, from the last to the first."""
        # A word that the text lacks changes no length, and the walk back always passes it, so such words are left out.
        places, own = [], []
        for place, word in enumerate(sentence):
            if bits := self._of.get(word):
                places.append(place)
                own.append(bits)
        rows = [0]
        unset = self._all
        for bits in own:
            common = unset & bits
            unset = ((unset + common) | (unset - common)) & self._all
            rows.append(unset ^ self._all)
        row, column = len(own), self._length
        while row and column:
            before = (1 << (column - 1)) - 1
            if (own[row - 1] >> (column - 1)) & 1:
                yield places[row - 1]
                row -= 1
                column -= 1
            elif (rows[row] & before).bit_count() > (rows[row - 1] & ((before << 1) | 1)).bit_count():
                column -= 1
            else:
                row -= 1
