"""chrF: F2 of character n-grams, as sacreBLEU computes it for a sentence, mean over references."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from liftbench.plugin_api import Conversation, Metric, MetricRequest

ORDER = 6
"""The longest n-grams, in characters."""

CODE_BITS = 8
"""Bits of a character: 48 for an n-gram, 3 for its length and 13 for its repetitions make the 64 of a number."""
REPEAT_BITS = 13


class Chrf(Metric):
    """chrF2 (Popović 2015, https://aclanthology.org/W15-3049) with sacreBLEU's defaults; in [0, 1].

    The n-grams have 1 to 6 characters, without white space, with case. sacreBLEU prints 100 times the value. The metric
    needs no words, so it can read any script. sacreBLEU takes the best of several references; here it is the mean,
    which does not grow with their number.
    """

    name = "chrf"

    def __init__(self, request: MetricRequest) -> None:  # noqa: ARG002
        from sacrebleu.metrics import CHRF

        # Explicit, so that the signature stays true if a default changes.
        self._chrf = CHRF(char_order=ORDER, word_order=0, beta=2, lowercase=False, whitespace=False, eps_smoothing=False)
        self.signature = (
            f"chrf|chrF2|nc:6|nw:0|space:no|case:mixed|eff:yes|scale:0-1|refs:mean|sacrebleu:{version('sacrebleu')}"
        )

    def score(self, texts: Sequence[str], conversations: Sequence[Conversation]) -> list[float | None]:
        """One value per text: 0.0 for an empty one, None without a reference."""
        return [self._mean(text, one.references) for text, one in zip(texts, conversations, strict=True)]

    def _mean(self, text: str, references: Sequence[str]) -> float | None:
        if not references:
            return None
        counted = count_matches(text, references)
        if counted is None:
            values = [self._chrf.sentence_score(text, [reference]).score for reference in references]
        else:
            # sacreBLEU takes most of its time for counting, so only the arithmetic is left to it.
            values = [self._chrf._compute_f_score(statistics) for statistics in counted]
        return fmean(values) / 100


def count_matches(text: str, references: Sequence[str]) -> list[list[int]] | None:
    """For each reference, and each length of n-grams: n-grams of the text, of the reference, and common ones.

    A common n-gram counts as often as the side has it that has it less often. None where the characters are too many
    kinds for `CODE_BITS`, or an n-gram is repeated too often for `REPEAT_BITS`.
    """
    lines = ["".join(one.split()) for one in (text, *references)]
    characters = np.frombuffer("".join(lines).encode("utf-32-le", "surrogatepass"), np.uint32)
    kinds, codes = np.unique(characters, return_inverse=True)
    if len(kinds) >> CODE_BITS:
        return None
    ends = np.cumsum([len(line) for line in lines])
    ngrams = [_tell_apart(_ngrams(part)) for part in np.split(codes.astype(np.uint64), ends[:-1])]
    if any(row is None for row in ngrams):
        return None
    own, *others = (row for row in ngrams if row is not None)
    sizes = [[max(len(line) - length, 0) for length in range(ORDER)] for line in lines]
    return [
        [figure for triple in zip(_known(sizes[0], size), size, _common(own, other), strict=True) for figure in triple]
        for other, size in zip(others, sizes[1:], strict=True)
    ]


def _known(sizes: Sequence[int], of_reference: Sequence[int]) -> list[int]:
    """The text's n-grams, but 0 where the reference has none of that length, as sacreBLEU counts them."""
    return [size if other else 0 for size, other in zip(sizes, of_reference, strict=True)]


def _ngrams(codes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """All n-grams of a line as numbers, sorted: length, then codes, then room for the repetition."""
    rows, row = [], codes
    for length in range(1, ORDER + 1):
        if length > 1:
            row = row[:-1] << np.uint64(CODE_BITS) | codes[length - 1 :]
        rows.append((row | np.uint64(length << (ORDER * CODE_BITS))) << np.uint64(REPEAT_BITS))
    found = np.concatenate(rows)
    found.sort()
    return found


def _tell_apart(ngrams: NDArray[np.uint64]) -> NDArray[np.uint64] | None:
    """Sorted n-grams with the number of each repetition, so that no two are equal; None where there are too many."""
    places = np.arange(len(ngrams))
    first = np.zeros(len(ngrams), places.dtype)
    first[1:] = np.where(ngrams[1:] == ngrams[:-1], 0, places[1:])
    repetition = places - np.maximum.accumulate(first)
    if len(repetition) and repetition.max() >> REPEAT_BITS:
        return None
    return ngrams | repetition.astype(np.uint64)


def _common(ngrams: NDArray[np.uint64], others: NDArray[np.uint64]) -> list[int]:
    """How many n-grams of each length two lines have in common."""
    both = np.concatenate((ngrams, others))
    both.sort()
    common = both[1:][both[1:] == both[:-1]] >> np.uint64(ORDER * CODE_BITS + REPEAT_BITS)
    return np.bincount(common.astype(np.intp), minlength=ORDER + 1)[1:].tolist()
