"""Whose conversations belong together: a customer is told from another in one way, wherever it matters."""

from __future__ import annotations

import unicodedata

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
