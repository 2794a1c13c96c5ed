"""Leaks by kind: what each kind means, and how many conversations it concerns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ..judging.leakage import Leak, LeakKind

LEAKS: dict[LeakKind, str] = {
    "trained on": "The candidate was trained on the conversation, or on nearly the same one.",
    "chose the checkpoint": "It, or nearly the same one, decided which checkpoint became the adapter.",
    "shown in the prompt": "It, or nearly the same one, or its summary, stands in the prompt.",
    "copied from training": "Much of the candidate’s text is a training summary, word for word.",
    "copied reference": "The candidate’s text is nearly the human summary that it is scored against.",
    "twice": "The scored data hold nearly the same conversation again, so that it counts twice.",
}
"""What each kind means, in the order of a report."""


def count_leaks(leaks: Sequence[Leak]) -> dict[LeakKind, int]:
    """Kind → conversations, of the kinds that there are."""
    counts = Counter(leak.kind for leak in leaks)
    return {kind: counts[kind] for kind in LEAKS if counts[kind]}
