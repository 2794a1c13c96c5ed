"""The words that ROUGE and other word metrics compare: lower-case runs of a–z and 0–9, stemmed by Porter's algorithm.

Without stemming they give a variant of these metrics, which the sensitivity to stemming is measured with.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from typing import Any, Literal

Stemmer = Literal["porter", "none"]
"""The name of the stemmer in a metric's signature."""

WITHOUT_STEMMING = "without stemming"
"""The name of the variant without stemming."""

_WORD = re.compile("[a-z0-9]+")


def words(text: str) -> tuple[str, ...]:
    """The words of a text, unstemmed: the same as from `rouge-score`'s `DefaultTokenizer(use_stemmer=False)`.

    >>> words("Customer's parcels were delayed, 3 days!")
    ('customer', 's', 'parcels', 'were', 'delayed', '3', 'days')
    """
    return tuple(_WORD.findall(text.lower()))


@lru_cache(maxsize=1 << 14)
def stems(text: str) -> tuple[str, ...]:
    """The stemmed words of a text: the same as from `rouge-score`'s `DefaultTokenizer(use_stemmer=True)`.

    Words of up to three letters are not stemmed, as in ROUGE-1.5.5. Characters other than a–z and 0–9 separate words.

    >>> stems("Customer's parcels were delayed, 3 days!")
    ('custom', 's', 'parcel', 'were', 'delay', '3', 'day')
    """
    stemmed = (_stem(word) if len(word) > 3 else word for word in words(text))
    return tuple(stem for stem in stemmed if stem)


TOKENIZERS: dict[Stemmer, Callable[[str], tuple[str, ...]]] = {"porter": stems, "none": words}


def explain_unseen(references: Sequence[str]) -> str | None:
    """The reason why a metric of these words cannot read a reference in another script; None if it can read all."""
    for number, reference in enumerate(references, start=1):
        letters = [letter for letter in reference.lower() if letter.isalpha()]
        dropped = sum(not letter.isascii() for letter in letters)
        if 2 * dropped > len(letters):
            shown = reference if len(reference) <= 40 else f"{reference[:39]}…"
            return (
                f"ROUGE's tokenizer keeps only a–z and 0–9, so {dropped} of the {len(letters)} letters of reference "
                f"{number} ({shown!r}) are invisible to it: even identical texts would score about 0"
            )
    return None


@lru_cache(maxsize=1 << 18)
def _stem(word: str) -> str:
    stem: str = _stemmer().stem(word)
    return stem


@cache
def _stemmer() -> Any:
    """NLTK's Porter stemmer with NLTK's extensions, which `rouge-score` uses.

    Signatures do not have NLTK's version: the versions from 3.4.5 to 3.10.4 gave equal stems for 114,735 words (from
    TweetSumm, from DialogSum and random ones), and Porter declared his algorithm frozen.
    """
    # Imported here, because NLTK takes a second to import.
    from nltk.stem.porter import PorterStemmer

    return PorterStemmer()
