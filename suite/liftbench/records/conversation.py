"""Conversations with their human summaries."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Scalar = str | int | float | bool | None

# ---------------------------------------------------------------------------------------------------- conversations


class Turn(Struct, frozen=True, kw_only=True):
    """One message of one speaker."""

    role: str
    """Who speaks: `customer` or `agent`, or any other word the data uses."""
    text: str


class KeyFact(Struct, frozen=True, kw_only=True):
    """Something that a good summary of one conversation tells."""

    kind: Literal["problem", "request", "action", "outcome", "owner", "amount", "date", "product", "identifier"]
    """`owner`: who has to do the next thing."""
    statement: str
    """The fact as a short true sentence."""
    forms: tuple[str, ...]
    """Surface forms, any of which counts as telling it: words separated by spaces, all of which must occur in the
    summary, in any order; `a|b` stands for either word. Compared by stems; numbers are kept whole."""


class FalseFact(Struct, frozen=True, kw_only=True):
    """A plausible false statement about one conversation, to test metrics by."""

    kind: Literal["role_swapped", "outcome_flipped", "detail_wrong"]
    statement: str


class Conversation(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One customer-agent conversation with its human summaries."""

    id: str
    turns: tuple[Turn, ...]
    references: tuple[str, ...] = ()
    """One or more human summaries. Empty only where nothing is scored or trained on."""
    metadata: dict[str, Scalar] = {}
    """Any fields to slice by (company, channel, resolved, …). `cluster` names the customer, or whatever else makes
    conversations alike: `bench data split` keeps a cluster whole."""
    extracts: tuple[str, ...] = ()
    """Human extractive summaries: sentences chosen from the turns, joined by spaces."""
    facts: tuple[KeyFact, ...] = ()
    false_facts: tuple[FalseFact, ...] = ()
