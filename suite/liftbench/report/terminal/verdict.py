"""A verdict in the terminal, in full: its findings, guards, seeds and checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.console import RenderableType
from rich.text import Text

from ...judging.compare import CandidateResult, Comparison, SeedsResult
from ...judging.slices import SliceResult
from ...judging.verdict import Verdict
from ...statistics.lift import describe_gain
from ...text.phrases import metric_label
from .. import numbers
from ..alternatives import describe_alternatives
from ..leaks import count_leaks
from ..outcomes import BADGES, SYMBOLS, sort_guards
from .tables import Table
from .text import STYLES, new_table, plain


def list_verdict(verdict: Verdict) -> Iterator[RenderableType]:
    """What is proven, what is not, what would change that, and the guards with what they found."""
    for title, words in (
        ("Proven", verdict.proven),
        ("Not proven", verdict.not_proven),
        ("What would change the answer", verdict.settle),
    ):
        yield from _list_items(title, words, "")
    passed = sum(guard.state == "passed" for guard in verdict.guards)
    yield Text()
    yield Text(f"Checks: {passed} of {len(verdict.guards)} passed (✗ failed, ○ not run, ? undecided)", "bold")
    guards = Table.grid(padding=(0, 1))
    for guard in sort_guards(verdict.guards):
        style = "dim" if guard.state == "passed" else ""
        guards.add_row(Text(SYMBOLS[guard.state], STYLES[guard.state]), plain(guard.title), plain(guard.words, style))
    yield guards
    yield from _list_items("Caveats", verdict.caveats, "dim")


def _list_items(title: str, words: Sequence[str], style: str) -> Iterator[RenderableType]:
    if not words:
        return
    items = Table.grid(padding=(0, 1))
    for each in words:
        items.add_row("-", plain(each, style))
    yield from (Text(), Text(title, "dim" if style else "bold"), items)


def tabulate_seeds(family: SeedsResult, by_run: Mapping[str, CandidateResult]) -> RenderableType:
    """Each seed on its own: its judged lifts and their outcome."""
    verdict = family.verdict
    table = new_table()
    table.title = plain(f"{family.name}, each seed on its own")
    table.add_column("seed", justify="right")
    for name in verdict.headlines:
        table.add_column(plain(metric_label(name)), justify="right")
    table.add_column("outcome")
    for seed, run in zip(family.seeds, family.runs, strict=True):
        result = by_run[run]
        lifts = result.prompted if verdict.against == "best-prompted" else result.lifts
        gains = [describe_gain(lift, verdict.target) for lift in lifts[: len(verdict.headlines)]]
        gains += ["not measured"] * (len(verdict.headlines) - len(gains))
        outcome = result.verdict.outcome
        table.add_row(str(seed), *map(plain, gains), Text(f"{SYMBOLS[outcome]} {BADGES[outcome]}", STYLES[outcome]))
    return table


def list_checks(comparison: Comparison, result: CandidateResult) -> Iterator[RenderableType]:
    """The slices, the leaks and the lift under other choices, in a line or two each."""
    slices = {(one.field, one.label) for one in result.slices if one.state != "not judged"}
    telling = [one for one in result.slices if one.state != "not worse"]
    yield plain(f"Slices: {_describe_slices(len(slices), telling)}", "" if telling else "dim")
    counts = count_leaks(result.leaks)
    found = ", ".join(f"{number} {kind}" for kind, number in counts.items())
    yield plain(f"Leaks: {found or 'none found'}", "" if found else "dim")
    words = describe_alternatives(result.alternatives, comparison.headlines, result.verdict.target)
    yield plain(f"Sensitivity: {words or 'no other choice was tried'}", "dim")


def _describe_slices(checked: int, telling: Sequence[SliceResult]) -> str:
    """`none is worse (12 checked)`, or the slices that are worse, undecided or not judged."""
    if not checked and not telling:
        return "none were checked"
    if not telling:
        return f"none is worse ({checked} checked)"
    listed = [
        f"{SYMBOLS[one.state]} {one.field}: {one.label} (n {one.n}) is {one.state} on {metric_label(one.metric)}"
        + (f", {numbers.format_difference(one.difference)}" if one.state == "worse" else "")
        for one in telling
    ]
    return "\n  ".join([f"{checked} checked", *listed])
