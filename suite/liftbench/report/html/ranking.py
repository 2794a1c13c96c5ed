"""Several candidates against each other, as the page shows them."""

from __future__ import annotations

from msgspec import Struct

from ...judging.compare import Comparison
from ...judging.ranking import Ranking
from ..ranking import HOW, PairRow, RankRow, summarize_ranking, tabulate_pairs, tabulate_ranking


class RankingPart(Struct, frozen=True, kw_only=True):
    """The section of the page."""

    ranking: Ranking
    summary: str
    rows: list[RankRow]
    pairs: list[PairRow]
    how: str
    """How to read the table."""
    costs: bool
    """Whether any training is recorded."""


def lay_out_ranking(comparison: Comparison) -> RankingPart | None:
    """What the page shows of a ranking; None where there is none."""
    ranking = comparison.ranking
    if ranking is None:
        return None
    return RankingPart(
        ranking=ranking,
        summary=summarize_ranking(comparison, ranking),
        rows=tabulate_ranking(comparison, ranking),
        pairs=tabulate_pairs(ranking),
        how=HOW,
        costs=any(rival.cost for rival in ranking.rivals),
    )
