"""Which conversations are trained on, and which choose the checkpoint.

The choice is seeded. Duplicates stay together, and conversations that resemble a scored one are left out, by the same
rule that finds leaks (see `similarity.containment`).
"""

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
    """They choose the checkpoint; none has a duplicate or near-duplicate in `train`."""
    left_out: int
    """Conversations of the training split that are left out because the scored split has the same or a similar one."""
    nearly: int
    """Those of `left_out` that are similar, but not the same."""


def training_split(
    conversations: Sequence[Conversation],
    scored: Sequence[Conversation],
    *,
    limit: int | None,
    validation_fraction: float,
    seed: int,
) -> TrainingSplit:
    """Leave scored conversations out, sample `limit` of the others, and set some of the sample aside for validation.

    A group of duplicates and near-duplicates (see `duplicates`) goes to one side as a whole; the validation side gets
    at least `validation_fraction` of the conversations. Raises `UsageError` if either side would be empty.
    """
    known = [Known(one, fingerprint(one)) for one in conversations]
    split = ScoredSplit(scored)
    distinct = _drop_exact(known, split)
    usable = _drop_near(distinct, split)
    groups = _groups(usable)
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
        left_out=len(conversations) - len(usable),
        nearly=len(distinct) - len(usable),
    )


def exclude_scored(conversations: Sequence[Conversation], scored: Sequence[Conversation]) -> list[Conversation]:
    """A training split without duplicates and near-duplicates of scored conversations, or of each other; in order."""
    split = ScoredSplit(scored)
    known = [Known(one, fingerprint(one)) for one in conversations]
    return [group[0] for group in _groups(_drop_near(_drop_exact(known, split), split))]


class Known(NamedTuple):
    """A conversation with its fingerprint."""

    conversation: Conversation
    fingerprint: Fingerprint


def _drop_exact(known: Sequence[Known], scored: ScoredSplit) -> list[Known]:
    """Drop conversations with the same words as a scored one.

    Ids are not compared, because many data sets count from 1 in each split.
    """
    seen = {one.sha256 for one in scored.fingerprints}
    return [one for one in known if one.fingerprint.sha256 not in seen]


def _drop_near(known: Sequence[Known], scored: ScoredSplit) -> list[Known]:
    """Drop conversations that are similar to a scored one."""
    like = scored.containment.like
    return [one for one in known if not like(one.fingerprint.sha256, one.fingerprint.sketch)]


def _groups(known: Sequence[Known]) -> list[list[Conversation]]:
    """Groups of duplicates and near-duplicates, ordered by their first conversations."""
    duplicates = NearDuplicates()
    for one in known:
        duplicates.add(one.fingerprint)
    groups = duplicates.groups(duplicates.pairs())
    return [[known[number].conversation for number in group] for group in groups.all()]
