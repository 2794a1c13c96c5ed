"""The result of judgments: win rate, supported sentences, and the agreement of judges and metrics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from ..records.preferences import JudgedConversation, Preference, SheetKey, Support, SupportedShares
from ..statistics.bootstrap import Bootstrap
from .agreement import metric_agreement, nominal_alpha, outcome
from .judgments import Vote


def people_preference(key: SheetKey, votes: Sequence[Vote]) -> Preference:
    """The result of the votes of one or more judges, each of whom judged every pair of the sheet."""
    judges = tuple(dict.fromkeys(vote.judge for vote in votes))
    by_item: dict[str, dict[str, float]] = {item.id: {} for item in key.items}
    for vote in votes:
        by_item[vote.item.id][vote.judge] = vote.value
    alpha = nominal_alpha([[by_item[item.id].get(judge) for item in key.items] for judge in judges])
    return summarize_values(
        key,
        "people",
        judges,
        by_item,
        alpha=alpha.value,
        alpha_missing=alpha.missing,
        supported=supported_shares(votes, bootstrap_of(key)),
    )


def summarize_values(
    key: SheetKey,
    kind: Literal["people", "model"],
    judges: tuple[str, ...],
    by_item: Mapping[str, Mapping[str, float]],
    *,
    alpha: float | None = None,
    alpha_missing: str = "",
    supported: SupportedShares | None = None,
) -> Preference:
    """Win rate, and agreement of metrics with values (item → judge → 1, 0.5 or 0); skips items without values."""
    judged = [
        JudgedConversation(conversation=item.conversation, item=item.id, values=dict(by_item[item.id]))
        for item in key.items
        if by_item.get(item.id)
    ]
    same = [JudgedConversation(conversation=one.conversation, item="", values={}) for one in key.identical]
    conversations = [*judged, *same]
    bootstrap = bootstrap_of(key)
    mean, low, high = bootstrap.mean([one.value for one in conversations], [one.conversation for one in conversations])
    outcomes = [outcome(one.value) for one in conversations]
    values = {one.item: one.value for one in judged}
    return Preference(
        sheet=key.sheet,
        candidate=key.candidate,
        other=key.other,
        against=key.against,
        kind=kind,
        judges=judges,
        n=len(conversations),
        wins=outcomes.count(1),
        ties=outcomes.count(0),
        losses=outcomes.count(-1),
        identical=len(same),
        win_rate=mean,
        low=low,
        high=high,
        alpha=alpha,
        alpha_missing=alpha_missing,
        supported=supported,
        metrics=metric_agreement(key.metrics, values, key.items, bootstrap),
        metrics_missing=key.metrics_missing,
        conversations=conversations,
    )


def bootstrap_of(key: SheetKey) -> Bootstrap:
    """The bootstrap of a sheet's conversations; those of one cluster are resampled together."""
    shown = {item.conversation: item.cluster for item in key.items}
    return Bootstrap(seed=key.seed, clusters=shown | {one.conversation: one.cluster for one in key.identical})


def supported_shares(votes: Sequence[Vote], bootstrap: Bootstrap) -> SupportedShares | None:
    """The share of supported sentences for both systems; None where nobody judged sentences on both sides of a pair."""
    by_conversation: dict[str, tuple[list[Support], list[Support]]] = {}
    for vote in votes:
        ours, others = by_conversation.setdefault(vote.item.conversation, ([], []))
        ours += vote.candidate
        others += vote.other
    both = {id_: answers for id_, answers in by_conversation.items() if all(answers)}
    if not both:
        return None
    shares = [(_share(ours), _share(others)) for ours, others in both.values()]
    mean, low, high = bootstrap.mean([ours - others for ours, others in shares], list(both))
    assert mean is not None
    answers = [answer for pair in both.values() for side in pair for answer in side]
    return SupportedShares(
        candidate=sum(ours for ours, _ in shares) / len(shares),
        other=sum(others for _, others in shares) / len(shares),
        difference=mean,
        low=low,
        high=high,
        n=len(both),
        sentences=len(answers),
        unsure=answers.count("unsure"),
    )


def _share(answers: Sequence[Support]) -> float:
    return answers.count("yes") / len(answers)
