"""Choosing conversations: which are trained on, which choose the checkpoint. Seeded; duplicates stay together."""

from __future__ import annotations

import random
from collections.abc import Sequence

from msgspec import Struct

from ..errors import UsageError
from ..types import Conversation
from .fingerprints import conversation_sha256


class TrainingSplit(Struct, frozen=True, kw_only=True):
    train: tuple[Conversation, ...]
    validation: tuple[Conversation, ...]
    """For choosing the checkpoint; no conversation of it has a duplicate in `train`."""
    left_out: int
    """Conversations of the training split not used because they are in the scored split too."""


def training_split(
    conversations: Sequence[Conversation],
    scored: Sequence[Conversation],
    *,
    limit: int | None,
    validation_fraction: float,
    seed: int,
) -> TrainingSplit:
    """Take the scored conversations out of a training split, sample `limit`, and carve a validation part from them.

    Groups of duplicates (equal words, see `fingerprints`) go to one part whole; the validation part holds at least
    `validation_fraction` of the conversations. Raises `UsageError` if either part would be empty.
    """
    groups = _groups(conversations, scored)
    left_out = len(conversations) - sum(map(len, groups))
    random.Random(seed).shuffle(groups)
    sample: list[list[Conversation]] = []
    room = len(conversations) if limit is None else limit
    for group in groups:
        if room <= 0:
            break
        sample.append(group[:room])
        room -= len(sample[-1])
    total = sum(map(len, sample))
    validation: list[Conversation] = []
    train: list[Conversation] = []
    for group in sample:
        part = validation if len(validation) < validation_fraction * total else train
        part.extend(group)
    if not train or not validation:
        raise UsageError(
            f"{total} training conversations cannot be parted into training and validation; give more (train.limit)"
        )
    return TrainingSplit(train=tuple(train), validation=tuple(validation), left_out=left_out)


def unscored(conversations: Sequence[Conversation], scored: Sequence[Conversation]) -> list[Conversation]:
    """A training split without duplicates, of each other or of the scored conversations, in its order."""
    return [group[0] for group in _groups(conversations, scored)]


def _groups(conversations: Sequence[Conversation], scored: Sequence[Conversation]) -> list[list[Conversation]]:
    """Groups of duplicates, by their words, without those that share words or an id with a scored conversation."""
    seen = {conversation_sha256(conversation) for conversation in scored}
    ids = {conversation.id for conversation in scored}
    groups: dict[str, list[Conversation]] = {}
    for conversation in conversations:
        key = conversation_sha256(conversation)
        if key not in seen and conversation.id not in ids:
            groups.setdefault(key, []).append(conversation)
    return list(groups.values())
