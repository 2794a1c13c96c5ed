"""Which split each group of conversations goes to, by the sizes of the groups and the fractions of the splits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..errors import UsageError

LARGEST_SHARE = 0.25
"""A group that would make up more than this share of its split goes to the split with most room, usually `train`: a
test split that is mostly one customer would measure that customer."""


def check_fractions(fractions: Mapping[str, float]) -> dict[str, float]:
    """The splits with a fraction above 0. Raises `UsageError` unless all are in [0, 1] and add up to 1."""
    given = " + ".join(f"{fraction:g}" for fraction in fractions.values())
    if not all(0 <= fraction <= 1 for fraction in fractions.values()) or abs(sum(fractions.values()) - 1) > 1e-6:
        raise UsageError(
            f"the fractions of {', '.join(fractions)} must add up to 1, each from 0 to 1; they are {given}"
        )
    return {name: fraction for name, fraction in fractions.items() if fraction > 0}


def allot(sizes: Sequence[int], fractions: Sequence[float]) -> list[int]:
    """The number of the split for each group.

    `sizes` must fall, `fractions` must add up to 1, and there must be at least as many groups as splits. A group goes
    to one of the splits that it fits into without exceeding `LARGEST_SHARE`: to the one with the largest share of room
    left. If it fits into none, it goes to the split with most room. No split stays empty.
    """
    total = sum(sizes)
    room = [fraction * total for fraction in fractions]
    splits = range(len(fractions))
    chosen: list[int] = []
    for size in sizes:
        fitting = [
            split for split in splits if size <= min(room[split], max(1, LARGEST_SHARE * fractions[split] * total))
        ]
        if fitting:
            split = max(fitting, key=lambda split: (room[split] / fractions[split], fractions[split]))
        else:
            split = max(splits, key=lambda split: room[split])
        room[split] -= size
        chosen.append(split)
    for empty in (split for split in splits if split not in chosen):
        # The last group of a split is its smallest.
        richest = max(splits, key=chosen.count)
        chosen[len(chosen) - 1 - chosen[::-1].index(richest)] = empty
    return chosen
