"""Overlap weighted by information: `content-overlap`, the idf-weighted stem F1, and CIDEr-D.

What every summary of a data set says ("customer", "agent asks") tells nothing of one conversation, and a constant
sentence is made of it. Both metrics weigh an n-gram of stems by its inverse document frequency (Spärck Jones 1972),
log(N / df): N is the number of training conversations with references, df the number of those in whose references,
taken together, the n-gram occurs (a document is what CIDEr takes for one: all references of an item).

- An n-gram that no training reference has weighs as much as one that a single conversation has, log N.
- One that every conversation has weighs nothing; against a reference of nothing else, every text scores 0.
- Fewer than two training conversations with references say nothing of frequencies: all n-grams then weigh 1.
- A conversation with one reference is scored against that one; with several, the value is the mean over them.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from math import exp, fsum, hypot, log
from typing import ClassVar, NamedTuple

from ..files import digest
from ..records.conversation import Conversation
from ..text.rouge_words import TOKENIZERS, WITHOUT_STEMMING, Stemmer, explain_unseen
from .base import Metric, MetricRequest

Gram = tuple[str, ...]


class Vector(NamedTuple):
    """A text as its n-grams of one length, each with count times weight."""

    values: dict[Gram, float]
    norm: float
    """Euclidean."""


class Weighted(Metric):
    """Compares texts by their weighted n-grams of 1 to `longest` stems; a text without a stem scores 0.

    Without stemming, document frequencies are those of words, too.
    """

    longest: ClassVar[int]

    def __init__(self, request: MetricRequest, stemmer: Stemmer = "porter") -> None:
        self._request = request
        self.words = TOKENIZERS[stemmer]
        documents = [one.references for one in request.training if one.references]
        self._frequencies = Counter(gram for references in documents for gram in self._distinct(references))
        self._documents = len(documents)
        known = f"{request.training_split}:{len(documents)}:{digest(sorted(documents))[:12]}"
        self.frequencies = known if len(documents) > 1 else "none"
        """Where document frequencies come from, for the signature: split, conversations, digest of their references."""
        # References meet many texts, and a constant many references; a text's n-grams take some 20 kB.
        self.vectors = lru_cache(maxsize=1 << 12)(self._vectors)

    def score(self, texts: Sequence[str], conversations: Sequence[Conversation]) -> list[float | None]:
        """The mean over a conversation's references of each text's similarity to them; None where no reference is."""
        return [self._mean(text, one.references) for text, one in zip(texts, conversations, strict=True)]

    def blind_to(self, references: Sequence[str]) -> str | None:
        """Why these references are out of sight: the words are ROUGE's, and so is what it cannot see."""
        return explain_unseen(references)

    def variants(self) -> dict[str, Metric]:
        """The paper on CIDEr stems, and its authors' code does not."""
        return {WITHOUT_STEMMING: type(self)(self._request, "none")}

    @abstractmethod
    def similarity(self, text: str, reference: str) -> float:
        """Of a text to one reference, from 0.0 for nothing that tells in common."""

    def weight(self, gram: Gram) -> float:
        """log(N / df), in [0, log N]."""
        if self._documents < 2:
            return 1.0
        return log(self._documents / max(1, self._frequencies[gram]))

    def _mean(self, text: str, references: Sequence[str]) -> float | None:
        if not references:
            return None
        return fsum(self.similarity(text, reference) for reference in references) / len(references)

    def _vectors(self, text: str) -> tuple[Vector, ...]:
        """One vector for each length of n-grams."""
        words = self.words(text)
        vectors = []
        for length in range(1, self.longest + 1):
            values = {gram: count * self.weight(gram) for gram, count in Counter(_ngrams(words, length)).items()}
            vectors.append(Vector(values, hypot(*values.values())))
        return tuple(vectors)

    def _distinct(self, references: Iterable[str]) -> set[Gram]:
        lengths = range(1, self.longest + 1)
        return {
            gram for reference in references for length in lengths for gram in _ngrams(self.words(reference), length)
        }


class ContentOverlap(Weighted):
    """ROUGE-1 F1 (Lin 2004, https://aclanthology.org/W04-1013) with each stem weighted by its idf; in [0, 1].

    Precision is the weight of the stems that text and reference share (each as often as the one that has it less often)
    over the weight of the text's stems, recall the same over the reference's; the value is their harmonic mean.
    Weighing matches by what they tell goes back to NIST (Doddington 2002); by idf, BERTScore does it too (Zhang et al.
    2020, section 3, https://arxiv.org/abs/1904.09675). On TweetSumm validation, humans against each other reach 0.347
    (with sets of stems instead of counts 0.357, with single references as documents 0.343).

    It does not see the order of words: a text's words shuffled score the same.
    """

    longest = 1

    def __init__(self, request: MetricRequest, stemmer: Stemmer = "porter") -> None:
        super().__init__(request, stemmer)
        self.name = "content-overlap"
        self.signature = f"content-overlap|f1|stemmer:{stemmer}|idf:log(N/df)|df:{self.frequencies}|refs:mean"

    def similarity(self, text: str, reference: str) -> float:
        (candidate,), (target,) = self.vectors(text), self.vectors(reference)
        total = fsum(candidate.values.values()) + fsum(target.values.values())
        return 2 * fsum(_common_values(candidate, target).values()) / total if total else 0.0


class CiderD(Weighted):
    """CIDEr-D (Vedantam et al. 2015, https://arxiv.org/abs/1411.5726, equation 4); in [0, 10].

    Ten times the mean, over n-grams of 1 to 4 stems, of the cosine between tf-idf vectors, where the text's values are
    clipped at the reference's (a repeated n-gram gains nothing) and the whole is discounted for a length `d` stems off
    by exp(-d² / 2·6²). Equal texts of at least 4 stems get 10. Equal to the authors' code (coco-caption) on equal
    tokens and frequencies; theirs are of the scored references, ours of the training split's.
    """

    longest = 4
    sigma: ClassVar[float] = 6.0
    scale: ClassVar[float] = 10.0

    def __init__(self, request: MetricRequest, stemmer: Stemmer = "porter") -> None:
        super().__init__(request, stemmer)
        self.name = "cider-d"
        self.signature = (
            f"cider-d|n:1-{self.longest}|sigma:{self.sigma:g}|scale:{self.scale:g}|stemmer:{stemmer}|idf:log(N/df)"
            f"|df:{self.frequencies}|refs:mean"
        )

    def similarity(self, text: str, reference: str) -> float:
        pairs = zip(self.vectors(text), self.vectors(reference), strict=True)
        cosines = fsum(_clipped_cosine(candidate, target) for candidate, target in pairs) / self.longest
        difference = len(self.words(text)) - len(self.words(reference))
        return self.scale * cosines * exp(-(difference**2) / (2 * self.sigma**2))


def _ngrams(words: Sequence[str], length: int) -> Iterable[Gram]:
    return zip(*(words[start:] for start in range(length)), strict=False)


def _common_values(candidate: Vector, target: Vector) -> dict[Gram, float]:
    """What both have, as much as the one that has less of it."""
    return {gram: min(value, target.values[gram]) for gram, value in candidate.values.items() if gram in target.values}


def _clipped_cosine(candidate: Vector, target: Vector) -> float:
    if not candidate.norm or not target.norm:
        return 0.0
    product = fsum(value * target.values[gram] for gram, value in _common_values(candidate, target).items())
    return product / (candidate.norm * target.norm)
