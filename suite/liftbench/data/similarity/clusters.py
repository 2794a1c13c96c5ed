"""Whose conversations belong together: a customer is told from another in one way, wherever it matters."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from ...records.conversation import Conversation
from .duplicates import Groups

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


def cluster_conversations(conversations: Sequence[Conversation], near: Groups) -> dict[str, str]:
    """Id → the label of what is resampled as one: its customer where the data name one, else itself.

    `near` are the groups of near-duplicates among the conversations: these bear witness once, with all that their
    customers said. A label is the least of those that it joins, whatever their order.
    """
    labels: list[str] = []
    firsts: dict[str, int] = {}
    joined = Groups(len(conversations))
    for number, conversation in enumerate(conversations):
        cluster = cluster_of(conversation, CLUSTER)
        labels.append(f"id {conversation.id}" if cluster is None else f"cluster {cluster}")
        joined.join(firsts.setdefault(labels[number], number), number)
    for group in near.all():
        for number in group[1:]:
            joined.join(group[0], number)
    for group in joined.all():
        least = min(labels[number] for number in group)
        for number in group:
            labels[number] = least
    return dict(zip((one.id for one in conversations), labels, strict=True))
