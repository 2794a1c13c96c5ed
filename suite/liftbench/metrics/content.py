"""Overlap weighted by information: `content-overlap`, the idf-weighted stem F1, and CIDEr-D.

Words that occur in every summary of a data set ("customer", "agent asks") say nothing about one conversation, and a
constant sentence consists of them. Both metrics weight an n-gram of stems by its inverse document frequency (Spärck
Jones 1972), log(N / df): N is the number of training conversations with references, and df the number of those with
the n-gram in any reference. A document is all references of one conversation, as in CIDEr.

- An n-gram that no training reference has gets the same weight as one that a single conversation has, log N.
- An n-gram that every conversation has gets the weight 0; if a reference has no others, every text scores 0 against it.
- With fewer than two training conversations with references, every n-gram gets the weight 1.
- The value of a text is its mean over the references of the conversation.
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
from .base import Metric, MetricRequest, Misreading
from .rouge import misread_words

Gram = tuple[str, ...]


class Vector(NamedTuple):
    """A text as a vector of n-grams of one length; each value is count times weight."""

    values: dict[Gram, float]
    norm: float
    """Euclidean."""


class Weighted(Metric):
    """Compares texts by their weighted n-grams of 1 to `longest` stems; a text without a stem scores 0.

    Without stemming, the document frequencies are those of words instead of stems.
    """

    longest: ClassVar[int]

    def __init__(self, request: MetricRequest, stemmer: Stemmer = "porter") -> None:
        self._request = request
        self.words = TOKENIZERS[stemmer]
        documents = [one.references for one in request.training if one.references]
        self._frequencies = Counter(gram for references in documents for gram in self._distinct(references))
        self._documents = len(documents)
        self._weights = {frequency: self._weight_of(frequency) for frequency in {0, *self._frequencies.values()}}
        known = f"{request.training_split}:{len(documents)}:{digest(sorted(documents))[:12]}"
        self.frequencies = known if len(documents) > 1 else "none"
        """Source of the document frequencies, for the signature: split, conversations, digest of the references."""
        # Cached, because a reference is compared with many texts and a constant with many references; about 20 kB each.
        self.vectors = lru_cache(maxsize=1 << 12)(self._vectors)

    def score(self, texts: Sequence[str], conversations: Sequence[Conversation]) -> list[float | None]:
        """The mean similarity of each text to its conversation's references; None without a reference."""
        return [self._mean(text, one.references) for text, one in zip(texts, conversations, strict=True)]

    def blind_to(self, references: Sequence[str]) -> str | None:
        """As for ROUGE, because the words are split in the same way."""
        return explain_unseen(references)

    def misreading(self, references: Sequence[str]) -> Misreading | None:
        """As for ROUGE."""
        return misread_words(references)

    def variants(self) -> dict[str, Metric]:
        """Without stemming: the paper on CIDEr stems, but its authors' code does not."""
        return {WITHOUT_STEMMING: type(self)(self._request, "none")}

    @abstractmethod
    def similarity(self, text: str, reference: str) -> float:
        """Similarity of a text to one reference; 0.0 if they have no n-gram with a weight in common."""

    def weight(self, gram: Gram) -> float:
        """log(N / df), in [0, log N]."""
        return self._weights[self._frequencies.get(gram, 0)]

    def _weight_of(self, frequency: int) -> float:
        return log(self._documents / max(1, frequency)) if self._documents > 1 else 1.0

    def _mean(self, text: str, references: Sequence[str]) -> float | None:
        if not references:
            return None
        return fsum(self.similarity(text, reference) for reference in references) / len(references)

    def _vectors(self, text: str) -> tuple[Vector, ...]:
        """One vector for each length of n-grams."""
        words = self.words(text)
        weights, frequency = self._weights, self._frequencies.get
        vectors = []
        for length in range(1, self.longest + 1):
            counts = Counter(_ngrams(words, length))
            values = {gram: count * weights[frequency(gram, 0)] for gram, count in counts.items()}
            vectors.append(Vector(values, hypot(*values.values())))
        return tuple(vectors)

    def _distinct(self, references: Iterable[str]) -> set[Gram]:
        lengths = range(1, self.longest + 1)
        return {
            gram for reference in references for length in lengths for gram in _ngrams(self.words(reference), length)
        }


class ContentOverlap(Weighted):
    """ROUGE-1 F1 (Lin 2004, https://aclanthology.org/W04-1013) with each stem weighted by its idf; in [0, 1].

    Precision is the weight of the common stems (each counted as often as in the side that has it less often) divided by
    the weight of the text's stems; recall divides by the weight of the reference's stems. The value is their harmonic
    mean. Weighting matches by their information goes back to NIST (Doddington 2002); BERTScore weights by idf, too
    (Zhang et al. 2020, section 3, https://arxiv.org/abs/1904.09675). On TweetSumm validation, humans against each other
    reach 0.347 (with sets of stems instead of counts 0.357, with single references as documents 0.343).

    It ignores the order of words: shuffling a text does not change its value.
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

    Ten times the mean, over n-grams of 1 to 4 stems, of the cosine between tf-idf vectors. The text's values are
    clipped at the reference's, so a repeated n-gram gains nothing, and a difference in length of `d` stems multiplies
    the result by exp(-d² / 2·6²). Equal texts of at least 4 stems get 10. With equal tokens and frequencies, values
    equal those of the authors' code (coco-caption). The authors take frequencies from the scored references; this
    metric takes them from the training split.
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
    """The n-grams that both have, each with the smaller of both values; their order is no fixed one."""
    one, other = candidate.values, target.values
    return {gram: min(one[gram], other[gram]) for gram in one.keys() & other.keys()}


def _clipped_cosine(candidate: Vector, target: Vector) -> float:
    if not candidate.norm or not target.norm:
        return 0.0
    product = fsum(value * target.values[gram] for gram, value in _common_values(candidate, target).items())
    return product / (candidate.norm * target.norm)
