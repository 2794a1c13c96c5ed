"""Conversations with their human summaries."""

from __future__ import annotations

from html import escape
from typing import Any, Literal

from msgspec import Struct

Scalar = str | int | float | bool | None


class Turn(Struct, frozen=True, kw_only=True, gc=False):
    """One message of one speaker."""

    role: str
    """Who speaks: `customer`, `agent`, or another word that the data use."""
    text: str
    """What the speaker wrote."""


class KeyFact(Struct, frozen=True, kw_only=True):
    """Something that a good summary of one conversation tells, written down by hand."""

    kind: Literal["problem", "request", "action", "outcome", "owner", "amount", "date", "product", "identifier"]
    """What the fact is about; `owner` is the person who has to act next."""
    statement: str
    """The fact as a short true sentence."""
    forms: tuple[str, ...]
    """The wordings that count. A summary tells the fact if it has all words of one form, in any order; `a|b` stands for
    either word. Words are compared by their stems, numbers as a whole."""


class FalseFact(Struct, frozen=True, kw_only=True):
    """A plausible false statement about one conversation, for testing metrics."""

    kind: Literal["role_swapped", "outcome_flipped", "detail_wrong"]
    """How the statement is false."""
    statement: str
    """A short false sentence."""


class Conversation(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One customer-agent conversation with its human summaries."""

    id: str
    """Unique within its split."""
    turns: tuple[Turn, ...]
    """The messages, in order."""
    references: tuple[str, ...] = ()
    """The human summaries; empty only in data that are neither scored nor trained on."""
    metadata: dict[str, Scalar] = {}
    """Any fields to slice by (company, channel, resolved, …). `cluster` names the customer, or whatever else makes
    conversations alike: `bench data split` keeps a cluster in one split."""
    extracts: tuple[str, ...] = ()
    """Extractive summaries: sentences that humans chose from the turns, joined by spaces."""
    facts: tuple[KeyFact, ...] = ()
    """What a good summary tells; empty where nobody wrote it down."""
    false_facts: tuple[FalseFact, ...] = ()
    """False statements, for testing metrics."""

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """In a notebook without HTML: the turns, then the human summaries, a line each."""
        del cycle
        turns = [f"{turn.role}: {turn.text}" for turn in self.turns]
        printer.text("\n".join([self.id, *turns, *(f"human summary: {one}" for one in self.references)]))

    def _repr_html_(self) -> str:
        """In a notebook: the same as paragraphs."""
        said = [(turn.role, turn.text) for turn in self.turns]
        said += [("human summary", reference) for reference in self.references]
        lines = "".join(f"<p><b>{escape(by)}</b>: {escape(text)}</p>" for by, text in said)
        return f"<p>{escape(self.id)}</p>{lines}"
