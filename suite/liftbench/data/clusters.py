"""Whose conversations belong together: a customer is told from another in one way, wherever it matters."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from ..types import Conversation

CLUSTER = "cluster"
"""The metadata field that names the customer."""


def cluster_of(conversation: Conversation, field: str) -> str | None:
    """The customer that a field of the metadata names, fit to be compared; None where it is missing or blank.

    Case, superfluous white space and compatible characters do not part one customer: `Ngozi  Okafor` is `ngozi okafor`.
    """
    value = conversation.metadata.get(field)
    if value is None:
        return None
    return " ".join(unicodedata.normalize("NFKC", str(value)).casefold().split()) or None


def units(conversations: Iterable[Conversation]) -> list[str]:
    """Of each conversation, what is resampled as one: its customer where the data name one, else itself."""
    named = [(conversation.id, cluster_of(conversation, CLUSTER)) for conversation in conversations]
    return [f"id {id_}" if cluster is None else f"cluster {cluster}" for id_, cluster in named]
