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
    answers: list[int]
    """For each row, the number of its answer on the page, from 1."""
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
    together = {run for family in comparison.seeds for run in family.runs}
    alone = [result.run for result in comparison.candidates if result.run not in together]
    answered = [set(family.runs) for family in comparison.seeds] + [{run} for run in alone]
    return RankingPart(
        ranking=ranking,
        summary=summarize_ranking(comparison, ranking),
        rows=tabulate_ranking(comparison, ranking),
        answers=[
            next(number for number, runs in enumerate(answered, start=1) if rival.id in runs)
            for rival in ranking.rivals
        ],
        pairs=tabulate_pairs(ranking),
        how=HOW,
        costs=any(rival.cost for rival in ranking.rivals),
    )
