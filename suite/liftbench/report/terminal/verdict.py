"""A verdict in the terminal: its sentence, findings, guards, seeds and checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from ...judging.compare import CandidateResult, Comparison, SeedsResult
from ...judging.slices import SliceResult
from ...judging.verdict import Verdict
from ...statistics.lift import describe_gain
from ...text.phrases import metric_label
from .. import numbers
from ..alternatives import describe_alternatives
from ..leaks import count_leaks
from ..outcomes import SYMBOLS, sort_guards
from .text import STYLES, new_table, plain


def list_verdict(verdict: Verdict) -> Iterator[RenderableType]:
    """The sentence, what is proven, what not, what would settle it, and the guards."""
    yield _sentence(verdict)
    for title, words in (
        ("Proven", verdict.proven),
        ("Not proven", verdict.not_proven),
        ("What would settle it", verdict.settle),
    ):
        yield from _listed(title, words, "")
    passed = sum(guard.state == "passed" for guard in verdict.guards)
    yield Text()
    yield Text(f"Guards: {passed} of {len(verdict.guards)} passed (✗ failed, ○ not run, ? undecided)", "bold")
    guards = Table.grid(padding=(0, 1))
    for guard in sort_guards(verdict.guards):
        style = "dim" if guard.state == "passed" else ""
        guards.add_row(Text(SYMBOLS[guard.state], STYLES[guard.state]), plain(guard.name), plain(guard.words, style))
    yield guards
    yield from _listed("What else to know", verdict.caveats, "dim")


def _sentence(verdict: Verdict) -> Text:
    sentence = plain(verdict.sentence)
    head, colon, _ = sentence.plain.partition(":")
    if colon and head.lower() == verdict.outcome:
        sentence.stylize(STYLES[verdict.outcome], 0, len(head))
    return sentence


def _listed(title: str, words: Sequence[str], style: str) -> Iterator[RenderableType]:
    if not words:
        return
    items = Table.grid(padding=(0, 1))
    for each in words:
        items.add_row("-", plain(each, style))
    yield from (Text(), Text(title, "dim" if style else "bold"), items)


def tabulate_seeds(family: SeedsResult, by_run: Mapping[str, CandidateResult]) -> RenderableType:
    """Every seed by itself: its lifts, as judged, and what they amount to."""
    verdict = family.verdict
    table = new_table()
    table.title = plain(f"{family.name}, every seed by itself")
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
        table.add_row(str(seed), *map(plain, gains), Text(f"{SYMBOLS[outcome]} {outcome}", STYLES[outcome]))
    return table


def list_checks(comparison: Comparison, result: CandidateResult) -> Iterator[RenderableType]:
    """A line or two each: parts of the conversations, leaks, the lift under other choices."""
    parts = {(one.field, one.label) for one in result.slices}
    telling = [one for one in result.slices if one.state != "not worse"]
    yield plain(f"Parts of the conversations: {_parts_words(len(parts), telling)}", "" if telling else "dim")
    counts = count_leaks(result.leaks)
    found = ", ".join(f"{number} {kind}" for kind, number in counts.items())
    yield plain(f"Leaks: {found or 'none found'}", "" if found else "dim")
    words = describe_alternatives(result.alternatives, comparison.headlines, result.verdict.target)
    yield plain(f"Other choices: {words or 'none tried'}", "dim")


def _parts_words(parts: int, telling: Sequence[SliceResult]) -> str:
    if not parts:
        return "none"
    if not telling:
        return f"worse on none of {parts}"
    listed = [
        f"{SYMBOLS[one.state]} {one.field}: {one.label} ({one.n}) {one.state} on {metric_label(one.metric)}"
        + (f", {numbers.format_difference(one.difference)}" if one.state == "worse" else "")
        for one in telling
    ]
    return "\n  ".join([f"{parts}, of which", *listed])
