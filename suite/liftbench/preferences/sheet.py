"""A sheet: a sample of conversations with two summaries each, in an order and on sides that give nothing away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from ..files import digest
from ..records.conversation import Conversation, Turn
from ..records.preferences import IdenticalPair, KeyItem, Rival, SheetKey, SystemRole
from ..records.run import MetricInfo
from ..text.sentences import split_sentences

QUESTION = "Which summary would you rather be given if you had to take over this conversation without reading it?"
"""Question 1 for people and for models."""


class Summaries(Struct, frozen=True, kw_only=True):
    """One system's summaries and their scores."""

    name: str
    """Id of a run, `humans`, or a control's name."""
    texts: Mapping[str, str]
    """Conversation id → text."""
    scores: Mapping[str, Mapping[str, float | None]] = {}
    """Conversation id → metric → value."""


class Pair(Struct, frozen=True, kw_only=True):
    """What a judge sees of one pair."""

    id: str
    turns: tuple[Turn, ...]
    left: str
    right: str

    @property
    def left_sentences(self) -> list[str]:
        return split_sentences(self.left)

    @property
    def right_sentences(self) -> list[str]:
        return split_sentences(self.right)


class Sheet(Struct, frozen=True, kw_only=True):
    """What a judge sees: no system, no conversation id, no score."""

    id: str
    pairs: list[Pair]


def draw_conversations(conversations: Sequence[Conversation], n: int, seed: int) -> list[Conversation]:
    """Draw `n` conversations, or all where there are fewer, by the hash of seed and id.

    The draw depends neither on their order nor on the systems. With one seed, a larger sample holds the smaller one.
    """
    return sorted(conversations, key=lambda one: digest(seed, one.id))[:n]


def make_sheet(
    drawn: Sequence[Conversation],
    candidate: Summaries,
    other: Summaries,
    *,
    against: Rival,
    seed: int,
    clusters: Mapping[str, str],
    metrics: Sequence[MetricInfo] = (),
    metrics_missing: str = "",
) -> tuple[Sheet, SheetKey]:
    """The sheet of some conversations, and its key. Equal input gives an equal sheet.

    Both systems have a text for every conversation. Summaries that differ only in white space are identical.
    """
    pairs, items, identical = [], [], []
    for conversation in drawn:
        ours, others = candidate.texts[conversation.id], other.texts[conversation.id]
        cluster = clusters.get(conversation.id, conversation.id)
        if ours.split() == others.split():
            identical.append(IdenticalPair(conversation=conversation.id, cluster=cluster))
            continue
        left: SystemRole = "candidate" if int(digest("side", seed, conversation.id), 16) % 2 else "other"
        pair = Pair(
            id=digest(candidate.name, other.name, conversation.id, ours, others)[:12],
            turns=conversation.turns,
            left=ours if left == "candidate" else others,
            right=others if left == "candidate" else ours,
        )
        pairs.append(pair)
        items.append(
            KeyItem(
                id=pair.id,
                conversation=conversation.id,
                cluster=cluster,
                left=left,
                left_sentences=len(pair.left_sentences),
                right_sentences=len(pair.right_sentences),
                scores={
                    metric.name: (
                        candidate.scores.get(conversation.id, {}).get(metric.name),
                        other.scores.get(conversation.id, {}).get(metric.name),
                    )
                    for metric in metrics
                },
            )
        )
    about = (candidate.name, other.name, [item.id for item in items], [one.conversation for one in identical], seed)
    sheet = digest(*about)[:12]
    key = SheetKey(
        sheet=sheet,
        candidate=candidate.name,
        other=other.name,
        against=against,
        seed=seed,
        items=items,
        identical=identical,
        metrics=list(metrics),
        metrics_missing=metrics_missing,
    )
    return Sheet(id=sheet, pairs=pairs), key
