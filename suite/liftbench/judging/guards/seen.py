"""The guard on leakage: what the candidate has seen of its scored conversations."""

from __future__ import annotations

from ...files import digest
from ...text.phrases import percent, pluralize
from ..evidence import Evidence
from ..leakage import LeakKind
from .base import Check

_SEEN: dict[LeakKind, str] = {
    "trained on": "scored conversations were trained on, or nearly the same ones",
    "chose the checkpoint": "scored conversations, or nearly the same ones, chose the checkpoint",
    "shown in the prompt": "scored conversations, or nearly the same ones, or their summaries, stand in the prompt",
}

_BRIEF: dict[LeakKind, str] = {
    "trained on": "test conversations were in its training data",
    "chose the checkpoint": "test conversations were used to choose its checkpoint",
    "shown in the prompt": "test conversations stand in its prompt",
    "copied from training": "summaries are copied from the training data",
    "copied reference": "summaries are copies of the human summaries that they are scored against",
}


def check_leakage(evidence: Evidence) -> Check:
    """Whether no scored conversation was seen in training or in the prompt, and few texts copy a summary."""
    ids: dict[LeakKind, list[str]] = {}
    for leak in evidence.leaks:
        ids.setdefault(leak.kind, []).append(leak.id)
    found = {kind: f"{len(ids[kind])} {words}" for kind, words in _SEEN.items() if kind in ids}
    allowed: dict[LeakKind, tuple[float, str]] = {
        "copied from training": (evidence.terms.limits.faults + evidence.human_copies, "training summaries"),
        "copied reference": (evidence.terms.limits.faults, "the human summaries that they are scored against"),
    }
    for kind, (share, what) in allowed.items():
        if len(ids.get(kind, ())) > share * evidence.n:
            found[kind] = f"{len(ids[kind])} of {evidence.n} texts are copies of {what}; the limit is {percent(share)}"
    if found:
        kind = next(iter(found))
        limit = f" (limit {percent(allowed[kind][0])})" if kind in allowed else ""
        return Check(
            "failed",
            f"{'; '.join(found.values())} (for example {ids[kind][0]}).",
            "Train without them, or score conversations that are like none of the training.",
            f"{len(ids[kind])} of {evidence.n} {_BRIEF[kind]}{limit}",
            f"{len(ids[kind])} of {evidence.n}{limit}",
            list(dict.fromkeys(id_ for each in found for id_ in ids[each])),
            f"Look at {pluralize(len(ids[kind]), 'conversation')} that it has seen."
            if kind in _SEEN
            else f"Look at {pluralize(len(ids[kind]), 'summary', 'summaries')} that it has copied.",
            "" if kind in _SEEN else "copied summaries",
        )
    # Checked after the leaks, because a leak that was found outranks what is unknown.
    if unknown := _unknown_training(evidence):
        return Check(
            "not run",
            unknown,
            "Train it through `bench train`, which records what an adapter has seen.",
            "it is not known what it was trained on",
        )
    rows = evidence.candidate.training_rows
    seen = f"None of the {len(rows):,} conversations used in training is" if rows else "Nothing was trained on that is"
    copied = len(ids.get("copied from training", ()))
    return Check("passed", f"{seen} a scored one, or nearly one; {copied} texts copy a training summary.")


def _unknown_training(evidence: Evidence) -> str:
    """Why it is not known what the candidate was trained on; empty where it is known."""
    candidate, baseline = evidence.candidate.manifest.system, evidence.baseline.manifest.system
    if candidate.model is None:
        return "Texts made elsewhere: what their maker was trained on is not known."
    if adapter := candidate.adapter:
        rows, training = evidence.candidate.training_rows, evidence.candidate.training
        if not rows or adapter.rows is None:
            return "What the adapter was trained on is not recorded: it has no rows.jsonl, or not that of its weights."
        listed = f"The run lists {pluralize(len(rows), 'conversation')} used in training"
        if adapter.rows_sha256 != digest({row.id: row.sha256 for row in rows}):
            return f"{listed}, which are not the {adapter.rows} that its adapter was trained on."
        trained = sum(row.part == "train" for row in rows)
        if training and training.conversations != trained:
            given = training.conversations
            return f"{listed}, {trained} of them to train on, and its training's summary says {given}."
        return ""
    if candidate.model.served and baseline.model and baseline.model.served:
        return ""  # Nobody outside can know; the verdict names it as a condition.
    if baseline.model is None or candidate.model.sha256 != baseline.model.sha256:
        return "The candidate's weights are not the baseline's, and what they were trained on is not known."
    return ""
