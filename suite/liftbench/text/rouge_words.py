"""The words that ROUGE sees: lower-case runs of a–z and 0–9, stemmed by Porter. Other metrics of words share them.

Without stemming they are a variant of these metrics, for the sensitivity page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from typing import Any, Literal

Stemmer = Literal["porter", "none"]
"""As a metric's signature names it."""

WITHOUT_STEMMING = "without stemming"
"""The variant's name."""

_WORD = re.compile("[a-z0-9]+")


def words(text: str) -> tuple[str, ...]:
    """The words of a text as they are, equal to those of `rouge-score`'s `DefaultTokenizer(use_stemmer=False)`.

    >>> words("Customer's parcels were delayed, 3 days!")
    ('customer', 's', 'parcels', 'were', 'delayed', '3', 'days')
    """
    return tuple(_WORD.findall(text.lower()))


@lru_cache(maxsize=1 << 14)
def stems(text: str) -> tuple[str, ...]:
    """The stemmed words of a text, equal to those of `rouge-score`'s `DefaultTokenizer(use_stemmer=True)`.

    Words of three letters and fewer stay as they are, as in ROUGE-1.5.5; all but a–z and 0–9 only separates words.

    >>> stems("Customer's parcels were delayed, 3 days!")
    ('custom', 's', 'parcel', 'were', 'delay', '3', 'day')
    """
    stemmed = (_stem(word) if len(word) > 3 else word for word in words(text))
    return tuple(stem for stem in stemmed if stem)


TOKENIZERS: dict[Stemmer, Callable[[str], tuple[str, ...]]] = {"porter": stems, "none": words}


def explain_unseen(references: Sequence[str]) -> str | None:
    """Why a metric of these words cannot see one of some references, or None if it can: it is in another script."""
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
    """NLTK's Porter stemmer with NLTK's extensions, the one that `rouge-score` uses.

    Its version is in no signature: those from 3.4.5 to 3.10.4 stemmed 114,735 words (TweetSumm's, DialogSum's and
    random ones) alike, and Porter declared his algorithm frozen.
    """
    # Imported here: NLTK takes a second.
    from nltk.stem.porter import PorterStemmer

    return PorterStemmer()
