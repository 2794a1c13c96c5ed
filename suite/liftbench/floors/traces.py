"""Traces of what a control writes: enough to tell who copies the control, or copies from conversations as it does.

A promoted baseline holds no texts. It holds these, so that a gate can ask what a comparison asks, with the same answer.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from ..data.similarity.novelty import Novelty
from ..data.similarity.sketches import sketch_text


class Trace(Struct, frozen=True, kw_only=True):
    """What is kept of one text."""

    sketch: str
    """Of its words (see `data.similarity.sketches`)."""
    novel: float
    """The share of its bigrams that its conversation does not have (see `data.similarity.novelty`)."""


def trace_texts(texts: Sequence[str], novelty: Novelty) -> list[Trace]:
    """One trace for each text, in the order of the conversations that `novelty` knows."""
    return [
        Trace(sketch=sketch_text(text), novel=share) for text, share in zip(texts, novelty.shares(texts), strict=True)
    ]
