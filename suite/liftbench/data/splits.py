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
    seen = {conversation_sha256(conversation) for conversation in scored} | {f"id {c.id}" for c in scored}
    groups: dict[str, list[Conversation]] = {}
    left_out = 0
    for conversation in conversations:
        key = conversation_sha256(conversation)
        if key in seen or f"id {conversation.id}" in seen:
            left_out += 1
        else:
            groups.setdefault(key, []).append(conversation)
    shuffled = list(groups.values())
    random.Random(seed).shuffle(shuffled)
    sample: list[list[Conversation]] = []
    room = len(conversations) if limit is None else limit
    for group in shuffled:
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
