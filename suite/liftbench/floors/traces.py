"""Traces of a control's texts: enough to find out who copies the control, or copies from conversations as it does.

A promoted baseline holds traces instead of texts, so that a gate can make the checks of a comparison, with the same
result.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from ..data.similarity.novelty import Novelty
from ..data.similarity.sketches import sketch_text


class Trace(Struct, frozen=True, kw_only=True):
    """The record that is kept of one text."""

    sketch: str
    """The sketch of the text's words (see `data.similarity.sketches`)."""
    novel: float
    """The share of the text's bigrams that its conversation does not have (see `data.similarity.novelty`)."""


def trace_texts(texts: Sequence[str], novelty: Novelty) -> list[Trace]:
    """One trace for each text, in the order of the conversations that `novelty` knows."""
    return [
        Trace(sketch=sketch_text(text), novel=share) for text, share in zip(texts, novelty.shares(texts), strict=True)
    ]
