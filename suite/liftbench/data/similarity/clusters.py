"""Which conversations form a cluster: the one definition of a customer that splitting, checking and resampling use."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from ...records.conversation import Conversation
from .duplicates import Groups

CLUSTER = "cluster"
"""The metadata field that names the customer."""


def cluster_of(conversation: Conversation, field: str) -> str | None:
    """The customer that a metadata field names, normalized for comparison; None if it is missing or blank.

    Case, extra white space and compatible characters make no difference: `Ngozi  Okafor` is `ngozi okafor`.
    """
    value = conversation.metadata.get(field)
    if value is None:
        return None
    return " ".join(unicodedata.normalize("NFKC", str(value)).casefold().split()) or None


def cluster_conversations(conversations: Sequence[Conversation], near: Groups) -> dict[str, str]:
    """Id → the label of the unit that the conversation is resampled in: its customer if there is one, else itself.

    `near` are the groups of near-duplicates among the conversations. Near-duplicates are not independent, so each group
    is joined into one unit, together with all conversations of its customers. The label of a joined unit is the
    smallest of its labels, so it does not depend on the order.
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
