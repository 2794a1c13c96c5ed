"""Leaks by kind: what each kind means, and how many conversations it concerns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ..judging.leakage import Leak, LeakKind

LEAKS: dict[LeakKind, str] = {
    "trained on": "The candidate was trained on this conversation or on a near duplicate.",
    "chose the checkpoint": "This conversation or a near duplicate was used to choose the adapter's checkpoint.",
    "shown in the prompt": "This conversation, a near duplicate or its summary is in the prompt.",
    "copied from training": "Much of the candidate’s text is copied word for word from a training summary.",
    "copied reference": "The candidate’s text is almost the same as the human summary that it is scored against.",
    "twice": "The scored data hold a near duplicate of this conversation, so it counts twice.",
}
"""What each kind means, in the order of a report."""


def count_leaks(leaks: Sequence[Leak]) -> dict[LeakKind, int]:
    """Kind → number of conversations, for each kind that occurs."""
    counts = Counter(leak.kind for leak in leaks)
    return {kind: counts[kind] for kind in LEAKS if counts[kind]}
