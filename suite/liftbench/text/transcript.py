"""A conversation as lines of text."""

from __future__ import annotations

from ..records.conversation import Turn


def transcript(turns: tuple[Turn, ...]) -> str:
    """The turns as text, one line each: `Customer: …`. A turn without a role has its text alone."""
    return "\n".join(turn.text if turn.role == "" else f"{turn.role.capitalize()}: {turn.text}" for turn in turns)
