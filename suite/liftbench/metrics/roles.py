"""Role accuracy: whether a summary attributes to customer and agent what each of them said."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import NamedTuple

from ..records.conversation import Conversation, Turn
from ..records.run import Finding
from ..text.rouge_words import stems
from ..text.sentences import SPLITTER, split_sentences
from .base import Metric, MetricRequest

VERSION = "subjects-1"
"""Version of the role words and of the rule that finds subjects; raise it with every change of either."""

# These do not count as roles: `customer service` and `user name` name nobody, `the service` or `the company` may be
# neither speaker, and a guest, a buyer or a passenger is as often a third person.
_NOBODY = r"(?:service|support|care|relation|experience|account|name|id|interface|manual|guide|number|base)s?"
_DESK = r"(?:customer\s+)?(?:service|support|care)"
_ROLE_WORDS = {
    "customer": rf"(?:customer|client|caller|user|consumer)s?\b(?!\s+{_NOBODY}\b)",
    "agent": rf"(?:(?:{_DESK}\s+)?(?:agent|representative|rep|advis[eo]r|operator|assistant)|{_DESK}\s+team)s?\b",
}
_EITHER = re.compile(
    rf"(?P<article>\ban?\s+)?\b(?:(?P<agent>{_ROLE_WORDS['agent']})|(?P<customer>{_ROLE_WORDS['customer']}))", re.I
)

# A role word is a subject only where a clause begins: at the beginning of the sentence, after a punctuation mark, or
# after a conjunction. Elsewhere it is an object ("asked the customer to …") or reported ("says that the agent …").
_CLAUSE_BEGINS = re.compile(
    r"(?:^|[,;:]|\b(?:and|but|then|while|when|before|after))\W*(?:(?:the|an?|this|another)\W+)?$",
    re.I,
)


def swap_roles(text: str) -> str | None:
    """The text with customer and agent swapped, with the same case, plural and articles; None if it names neither.

    Synonyms (`client`, `caller`, `support team`, …) count, too, and become `customer` or `agent`.

    >>> swap_roles("An agent called. Customers' parcels are late, the customer service is closed")
    "A customer called. Agents' parcels are late, the customer service is closed"
    """
    swapped, n = _EITHER.subn(_other_role, text)
    return swapped if n else None


class RoleAccuracy(Metric):
    """Mean over a summary's claims about speakers of how far their words are those of the speaker named; in [0, 1].

    A claim is the text from a role word (`customer`, `agent`, a synonym, or another role in the turns) at the beginning
    of a clause to the next such word, or to the end of the sentence. A stem of the claim is evidence for a speaker if
    this speaker alone said it. The value of a claim is `(1 + stems of the named speaker) / (speakers + stems of any one
    speaker)`: 1/2 if there are two speakers with equal evidence, or without any.

    The metric uses only the words of the turns: no reference, and nothing learned. It does not recognize who did what
    inside a clause ("the customer was told to …" reports the agent), pronouns, people's names, negation, or confused
    roles in words that no turn has. It reads English summaries. A summary of another conversation is near 1/2.

    It is kept because it separates human summaries from the same summaries with swapped roles (AUC, ties half): 0.99 on
    TweetSumm's validation split (347 of 352 summaries have a speaker as subject), 0.89 on helpdesk's test split (67 of
    208; most use names). Read it together with other metrics: on helpdesk too few summaries have a value for its row of
    the validity table to have a scale, and a slot template, which puts a speaker's own words after each role, scores
    above the humans.
    """

    # Measured, but not used: a naive Bayes prior, learned from training references, of which stems belong to which role
    # has an AUC of 0.999 on TweetSumm, but 0.77 on helpdesk, and gives 0.85 to the summary of another conversation.
    # Weighting words by idf changes the AUC by about 0.01.

    name = "role-accuracy"
    signature = f"role-accuracy|mean-claim|stemmer:porter|words:{VERSION}|sentences:{SPLITTER}"
    sees = "facts"

    def __init__(self, request: MetricRequest = MetricRequest()) -> None:  # noqa: B008
        """The request is ignored: the metric learns nothing."""

    def score(self, texts: Sequence[str], conversations: Sequence[Conversation]) -> list[float | None]:
        """One value per text; None if it makes no claim about a speaker, or if fewer than two speakers speak."""
        return [self._mean(text, one) for text, one in zip(texts, conversations, strict=True)]

    def findings(self, text: str, conversation: Conversation) -> list[Finding]:
        """The claims with less evidence for the speaker that they name than for the others."""
        return [
            Finding(start=claim.start, end=claim.end, kind=f"not what the {claim.role} said")
            for claim, value in _rate_claims(text, conversation.turns)
            if value < 1 / len(_own_words(conversation.turns))
        ]

    def _mean(self, text: str, conversation: Conversation) -> float | None:
        values = [value for _, value in _rate_claims(text, conversation.turns)]
        return sum(values) / len(values) if values else None


class _Claim(NamedTuple):
    role: str
    start: int
    end: int
    words: frozenset[str]


# Cached, because the places in a text are asked for right after its score.
@lru_cache(maxsize=1 << 10)
def _rate_claims(text: str, turns: tuple[Turn, ...]) -> list[tuple[_Claim, float]]:
    own = _own_words(turns)
    if len(own) < 2:
        return []
    judged = []
    for claim in _claims(text, tuple(own)):
        said = {role: len(claim.words & words) for role, words in own.items()}
        judged.append((claim, (1 + said[claim.role]) / (len(own) + sum(said.values()))))
    return judged


@lru_cache(maxsize=1 << 12)
def _own_words(turns: tuple[Turn, ...]) -> dict[str, frozenset[str]]:
    """Role → the stems that only this speaker of the conversation said."""
    said: dict[str, set[str]] = {}
    for turn in turns:
        said.setdefault(_canonical(turn.role), set()).update(stems(turn.text))
    return {
        role: frozenset(words.difference(*(others for other, others in said.items() if other != role)))
        for role, words in said.items()
    }


@cache
def _canonical(role: str) -> str:
    """`customer` or `agent` for any of their synonyms, else the role itself in lower case."""
    lower = role.strip().lower()
    return next((name for name, pattern in _ROLE_WORDS.items() if re.fullmatch(pattern, lower)), lower)


@cache
def _pattern(roles: tuple[str, ...]) -> re.Pattern[str]:
    """A pattern with one group per role, in order; `lastindex` identifies the role. An empty role never matches."""
    own = {role: rf"(?:{re.escape(role) or '(?!)'})s?\b" for role in roles} | _ROLE_WORDS
    return re.compile("|".join(rf"\b({own[role]})" for role in roles), re.I)


@lru_cache(maxsize=1 << 15)
def _claims(text: str, roles: tuple[str, ...]) -> tuple[_Claim, ...]:
    pattern = _pattern(roles)
    claims = []
    begin = 0
    for sentence in split_sentences(text):
        begin = text.index(sentence, begin)
        subjects = [
            (clause.start(), found)
            for found in pattern.finditer(sentence)
            if (clause := _CLAUSE_BEGINS.search(sentence, 0, found.start()))
        ]
        # The first claim includes the text before its subject ("After the refund failed, the customer …").
        starts = [0, *(start for start, _ in subjects[1:])]
        ends = [*starts[1:], len(sentence)]
        for (_, subject), start, end in zip(subjects, starts, ends, strict=False):
            rest = sentence[start : subject.start()] + " " + sentence[subject.end() : end]
            role = roles[(subject.lastindex or 1) - 1]
            claims.append(_Claim(role, begin + start, begin + end, frozenset(stems(rest))))
        begin += len(sentence)
    return tuple(claims)


def _other_role(found: re.Match[str]) -> str:
    word = found["agent"] or found["customer"]
    other = "customer" if found["agent"] else "agent"
    plural = "s" if word[-1] in "sS" else ""
    cased = _copy_case(word, other + plural)
    article = found["article"]
    if article is None:
        return cased
    return article[0] + ("n" if other == "agent" else "") + article[1:].lstrip("nN") + cased


def _copy_case(model: str, word: str) -> str:
    if model.isupper():
        return word.upper()
    return word.capitalize() if model[0].isupper() else word
