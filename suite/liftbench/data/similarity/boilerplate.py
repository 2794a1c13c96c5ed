"""What many conversations of a set share, and what therefore says nothing about their likeness: greetings and menus of
a bot, closings, disclaimers, signatures.

A word 5-gram that more conversations have than `most_holders` is boilerplate. Conversations are compared by their other
5-grams, which are their own. Where these are few, one changed word leaves too little to compare. Two such conversations
are alike if less than two changed words tell them apart. So copies of one conversation that are more than
`most_holders`, and each of which differs in two words or more, are not found.
"""

from __future__ import annotations

from collections.abc import Set

from .fingerprints import SHINGLE_WORDS

COMMON = 0.05
LEAST_COMMON = 10
"""A 5-gram is boilerplate if more than this share, and more than this number, of the conversations have it."""

SPARE = 2 * SHINGLE_WORDS - 1
"""The most 5-grams that two changed words next to each other take away; two in different places take one more. In chats
with one greeting and 15 words of their own, two customers differ in two places (the thing and the order number)."""


def most_holders(conversations: int, fewest: int) -> float:
    """How many of these conversations may have a 5-gram that is not boilerplate.

    Of 20 or fewer, half may have it, and `fewest` in any case, because copies of one conversation in a small set are
    not boilerplate.
    """
    return max(COMMON * conversations, min(LEAST_COMMON, max(fewest, conversations / 2)))


def differ_by_a_word(one: Set[int], other: Set[int]) -> bool:
    """Whether each of two sets of 5-grams lacks no more of the other than fewer than two changed words take away."""
    return len(one - other) <= SPARE and len(other - one) <= SPARE
