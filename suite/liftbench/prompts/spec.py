"""A prompt as recipes describe it, and as it is rendered for one conversation."""

from __future__ import annotations

from msgspec import Struct

# ---------------------------------------------------------------------------------------------------------- backends


class Prompt(Struct, frozen=True, kw_only=True):
    """A conversation rendered for one model."""

    text: str
    token_ids: list[int]
    """`text` in tokens, with one BOS where the model wants one; the same in training and in generation."""
    sha256: str
    """Of `text`."""
    turns_dropped: int = 0
