"""The ranking of several candidates in words and cells, for the page and the terminal alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from string import ascii_lowercase

from msgspec import Struct

from ..judging.compare import Comparison
from ..judging.ranking import Ranking, Rival, RivalDifference, RivalScore
from ..judging.verdict import Outcome
from ..text.phrases import join_words, metric_label, pluralize, value_words
from . import numbers


class RankRow(Struct, frozen=True, kw_only=True):
    """One rival, as a row."""

    number: int
    """Its place in the order of the table, from 1; other rows name it by this number."""
    role: str
    """`candidate 2`, `3 seeds`."""
    name: str
    outcome: Outcome | None
    choices: list[str]
    """What its recipe says where the rivals' recipes differ: `learning_rate 0.001`."""
    scores: list[RivalScore]
    places: str
    """`1`, or `2 to 4`."""
    better_than: list[int]
    """Numbers of the rows that it is clearly better than."""
    partly: list[str]
    """Rows that it is clearly better than on some headlines only: `3 (ROUGE-L only)`."""
    groups: str
    """A letter for each of its groups."""
    cost: list[tuple[str, str]]
    """Time, memory, parameters and speed, each with the word after the figure; empty where no training is recorded."""


class PairRow(Struct, frozen=True, kw_only=True):
    """One pair of rivals on every headline."""

    first: int
    second: int
    """Numbers of the rows."""
    differences: list[RivalDifference]
    words: str
    """Who is clearly better, and on what."""


HOW = (
    "Clearly better: on every headline, with fewer than 5 wrong claims in 100 rankings of equals. Candidates that "
    "share a letter are not told apart. Places: those that agree with every clear difference, at 95% for all "
    "candidates together. The seeds of one training are one candidate."
)
"""How to read the table."""

COSTS = ("time of a training", "peak memory", "trained parameters", "tokens/s")
"""What the figures of `RankRow.cost` are."""


def tabulate_ranking(comparison: Comparison, ranking: Ranking) -> list[RankRow]:
    """The rivals as rows, the best first."""
    numbered = {rival.id: number for number, rival in enumerate(ranking.rivals, start=1)}
    roles = _name_roles(comparison, ranking)
    return [_row(rival, ranking, numbered, roles[rival.id]) for rival in ranking.rivals]


def tabulate_pairs(ranking: Ranking) -> list[PairRow]:
    """The pairs as rows, in the order of the ranking."""
    numbered = {rival.id: number for number, rival in enumerate(ranking.rivals, start=1)}
    pairs: dict[tuple[str, str], list[RivalDifference]] = {}
    for row in ranking.differences:
        pairs.setdefault((row.first, row.second), []).append(row)
    return [
        PairRow(first=numbered[one], second=numbered[other], differences=rows, words=_describe_pair(rows, numbered))
        for (one, other), rows in pairs.items()
    ]


def summarize_ranking(comparison: Comparison, ranking: Ranking) -> str:
    """`best: qlora (candidate 2), clearly better than dora; not told apart from full`."""
    return say_best(ranking, _label(comparison, ranking))


def say_best(ranking: Ranking, labels: Mapping[str, str]) -> str:
    """The best rival, and whom it is clearly better than; `labels` holds each rival's name."""
    first, *others = ranking.rivals
    better = [labels[one.id] for one in others if ranking.is_better(first.id, one.id)]
    alike = [labels[one.id] for one in others if not ranking.is_better(first.id, one.id)]
    words = f"best: {labels[first.id]}"
    if better:
        words += f", clearly better than {join_words(better)}"
    return f"{words}; not told apart from {join_words(alike)}" if alike else words


def format_chance(p: float | None) -> str:
    """A p-value as a number: `0.034`, `< 0.001`."""
    if p is None:
        return numbers.UNKNOWN
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _row(rival: Rival, ranking: Ranking, numbered: dict[str, int], role: str) -> RankRow:
    others = [one for one in ranking.rivals if one.id != rival.id]
    better = [one for one in others if ranking.is_better(rival.id, one.id)]
    some = {one.id: ranking.better_on(rival.id, one.id) for one in others if one not in better}
    cost = rival.cost
    return RankRow(
        number=numbered[rival.id],
        role=role,
        name=rival.name,
        outcome=rival.outcome,
        choices=[
            f"{key.removeprefix('train.').removeprefix('options.')} {value_words(value)}"
            for key, value in rival.choices.items()
        ],
        scores=rival.scores,
        places=str(rival.highest_place)
        if rival.highest_place == rival.lowest_place
        else f"{rival.highest_place} to {rival.lowest_place}",
        better_than=[numbered[one.id] for one in better],
        partly=[
            f"{numbered[id_]} ({join_words([metric_label(name) for name in metrics])} only)"
            for id_, metrics in some.items()
            if metrics
        ],
        groups="".join(_letter(number) for number in rival.groups),
        cost=[
            (numbers.format_duration(cost.seconds), ""),
            (numbers.format_bytes(cost.peak_memory_bytes), "peak"),
            (numbers.format_count(cost.trainable_parameters), "parameters"),
            (numbers.UNKNOWN if cost.tokens_per_second is None else f"{cost.tokens_per_second:,.0f}", "tokens/s"),
        ]
        if cost
        else [],
    )


def _describe_pair(rows: Sequence[RivalDifference], numbered: dict[str, int]) -> str:
    """`2 is clearly better`, `2 is clearly better on ROUGE-L only`, `not told apart`."""
    on: dict[str, list[str]] = {}
    for row in rows:
        if row.better is not None:
            on.setdefault(row.better, []).append(metric_label(row.metric))
    if not on:
        return "not told apart"
    return "; ".join(
        f"{numbered[id_]} is clearly better" + ("" if len(names) == len(rows) else f" on {join_words(names)} only")
        for id_, names in on.items()
    )


def _name_roles(comparison: Comparison, ranking: Ranking) -> dict[str, str]:
    places = {result.run: number for number, result in enumerate(comparison.candidates, start=1)}
    return {
        rival.id: pluralize(len(rival.runs), "seed") if len(rival.runs) > 1 else f"candidate {places[rival.id]}"
        for rival in ranking.rivals
    }


def _label(comparison: Comparison, ranking: Ranking) -> dict[str, str]:
    """Each rival's name, with its role or its number in the ranking where others have the same name."""
    roles = _name_roles(comparison, ranking)
    names = Counter(rival.name for rival in ranking.rivals)
    both = Counter((rival.name, roles[rival.id]) for rival in ranking.rivals)
    labels = {}
    for number, rival in enumerate(ranking.rivals, start=1):
        role = roles[rival.id]
        if names[rival.name] == 1:
            labels[rival.id] = rival.name
        else:
            labels[rival.id] = f"{rival.name} ({role if both[rival.name, role] == 1 else f'{role}, row {number}'})"
    return labels


def _letter(number: int) -> str:
    """a to z, then a1, b1, …"""
    turn, place = divmod(number, len(ascii_lowercase))
    return ascii_lowercase[place] + (str(turn) if turn else "")
