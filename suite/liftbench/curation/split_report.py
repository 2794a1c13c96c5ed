"""The figures of one file of a data set: conversations, lengths, references and speakers."""

from __future__ import annotations

from collections import Counter

from msgspec import Struct


class Spread(Struct, frozen=True, kw_only=True):
    """A distribution of lengths (nearest-rank percentiles)."""

    p50: int
    p95: int
    max: int


class SplitReport(Struct, frozen=True, kw_only=True):
    """One file of a data set."""

    name: str
    conversations: int
    turns: Spread
    """Turns per conversation."""
    words: Spread
    """Words per conversation."""
    tokens: Spread | None
    """Tokens of a conversation's whole prompt, before it is shortened; None if they were not counted."""
    references: dict[int, int]
    """Number of references → conversations with that number."""
    reference_words: Spread
    roles: dict[str, int]
    """Speaker → turns."""
    cleaned: int
    """Conversations that cleaning changes. This needs no action, because every run cleans what it reads."""

    @property
    def second_references(self) -> int:
        """Conversations with at least two references, on which people can be measured against each other."""
        return sum(count for number, count in self.references.items() if number > 1)


class SplitCounts:
    """Counts of one file, made while its conversations are read."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.conversations = 0
        self.cleaned = 0
        self.turns: Counter[int] = Counter()
        self.words: Counter[int] = Counter()
        self.tokens: Counter[int] = Counter()
        self.references: Counter[int] = Counter()
        self.reference_words: Counter[int] = Counter()
        self.roles: Counter[str] = Counter()

    def report(self) -> SplitReport:
        """The counts as they are reported."""
        return SplitReport(
            name=self.name,
            conversations=self.conversations,
            turns=spread(self.turns),
            words=spread(self.words),
            tokens=spread(self.tokens) if self.tokens else None,
            references=dict(sorted(self.references.items())),
            reference_words=spread(self.reference_words),
            roles=dict(self.roles.most_common()),
            cleaned=self.cleaned,
        )


def spread(lengths: Counter[int]) -> Spread:
    """The distribution of counted lengths; zeros if there are none."""
    ordered = sorted(lengths.items())
    total = lengths.total()

    def percentile(share: float) -> int:
        below = 0
        for length, count in ordered:
            below += count
            if below >= share * total:
                return length
        return 0

    return Spread(p50=percentile(0.5), p95=percentile(0.95), max=percentile(1))
