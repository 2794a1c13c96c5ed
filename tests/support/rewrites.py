"""Cheap edits of a control's text, that make it another text and no summary: what the guards must not be fooled by."""

from __future__ import annotations

import re

from liftbench.text.words import words

_WORDS = {
    "I'm": "they are",
    "I've": "they have",
    "I": "they",
    "[Mm]y": "their",
    "[Mm]e": "them",
    "[Yy]ou're": "they are",
    "[Yy]our": "their",
    "[Yy]ou": "they",
    "[Ww]e're": "they are",
    "[Ww]e'll": "they will",
    "[Ww]e": "they",
    "[Oo]ur": "their",
    "[Uu]s": "them",
    "[Tt]he customer": "a client",
    "Customer": "The client",
    "[Tt]he agent": "the support team",
    "Agent": "The support team",
    "please": "kindly",
    "can't": "cannot",
    "don't": "do not",
    "is": "was",
    "are": "were",
    "have": "had",
    "will": "would",
}
_FUNCTION = frozenset(
    words(
        "a about am an and are as at be been but by can could do does for from had has have i if in is it just me my "
        "not of on or our so that the their them there they this to us was we were will with would you your"
    )
)


def reword(text: str) -> str:
    """Pronouns, tense and some nouns by regular expressions: `my order is late` → `their order was late`."""
    for old, new in _WORDS.items():
        text = re.sub(rf"\b{old}\b", new, text)
    return re.sub(r"@\w+\s*|https?://\S+", "", text)


def drop_function_words(text: str) -> str:
    """Only the words that tell something."""
    return " ".join(word for word in text.split() if word.lower().strip(".,!?") not in _FUNCTION)


def swap_pairs(text: str) -> str:
    """Every two words exchanged: nearly all bigrams are new."""
    told = text.split()
    pairs = [told[at : at + 2][::-1] for at in range(0, len(told), 2)]
    return " ".join(word for pair in pairs for word in pair)
