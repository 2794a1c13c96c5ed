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

CODE_BITS = 9
"""Bits of a character: 54 for an n-gram, 3 for its length and `LINE_BITS` make the 64 of a number."""
LINE_BITS = 7


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
        self._chrf = CHRF(
            char_order=ORDER, word_order=0, beta=2, lowercase=False, whitespace=False, eps_smoothing=False
        )
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

    A common n-gram counts as often as the side has it that has it less often. None where there are too many kinds of
    characters for `CODE_BITS`, or too many references for `LINE_BITS`.
    """
    lines = ["".join(one.split()) for one in (text, *references)]
    characters = np.frombuffer("".join(lines).encode("utf-32-le", "surrogatepass"), np.uint32)
    kinds, codes = np.unique(characters, return_inverse=True)
    if len(kinds) >> CODE_BITS or len(lines) >> LINE_BITS:
        return None
    owners = np.repeat(np.arange(len(lines), dtype=np.uint64), [len(line) for line in lines])
    ngrams = _ngrams(codes.astype(np.uint64), owners)
    ngram, owner = ngrams >> np.uint64(LINE_BITS), (ngrams & np.uint64((1 << LINE_BITS) - 1)).astype(np.intp)
    first = np.append(True, ngram[1:] != ngram[:-1])[: len(ngram)]
    rows = np.cumsum(first) - 1
    counts = np.bincount(rows * len(lines) + owner, minlength=int(first.sum()) * len(lines)).reshape(-1, len(lines))
    lengths = (ngram[first] >> np.uint64(ORDER * CODE_BITS)).astype(np.intp)
    sizes = [[max(len(line) - length, 0) for length in range(ORDER)] for line in lines]
    found = []
    for other, size in enumerate(sizes[1:], start=1):
        common = np.bincount(lengths, np.minimum(counts[:, 0], counts[:, other]), ORDER + 1)[1:].astype(int).tolist()
        # sacreBLEU counts no n-grams of the text where the reference has none of that length.
        own = [count if of_reference else 0 for count, of_reference in zip(sizes[0], size, strict=True)]
        found.append([figure for triple in zip(own, size, common, strict=True) for figure in triple])
    return found


def _ngrams(codes: NDArray[np.uint64], owners: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The n-grams of each line as numbers, sorted: the length, the codes of the characters, the number of the line."""
    found, row = [], codes
    for length in range(1, ORDER + 1):
        if length > 1:
            row = row[:-1] << np.uint64(CODE_BITS) | codes[length - 1 :]
        begins, ends = owners[: len(row)], owners[length - 1 :]
        tagged = (row | np.uint64(length << (ORDER * CODE_BITS))) << np.uint64(LINE_BITS) | begins
        found.append(tagged[begins == ends])
    ngrams = np.concatenate(found)
    ngrams.sort()
    return ngrams
