"""The verdicts as the page shows them: the answer and the figures that it rests on; seeds of one training together."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from ...floors.ranking import Position
from ...judging.compare import CandidateResult, Comparison, SeedsResult
from ...judging.verdict import Verdict
from ...records.run import Against
from ...runs.differences import Difference
from ...statistics.lift import Lift, LiftResult
from ...text.phrases import metric_label, pluralize
from .. import numbers
from ..answer import Answer, answer_candidate, answer_families
from .appendix import Cell, Row
from .conversations import Subject

OVER: dict[Against, str] = {"baseline": "baseline", "best-prompted": "best-prompted baseline"}


class Column(Struct, frozen=True):
    """The head of a column of figures."""

    role: str
    """The metric."""
    name: str
    """What the lift is over."""


class Card(Struct, frozen=True, kw_only=True):
    """A verdict with its figures."""

    role: str
    """`candidate`, `candidate 2`, `seed 7`, or `3 seeds together`."""
    name: str
    """The system's name."""
    answer: Answer
    verdict: Verdict
    lifts: list[LiftResult]
    """The judged lift on each headline."""
    columns: list[Column]
    behind: list[Row]
    """The figures behind the verdict: a cell for each column."""
    differences: list[Difference]
    """How its system differs from the baseline's."""
    not_proven: list[str]
    """What the measurement does not show, beside what the guards say."""
    caveats: list[str]
    """The caveats that not all cards share."""


class Judgement(Struct, frozen=True, kw_only=True):
    """A verdict that counts."""

    card: Card
    seeds: list[Card]
    """The single seeds that were judged together; empty for a single candidate."""


def build_judgements(candidates: Sequence[Subject], comparison: Comparison) -> list[Judgement]:
    """The verdicts that count, seeds judged together first."""
    shared = find_shared_caveats(comparison)
    by_run = {result.run: result for result in comparison.candidates}
    single = {
        run: _card(comparison, subject.role, answer_candidate(comparison, result, subject.name), result, shared)
        for subject, (run, result) in zip(candidates, by_run.items(), strict=True)
    }
    families = []
    for family, answer in zip(comparison.seeds, answer_families(comparison), strict=True):
        role = f"{pluralize(len(family.seeds), 'seed')} together"
        result = _together(family, by_run[family.runs[0]])
        card = _card(comparison, role, answer, result, shared)
        families.append(Judgement(card=card, seeds=[single[run] for run in family.runs]))
    together = {run for family in comparison.seeds for run in family.runs}
    return families + [Judgement(card=card, seeds=[]) for run, card in single.items() if run not in together]


def _together(family: SeedsResult, first: CandidateResult) -> CandidateResult:
    """Seeds as one candidate; only its judged lifts are known."""
    lifts: dict[Against, list[LiftResult]] = {family.verdict.against: family.lifts}
    return replace(
        first,
        verdict=family.verdict,
        lifts=lifts.get("baseline", []),
        prompted=lifts.get("best-prompted", []),
        positions=[],
    )


def find_shared_caveats(comparison: Comparison) -> list[str]:
    """The caveats that all verdicts share, which the page says once; none where there is only one verdict."""
    verdicts = [family.verdict for family in comparison.seeds] + [one.verdict for one in comparison.candidates]
    if len(verdicts) < 2:
        return []
    first, *others = (verdict.caveats for verdict in verdicts)
    return [caveat for caveat in first if all(caveat in other for other in others)]


def _card(comparison: Comparison, role: str, answer: Answer, result: CandidateResult, shared: Sequence[str]) -> Card:
    verdict = result.verdict
    over: dict[Against, list[LiftResult]] = {"baseline": result.lifts, "best-prompted": result.prompted}
    lifts = [
        (against, some[place])
        for place in range(len(comparison.headlines))
        for against, some in over.items()
        if place < len(some)
    ]
    told = [f"{guard.question} {guard.words}" for guard in verdict.guards]
    return Card(
        role=role,
        name=answer.name,
        answer=answer,
        verdict=verdict,
        lifts=[lift for against, lift in lifts if against == verdict.against],
        columns=[Column(metric_label(lift.metric), f"over the {OVER[against]}") for against, lift in lifts],
        behind=_behind([lift for _, lift in lifts], result.positions, verdict.target),
        differences=result.differences,
        not_proven=[words for words in verdict.not_proven if words not in told],
        caveats=[caveat for caveat in verdict.caveats if caveat not in shared],
    )


def _behind(lifts: Sequence[LiftResult], positions: Sequence[Position], target: float) -> list[Row]:
    """What the lifts rest on: a row for each figure, a cell for each lift."""
    places = {position.metric: position for position in positions}
    rows: dict[str, Callable[[Lift], Cell]] = {
        "Mean of the baseline": lambda lift: Cell(numbers.format_score(lift.baseline)),
        "Mean of the candidate": lambda lift: Cell(numbers.format_score(lift.candidate)),
        "Lift": lambda lift: Cell(numbers.format_lift(lift, target), numbers.format_lift_interval(lift, target)),
        "Difference of the means": lambda lift: Cell(
            numbers.format_difference(lift.difference),
            numbers.format_difference_interval(lift.difference_low, lift.difference_high),
        ),
        f"Candidate minus {1 + target:.4g} times the baseline": lambda lift: Cell(
            numbers.format_difference_interval(lift.surplus_low, lift.surplus_high),
            "decides" if lift.decides == "surplus" else "",
        ),
        "How often chance alone makes a difference this large": lambda lift: Cell(numbers.describe_chance(lift.p)),
        "The same, corrected for all metrics and candidates": lambda lift: Cell(numbers.describe_chance(lift.p_holm)),
        "Smallest lift that these conversations would verify four times out of five": lambda lift: Cell(
            f"{lift.detectable:+.0%}"
        ),
        "Conversations needed to settle it four times out of five": lambda lift: Cell(
            numbers.UNKNOWN if lift.needed is None else f"about {lift.needed:,}", f"here: {lift.n:,}"
        ),
    }
    found = [
        Row(name, [make(lift) if isinstance(lift, Lift) else Cell(numbers.UNKNOWN) for lift in lifts])
        for name, make in rows.items()
    ]
    name = "Position between the best control (0) and the humans (1)"
    return [*found, Row(name, [_place(places.get(lift.metric)) for lift in lifts])]


def _place(position: Position | None) -> Cell:
    if position is None:
        return Cell("not measured")
    if position.problem:
        return Cell("undefined", f"{position.problem} ({position.floor})")
    interval = f"{numbers.format_position(position.low)} to {numbers.format_position(position.high)}"
    return Cell(numbers.format_position(position.value), f"{interval}; best control: {position.floor}")
