"""ROUGE-1, ROUGE-2, ROUGE-L and ROUGE-Lsum: stemmed F1 as the `rouge-score` package computes it, mean over references.

The mean, not the maximum: the maximum grows with the number of references, so conversations with more references would
look easier.

They are computed here with the same bits as in the package, but faster: each text is stemmed once, clipped counts are
sizes of set intersections, and RapidFuzz finds common subsequences with bit-parallel operations, as `union_lcs` does
for ROUGE-Lsum.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence, Sized
from functools import lru_cache, partial
from itertools import chain
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import LCSseq
from rapidfuzz.process import cdist

from ..records.conversation import Conversation
from ..text.rouge_words import TOKENIZERS, WITHOUT_STEMMING, Stemmer, explain_unseen, find_split_words, stems
from ..text.sentences import SPLITTER, split_sentences
from .base import Metric, MetricRequest, Misreading
from .union_lcs import Sentence, union_hits

Name = Literal["rouge1", "rouge2", "rougeL", "rougeLsum"]
NAMES: tuple[Name, ...] = ("rouge1", "rouge2", "rougeL", "rougeLsum")

EQUALS = "0.1.2"
"""The version of `rouge-score` whose values this module reproduces; tests compare the two."""

BLOCK = 1 << 20
"""The number of pairs that `all_pairs` works on at a time."""

_ORDER: dict[Name, int] = {"rouge1": 1, "rouge2": 2}


class Rouge(Metric):
    """One ROUGE variant (Lin 2004, https://aclanthology.org/W04-1013), with the Porter stemmer by default; 0 to 1."""

    def __init__(
        self,
        name: Name,
        request: MetricRequest = MetricRequest(),  # noqa: ARG002, B008
        stemmer: Stemmer = "porter",
    ) -> None:
        self.name: Name = name
        self._f1 = partial(f1, name, stemmer=stemmer)
        sentences = f"sentences:{SPLITTER}|" if name == "rougeLsum" else ""
        self.signature = f"{name}|f1|stemmer:{stemmer}|refs:mean|{sentences}rouge-score:{EQUALS}"

    def score(self, texts: Sequence[str], conversations: Sequence[Conversation]) -> list[float | None]:
        """Mean F1 of each text over its references: 0.0 for a text without a token, None without a reference."""
        return [self._mean(text, one.references) for text, one in zip(texts, conversations, strict=True)]

    def blind_to(self, references: Sequence[str]) -> str | None:
        """Why ROUGE cannot read these references: most letters of one are outside a–z, so its tokenizer drops them."""
        return explain_unseen(references)

    def misreading(self, references: Sequence[str]) -> Misreading | None:
        """The words that its tokenizer splits at letters with diacritics."""
        return misread_words(references)

    def variants(self) -> dict[str, Metric]:
        """Without stemming, which is the default of ROUGE-1.5.5 and of `rouge-score`."""
        return {WITHOUT_STEMMING: Rouge(self.name, stemmer="none")}

    def _mean(self, text: str, references: Sequence[str]) -> float | None:
        if not references:
            return None
        return sum(self._f1(text, reference) for reference in references) / len(references)


def misread_words(references: Sequence[str]) -> Misreading | None:
    """What a metric of `rouge_words` misreads in these references; None if hardly a word."""
    found = find_split_words(tuple(references))
    return found and Misreading(
        found.share,
        f"only a–z and 0–9 are read, so {found.split:,} of the {found.words:,} words of the references "
        f"({found.share:.0%}) lose letters, for example {found.example}: different words can count as equal, and "
        "unlike texts can score too high. chrf reads every letter",
    )


# The targets that a plugin registers: each, called with a `MetricRequest`, returns the metric of its name.
rouge1 = partial(Rouge, "rouge1")
rouge2 = partial(Rouge, "rouge2")
rougeL = partial(Rouge, "rougeL")  # noqa: N816 - the metric's own name
rougeLsum = partial(Rouge, "rougeLsum")  # noqa: N816 - the metric's own name


# ------------------------------------------------------------------------------------------------------------- pairs


def f1(name: Name, text: str, reference: str, stemmer: Stemmer = "porter") -> float:
    """F1 of one text against one reference, in [0, 1]; 0.0 if either has no words to match."""
    if name == "rougeLsum":
        summary, target = _sentences(text, stemmer), _sentences(reference, stemmer)
        return _harmonic_mean(union_hits(target, summary), sum(map(len, summary)), sum(map(len, target)))
    if name == "rougeL":
        alphabet, words = _Alphabet(), TOKENIZERS[stemmer]
        one, other = alphabet.spell(words(text)), alphabet.spell(words(reference))
        return _harmonic_mean(LCSseq.similarity(one, other), len(one), len(other))
    ngrams, others = _ngrams(text, _ORDER[name], stemmer), _ngrams(reference, _ORDER[name], stemmer)
    return _harmonic_mean(len(ngrams & others), len(ngrams), len(others))


def all_pairs(name: Name, texts: Sequence[str], references: Sequence[str]) -> NDArray[np.float64]:
    """F1 of every text (rows) against every reference (columns), stemmed, with the values of `f1`.

    Apart from the result, memory holds `BLOCK` pairs at a time, or one row. ROUGE-Lsum is not faster than calling `f1`
    for each pair.
    """
    table = np.zeros((len(texts), len(references)))
    if name == "rougeLsum":
        for row, text in enumerate(texts):
            table[row] = [f1(name, text, reference) for reference in references]
        return table
    common = _subsequences(texts, references) if name == "rougeL" else _clipped_counts(texts, references, _ORDER[name])
    rows = max(1, BLOCK // max(1, len(references)))
    for start in range(0, len(texts), rows):
        block = slice(start, start + rows)
        table[block] = _harmonic_means(common.counts(block), common.sizes[block, np.newaxis], common.other_sizes)
    return table


class _Common(NamedTuple):
    """What texts and references have in common: n-grams, or their longest common subsequences of words."""

    sizes: NDArray[np.int64]
    """N-grams or words of each text."""
    other_sizes: NDArray[np.int64]
    """N-grams or words of each reference."""
    counts: Callable[[slice], NDArray[np.int32]]
    """The common count of each text of a block (rows) with each reference (columns)."""


def _clipped_counts(texts: Sequence[str], references: Sequence[str], order: int) -> _Common:
    ngrams, others = ([_ngrams(text, order, "porter") for text in side] for side in (texts, references))
    having: dict[Hashable, list[int]] = {}
    for number, row in enumerate(others):
        for ngram in row:
            having.setdefault(ngram, []).append(number)
    columns = {ngram: np.array(numbers, np.intp) for ngram, numbers in having.items()}
    nowhere = np.empty(0, np.intp)

    def counts(block: slice) -> NDArray[np.int32]:
        found = np.empty((len(ngrams[block]), len(others)), np.int32)
        for row, own in enumerate(ngrams[block]):
            shared = np.concatenate([nowhere, *(columns[ngram] for ngram in own if ngram in columns)])
            found[row] = np.bincount(shared, minlength=len(others))
        return found

    return _Common(_sizes(ngrams), _sizes(others), counts)


def _subsequences(texts: Sequence[str], references: Sequence[str]) -> _Common:
    alphabet = _Alphabet()
    words, others = ([alphabet.spell(stems(text)) for text in side] for side in (texts, references))
    similar = partial(cdist, scorer=LCSseq.similarity, dtype=np.int32, workers=-1)
    return _Common(_sizes(words), _sizes(others), lambda block: similar(words[block], others))


@lru_cache(maxsize=1 << 10)
def _ngrams(text: str, order: int, stemmer: Stemmer) -> frozenset[Hashable]:
    """The n-grams of a text; each repetition is a pair of the n-gram and a number.

    Therefore the size of an intersection is the clipped count of ROUGE-N, the sum over n-grams of the smaller count.
    """
    words = TOKENIZERS[stemmer](text)
    counts = Counter(zip(*(words[start:] for start in range(order)), strict=False))
    repetitions = ((ngram, number) for ngram, count in counts.items() for number in range(1, count))
    return frozenset(chain(counts, repetitions))


class _Alphabet(dict[str, str]):
    """Maps each word to a character. RapidFuzz compares strings exactly, but other sequences by the hashes of items."""

    def spell(self, words: Sequence[str]) -> str:
        """One character per word."""
        return "".join(map(self.__getitem__, words))

    def __missing__(self, word: str) -> str:
        self[word] = character = chr(len(self))
        return character


@lru_cache(maxsize=1 << 10)
def _sentences(text: str, stemmer: Stemmer) -> tuple[Sentence, ...]:
    words = TOKENIZERS[stemmer]
    return tuple(words(sentence) for sentence in split_sentences(text))


# ---------------------------------------------------------------------------------------------------------------- F1


def _sizes(rows: Sequence[Sized]) -> NDArray[np.int64]:
    return np.fromiter(map(len, rows), np.int64, len(rows))


def _harmonic_mean(common: int, size: int, other_size: int) -> float:
    # The package's order of operations; another order would differ in the last bit.
    precision, recall = common / max(size, 1), common / max(other_size, 1)
    return 2 * precision * recall / (precision + recall) if common else 0.0


def _harmonic_means(
    common: NDArray[np.int32], sizes: NDArray[np.int64], other_sizes: NDArray[np.int64]
) -> NDArray[np.float64]:
    precision, recall = common / np.maximum(sizes, 1), common / np.maximum(other_sizes, 1)
    return np.divide(2 * precision * recall, precision + recall, out=np.zeros_like(precision), where=common > 0)
