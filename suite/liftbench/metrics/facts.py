"""Key-fact recall: the share of a conversation's hand-written facts that a summary tells, by their surface forms."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from ..records.conversation import Conversation
from ..text.rouge_words import stems
from .base import Metric, MetricRequest

_NUMBER = re.compile(r"(?<![a-z0-9])\d+(?:[.,:]\d+)*")
_POSSESSIVE = re.compile(r"['’]s\b")


def tells(text: str, forms: Iterable[str]) -> bool:
    """Whether a text tells a fact by one of its forms (see `KeyFact`).

    The words of a form are compared by their stems and may occur anywhere, in any order. A number must match whole.

    >>> tells("She was refunded £1,500 in April.", ["1,500 refund|repay"]), tells("It cost £1,500.", ["500"])
    (True, False)
    """
    there = _words(text)
    return any(all(any(_words(word) <= there for word in term.split("|")) for term in form.split()) for form in forms)


@lru_cache(maxsize=1 << 15)
def _words(text: str) -> frozenset[str]:
    plain = _POSSESSIVE.sub("", text.lower())
    return frozenset((*_NUMBER.findall(plain), *stems(_NUMBER.sub(" ", plain))))


class KeyFacts(Metric):
    """Share of a conversation's key facts that the text tells, in [0, 1].

    It ignores what else the text says: a summary that tells a fact and its opposite counts as telling it.
    """

    name = "key-facts"
    signature = "key-facts|recall|forms:1|stemmer:porter"
    sees = "facts"

    def __init__(self, request: MetricRequest = MetricRequest()) -> None:  # noqa: B008
        pass

    def score(self, texts: Sequence[str], conversations: Sequence[Conversation]) -> list[float | None]:
        """The share for each text: 0.0 for an empty one, None if the conversation has no facts."""
        return [_recall(text, conversation) for text, conversation in zip(texts, conversations, strict=True)]


def _recall(text: str, conversation: Conversation) -> float | None:
    if not conversation.facts:
        return None
    return sum(tells(text, fact.forms) for fact in conversation.facts) / len(conversation.facts)
