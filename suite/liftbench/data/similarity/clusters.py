"""Whose conversations belong together: a customer is told from another in one way, wherever it matters."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

from ...records.conversation import Conversation

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
    """Of each conversation, what is resampled as one: its customer where the data name one, else itself.

    Near-duplicates (see `duplicates`) bear witness once, with all that their customers said. A label is the least of
    those that it joins, whatever their order.
    """
    from .duplicates import NearDuplicates

    duplicates = NearDuplicates()
    labels: list[str] = []
    firsts: dict[str, int] = {}
    same: list[tuple[int, int]] = []
    for conversation in conversations:
        number = duplicates.add(conversation)
        cluster = cluster_of(conversation, CLUSTER)
        labels.append(f"id {conversation.id}" if cluster is None else f"cluster {cluster}")
        same.append((firsts.setdefault(labels[number], number), number))
    groups = duplicates.groups(duplicates.pairs())
    for first, number in same:
        groups.join(first, number)
    for group in groups.all():
        least = min(labels[number] for number in group)
        for number in group:
            labels[number] = least
    return labels


def clusters_of(conversations: Sequence[Conversation]) -> dict[str, str]:
    """Id → the label of what is resampled as one (see `units`)."""
    return dict(zip((one.id for one in conversations), units(conversations), strict=True))
