"""The verdicts as the page shows them: each with its figures, charts and what is behind them, seeds judged together."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup
from msgspec import Struct
from msgspec.structs import replace

from ..sight import validity_words
from ..types import CandidateResult, Comparison, Difference, Lift, Position, Verdict
from ..wording import counted, metric_label
from . import charts, numbers
from .conversations import Subject
from .facts import Cell, Row

OVER = {"baseline": "baseline", "best-prompted": "best-prompted baseline"}


class Headline(Struct, frozen=True, kw_only=True):
    """One metric that a candidate is judged on."""

    lift: Lift
    """The one that is judged."""
    chart: Markup
    sight: str
    """What the metric can and cannot see, as measured; empty where it was not."""


class Column(Struct, frozen=True):
    """The head of a column of figures."""

    role: str
    """The metric."""
    name: str
    """Over what its lift is."""


class Card(Struct, frozen=True, kw_only=True):
    """A verdict with its figures."""

    role: str
    """`candidate`, `candidate 2`, `seed 7`, or `3 seeds together`."""
    name: str
    """Of the system."""
    verdict: Verdict
    headlines: list[Headline]
    columns: list[Column]
    behind: list[Row]
    """The figures behind the verdict: a cell for each column."""
    differences: list[Difference]
    """How its system differs from the baseline's."""
    caveats: list[str]
    """Those that do not hold for all cards alike."""


class Judgement(Struct, frozen=True, kw_only=True):
    """A verdict that counts."""

    card: Card
    seeds: list[Card]
    """Of the single seeds that were judged together; empty for a candidate that is judged by itself."""


def judgements(candidates: Sequence[Subject], comparison: Comparison) -> list[Judgement]:
    """The verdicts that count, those of seeds judged together first; all intervals on one metric are on one scale."""
    shared = shared_caveats(comparison)
    results = zip(candidates, comparison.candidates, strict=True)
    single = {
        result.run: _card(
            comparison, subject.role, subject.name, result.verdict, _lifts(result), result.positions, shared,
            result.differences,
        )
        for subject, result in results
    }  # fmt: skip
    families = [
        Judgement(
            card=_card(
                comparison,
                f"{counted(len(family.seeds), 'seed')} together",
                family.name,
                family.verdict,
                {family.verdict.against: family.lifts},
                [],
                shared,
                single[family.runs[0]].differences,
            ),
            seeds=[single[run] for run in family.runs],
        )
        for family in comparison.seeds
    ]
    together = {run for family in comparison.seeds for run in family.runs}
    alone = [Judgement(card=card, seeds=[]) for run, card in single.items() if run not in together]
    return families + alone


def shared_caveats(comparison: Comparison) -> list[str]:
    """What is to be known of all verdicts alike where there are several, to be said once."""
    first, *others = (one.verdict.caveats for one in (*comparison.seeds, *comparison.candidates)) or [[]]
    return [caveat for caveat in first if all(caveat in other for other in others)] if others else []
