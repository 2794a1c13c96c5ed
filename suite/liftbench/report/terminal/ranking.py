"""The ranking of several candidates in the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType

from ...judging.compare import Comparison
from ...judging.ranking import Ranking
from ...text.phrases import metric_label
from .. import numbers
from ..outcomes import BADGES, SYMBOLS
from ..ranking import COSTS, HOW, RankRow, format_chance, tabulate_pairs, tabulate_ranking
from .text import STYLES, new_table, plain


def ranking_table(comparison: Comparison, ranking: Ranking) -> RenderableType:
    """The rivals with scores and claims, then costs, then all pairs."""
    rows = tabulate_ranking(comparison, ranking)
    parts = [_tabulate_rivals(ranking, rows), plain(HOW, "dim")]
    if any(rival.cost for rival in ranking.rivals):
        parts += [plain(""), _tabulate_costs(rows)]
    return Group(*parts, plain(""), _tabulate_pairs(ranking), plain(ranking.method, "dim"))


def _tabulate_rivals(ranking: Ranking, rows: Sequence[RankRow]) -> RenderableType:
    table = new_table()
    table.title = plain("Ranking")
    table.add_column("candidate", overflow="fold")
    for score in ranking.rivals[0].scores:
        table.add_column(plain(metric_label(score.metric)), justify="right")
    for heading in ("better\nthan", "places", "group"):
        table.add_column(heading)
    for row in rows:
        scores = [
            f"{numbers.format_score(one.mean)}\n{numbers.format_score_interval(one.low, one.high)}"
            for one in row.scores
        ]
        table.add_row(
            plain("\n".join([f"{row.number}. {row.name}", row.role, *row.choices])),
            *map(plain, scores),
            plain(", ".join([*map(str, row.better_than), *row.partly]) or "–"),
            row.places,
            row.groups,
        )
    return table


def _tabulate_costs(rows: Sequence[RankRow]) -> RenderableType:
    table = new_table()
    table.add_column("#", justify="right")
    for heading in COSTS:
        table.add_column(heading.replace(" ", "\n", 1), justify="right")
    table.add_column("outcome")
    for row in rows:
        outcome = plain("–")
        if row.outcome is not None:
            outcome = plain(f"{SYMBOLS[row.outcome]} {BADGES[row.outcome]}", STYLES[row.outcome])
        table.add_row(str(row.number), *(plain(figure) for figure, _ in row.cost or [("–", "")] * len(COSTS)), outcome)
    return table


def _tabulate_pairs(ranking: Ranking) -> RenderableType:
    table = new_table()
    table.add_column("pair")
    table.add_column("metric")
    for heading in ("first minus\nsecond", "95% interval", "p,\ncorrected"):
        table.add_column(heading, justify="right")
    table.add_column("better")
    for pair in tabulate_pairs(ranking):
        for place, row in enumerate(pair.differences):
            better = None if row.better is None else pair.first if row.better == row.first else pair.second
            table.add_row(
                "" if place else f"{pair.first} and {pair.second}",
                plain(metric_label(row.metric)),
                numbers.format_difference(row.difference),
                numbers.UNKNOWN if row.low is None else numbers.format_difference_interval(row.low, row.high),
                format_chance(row.p_holm),
                "–" if better is None else str(better),
            )
    return table
