"""The settings that a resampled figure depends on, beside its values: seed, clusters, comparisons and resamples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from .resampling import RESAMPLES


class Resampling(Struct, frozen=True, kw_only=True):
    """How figures are resampled. Equal settings give equal figures on every machine."""

    seed: int
    clusters: Mapping[str, str] = {}
    """Conversation id → its cluster; an id that is not here is a cluster by itself."""
    comparisons: int = 1
    """Candidates judged at once: the level rises so that the intervals of all hold together at 95% (Bonferroni)."""
    resamples: int = RESAMPLES

    @property
    def level(self) -> float:
        """The level of two-sided intervals: 1 - 0.05 / comparisons."""
        return 1 - 0.05 / self.comparisons

    def labels(self, ids: Sequence[str] | None) -> list[str] | None:
        """The cluster of each id."""
        return None if ids is None else [self.clusters.get(id_, id_) for id_ in ids]
