"""The words that ROUGE and other word metrics compare: lower-case runs of a–z and 0–9, stemmed by Porter's algorithm.

Without stemming they give a variant of these metrics, which the sensitivity to stemming is measured with.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import Any, Literal, NamedTuple

Stemmer = Literal["porter", "none"]
"""The name of the stemmer in a metric's signature."""

WITHOUT_STEMMING = "without stemming"
"""The name of the variant without stemming."""

_WORD = re.compile("[a-z0-9]+")
_ANY_WORD = re.compile(r"(?:[^\W_]|[\u0300-\u036f])+")
"""A word of any script, in letters, digits and combining marks."""

NOTEWORTHY_SHARE = 0.02
"""The share of split words from which they are reported; stray loanwords and names in English stay below it."""
NOTEWORTHY_WORDS = 3
"""The number of different split words from which they are reported, where fewer than a fifth of all are split."""


def words(text: str) -> tuple[str, ...]:
    """The words of a text, unstemmed: the same as from `rouge-score`'s `DefaultTokenizer(use_stemmer=False)`.

    >>> words("Customer's parcels were delayed, 3 days!")
    ('customer', 's', 'parcels', 'were', 'delayed', '3', 'days')
    """
    return tuple(_WORD.findall(text.lower()))


@lru_cache(maxsize=1 << 16)
def stems(text: str) -> tuple[str, ...]:
    """The stemmed words of a text: the same as from `rouge-score`'s `DefaultTokenizer(use_stemmer=True)`.

    Words of up to three letters are not stemmed, as in ROUGE-1.5.5. Characters other than a–z and 0–9 separate words.

    >>> stems("Customer's parcels were delayed, 3 days!")
    ('custom', 's', 'parcel', 'were', 'delay', '3', 'day')
    """
    return tuple(filter(None, map(_stems_of_words.__getitem__, words(text))))


TOKENIZERS: dict[Stemmer, Callable[[str], tuple[str, ...]]] = {"porter": stems, "none": words}


def explain_unseen(references: Sequence[str]) -> str | None:
    """The reason why a metric of these words cannot read a reference in another script; None if it can read all."""
    for number, reference in enumerate(references, start=1):
        if reference.isascii():
            continue
        letters = [letter for letter in reference.lower() if letter.isalpha()]
        dropped = sum(not letter.isascii() for letter in letters)
        if 2 * dropped > len(letters):
            shown = reference if len(reference) <= 40 else f"{reference[:39]}…"
            return (
                f"ROUGE's tokenizer keeps only a–z and 0–9, so {dropped} of the {len(letters)} letters of reference "
                f"{number} ({shown!r}) are invisible to it: even identical texts would score about 0"
            )
    return None


class SplitWords(NamedTuple):
    """The words of some texts that the tokenizer reads in pieces, or not at all: those with letters other than a–z."""

    words: int
    split: int
    example: str
    """The most frequent of them with what is left of it; with a second word that looks the same, if there is one."""

    @property
    def share(self) -> float:
        """The share of split words, in [0, 1]."""
        return self.split / self.words if self.words else 0.0


@lru_cache(maxsize=4)
def find_split_words(texts: tuple[str, ...]) -> SplitWords | None:
    """The split words of some texts; None where they are too few to matter.

    Measured on 60 random paragraphs a language (Faker 40.54): the share is 3% in Italian, 9% in German, 17% in French,
    18% in Spanish, 46% in Polish, 60% in Czech and 91% in Vietnamese. ROUGE-1 between unrelated paragraphs is then too
    high by 0.00, 0.01, 0.01, 0.04, 0.02, 0.07 and 0.27.

    >>> find_split_words(("Žába nemá řasy.",))
    SplitWords(words=3, split=3, example="'žába' as 'ba'")
    >>> find_split_words(("The customer likes the café, and asks when it opens on Sunday.",))
    """
    found = Counter(word for text in texts for word in _ANY_WORD.findall(unicodedata.normalize("NFC", text.lower())))
    split = Counter({word: count for word, count in found.items() if not word.isascii()})
    share = split.total() / found.total() if found else 0.0
    if share < NOTEWORTHY_SHARE or (len(split) < NOTEWORTHY_WORDS and share < 0.2):
        return None
    left: dict[tuple[str, ...], list[str]] = {}
    for word, _ in split.most_common():
        left.setdefault(words(word), []).append(word)
    rest, alike = max(left.items(), key=lambda item: (bool(item[0]), len(item[1]) > 1))
    shown = f"{' '.join(rest)!r}" if rest else "nothing"
    pair = f"{alike[0]!r} and {alike[1]!r} both" if len(alike) > 1 else repr(alike[0])
    return SplitWords(found.total(), split.total(), f"{pair} as {shown}")


class _Stems(dict[str, str]):
    """Word → stem, for up to `MOST` words: a lookup by `map` is several times faster than a cached function."""

    MOST = 1 << 18

    def __missing__(self, word: str) -> str:
        if len(self) >= self.MOST:
            self.clear()
        self[word] = stem = _stemmer().stem(word) if len(word) > 3 else word
        return stem


_stems_of_words = _Stems()


@cache
def _stemmer() -> Any:
    """NLTK's Porter stemmer with NLTK's extensions, which `rouge-score` uses.

    Signatures do not have NLTK's version: the versions from 3.4.5 to 3.10.4 gave equal stems for 114,735 words (from
    TweetSumm, from DialogSum and random ones), and Porter declared his algorithm frozen.
    """
    # Imported here, because NLTK takes a while to import, most of it for `scipy.stats`, whose absence it allows for.
    with _hide("scipy.stats"):
        from nltk.stem.porter import PorterStemmer

    return PorterStemmer()


@contextmanager
def _hide(module: str) -> Iterator[None]:
    """Importing a module that was not imported before fails meanwhile, as where it is not installed."""
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[module]
