"""The lift under other choices, as rows of a table and in words."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from ..judging.sensitivity import Alternative
from ..statistics.lift import Lift
from ..text.phrases import join_words, metric_label, pluralize
from . import numbers
from .outcomes import REACHED


class AlternativeRow(Struct, frozen=True, kw_only=True):
    """The lift on every headline with one choice made differently."""

    name: str
    kind: str
    cells: list[Alternative | None]
    """One for each headline; None where the choice does not apply."""
    changed: list[Alternative]
    """The cells whose outcome differs from the measured one."""


def tabulate_alternatives(alternatives: Sequence[Alternative], headlines: Sequence[str]) -> list[AlternativeRow]:
    """A row for each choice, in the order of `alternatives`."""
    cells = {(choice.name, choice.lift.metric): choice for choice in alternatives}
    measured = {choice.lift.metric: choice.outcome for choice in alternatives if choice.kind == "as measured"}
    rows = []
    for name, kind in {choice.name: choice.kind for choice in alternatives}.items():
        some = [cells.get((name, headline)) for headline in headlines]
        changed = [one for one in some if one and one.outcome != measured.get(one.lift.metric, one.outcome)]
        rows.append(AlternativeRow(name=name, kind=kind, cells=some, changed=changed))
    return rows


def describe_alternatives(alternatives: Sequence[Alternative], headlines: Sequence[str], target: float) -> str:
    """Whether reaching the target depends on one choice, in two sentences; empty where no other choice was tried."""
    rows = [row for row in tabulate_alternatives(alternatives, headlines) if row.kind != "as measured"]
    if not rows:
        return ""
    spans = []
    for place, metric in enumerate(headlines):
        cells = [row.cells[place] for row in rows]
        lifts = [cell.lift for cell in cells if cell and isinstance(cell.lift, Lift)]
        if known := sorted(lifts, key=lambda lift: lift.lift):
            ends = f"{numbers.format_lift(known[0], target)} to {numbers.format_lift(known[-1], target)}"
            spans.append(f"{ends} on {metric_label(metric)}")
    over = f"{'With it' if len(rows) == 1 else 'Across them'} the lift is {join_words(spans) or numbers.UNKNOWN}."
    changing = [f"{row.name} ({_outcomes(row)})" for row in rows if row.changed]
    if not changing:
        return f"No other choice changes whether the lift reaches the target ({len(rows)} tried). {over}"
    verb = "changes" if len(changing) == 1 else "change"
    number = pluralize(len(rows), "other choice")
    return f"{len(changing)} of {number} {verb} whether the lift reaches the target: {join_words(changing)}. {over}"


def _outcomes(row: AlternativeRow) -> str:
    """What changed: `open on ROUGE-L and content-overlap`."""
    places: dict[str, list[str]] = {}
    for choice in row.changed:
        places.setdefault(REACHED[choice.outcome], []).append(metric_label(choice.lift.metric))
    return ", ".join(f"{state} on {join_words(metrics)}" for state, metrics in places.items())
