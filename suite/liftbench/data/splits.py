"""Choosing conversations: which are trained on, which choose the checkpoint. Seeded; duplicates stay together, and what
is like a scored conversation is taken out, by the rule that finds leaks (see `similarity.containment`)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

from msgspec import Struct

from ..errors import UsageError
from ..records.conversation import Conversation
from .similarity.duplicates import NearDuplicates
from .similarity.fingerprints import Fingerprint, fingerprint
from .similarity.scored import ScoredSplit


class TrainingSplit(Struct, frozen=True, kw_only=True):
    train: tuple[Conversation, ...]
    validation: tuple[Conversation, ...]
    """For choosing the checkpoint; no conversation of it has a duplicate or near-duplicate in `train`."""
    left_out: int
    """Conversations of the training split not used because they, or nearly the same ones, are in the scored split."""
    nearly: int
    """Those of them that are only nearly the same."""


def training_split(
    conversations: Sequence[Conversation],
    scored: Sequence[Conversation],
    *,
    limit: int | None,
    validation_fraction: float,
    seed: int,
) -> TrainingSplit:
    """Take the scored conversations out of a training split, sample `limit`, and carve a validation part from them.

    Groups of duplicates and near-duplicates (see `duplicates`) go to one part whole; the validation part holds at least
    `validation_fraction` of the conversations. Raises `UsageError` if either part would be empty.
    """
    known = [Known(one, fingerprint(one)) for one in conversations]
    split = ScoredSplit(scored)
    elsewhere = _drop_exact(known, split)
    unlike = _drop_near(elsewhere, split)
    groups = _groups(unlike)
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
            f"{total} training conversations are too few for training and validation", "Use more (train.limit)."
        )
    return TrainingSplit(
        train=tuple(train),
        validation=tuple(validation),
        left_out=len(conversations) - len(unlike),
        nearly=len(elsewhere) - len(unlike),
    )


def exclude_scored(conversations: Sequence[Conversation], scored: Sequence[Conversation]) -> list[Conversation]:
    """A training split without duplicates and near-duplicates, of each other or of the scored conversations, in its
    order."""
    split = ScoredSplit(scored)
    known = [Known(one, fingerprint(one)) for one in conversations]
    return [group[0] for group in _groups(_drop_near(_drop_exact(known, split), split))]


class Known(NamedTuple):
    """A conversation with its fingerprint."""

    conversation: Conversation
    fingerprint: Fingerprint


def _drop_exact(known: Sequence[Known], scored: ScoredSplit) -> list[Known]:
    """Those that have not the words of a scored conversation. Ids say nothing: many data sets count from 1 in each
    split."""
    seen = {one.sha256 for one in scored.fingerprints}
    return [one for one in known if one.fingerprint.sha256 not in seen]


def _drop_near(known: Sequence[Known], scored: ScoredSplit) -> list[Known]:
    """Those that are not nearly the same as a scored conversation."""
    like = scored.containment.like
    return [one for one in known if not like(one.fingerprint.sha256, one.fingerprint.sketch)]


def _groups(known: Sequence[Known]) -> list[list[Conversation]]:
    """Groups of duplicates and near-duplicates, in the order of their first ones."""
    duplicates = NearDuplicates()
    for one in known:
        duplicates.add(one.fingerprint)
    groups = duplicates.groups(duplicates.pairs())
    return [[known[number].conversation for number in group] for group in groups.all()]
