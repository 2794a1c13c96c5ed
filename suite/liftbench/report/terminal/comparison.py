"""The terminal's tables: the comparison with its verdict, and the list of runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, zip_longest

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ...floors.ranking import Position, SystemMeans
from ...floors.validity import Cost, Validity, describe_validity
from ...judging.compare import CandidateResult, Comparison, SeedsResult
from ...judging.slices import SliceResult
from ...judging.verdict import Verdict
from ...records.run import MetricInfo
from ...runs.directory import Run
from ...statistics.lift import Lift, LiftResult, NoLift, describe_gain
from ...text.phrases import metric_label
from .. import numbers
from ..checks import SYMBOLS, alternative_words, in_order, leak_counts
from ..systems import Mean, SystemsTable, label, sight, systems_tables, validity_tables, waterfall

COLUMNS = 4
"""Of numbers beside each other, so that names of systems fit before them."""

STYLES = {
    "verified": "bold green",
    "undecided": "bold yellow",
    "not met": "bold red",
    "unproven": "bold magenta",
    "passed": "green",
    "failed": "bold red",
    "not run": "bold magenta",
}


def comparison_table(comparison: Comparison, runs: Mapping[str, Run]) -> RenderableType:
    """All systems, then seeds judged together, then each candidate with its verdict; `runs` holds the runs by id."""
    baseline = runs[comparison.baseline]
    parts: list[RenderableType] = [systems_table(comparison.metrics, comparison.systems)]
    for name in comparison.headlines:
        steps = [
            " or ".join(f"{step.name} {numbers.score(step.value)}" for step in some)
            for _, some in groupby(waterfall(comparison, name), key=lambda step: step.role)
        ]
        parts.append(plain(f"{metric_label(name)}: {' → '.join(steps)}"))
    if comparison.validity is not None:
        parts += [Text(), *(plain(describe_validity(comparison.validity, name)) for name in comparison.headlines)]
    parts += [plain(f"{name}: {why}", "dim") for name, why in comparison.missing.items()]
    if not comparison.candidates:
        parts.append(plain(f"There is no candidate to judge; the baseline is {baseline.id}."))
    seeds = {run: seed for family in comparison.seeds for run, seed in zip(family.runs, family.seeds, strict=True)}
    by_run = {result.run: result for result in comparison.candidates}
    for family in comparison.seeds:
        parts += [Text(), *_verdict(family.verdict), Text(), _seeds_table(family, by_run)]
    for result in comparison.candidates:
        seed = seeds.get(result.run)
        if seed is None:
            parts += [Text(), _candidate(baseline, runs[result.run], comparison, result), Text()]
            parts += [*_verdict(result.verdict), Text()]
        else:
            name = runs[result.run].manifest.system.name
            parts += [Text(), plain(f"{name}, seed {seed} by itself", "bold"), plain(result.verdict.sentence, "dim")]
        parts += _checks(comparison, result)
    return Group(*parts)


def systems_table(metrics: Sequence[MetricInfo], systems: Sequence[SystemMeans]) -> RenderableType:
    """Every system on every metric, in a table for each group of metrics."""
    found = systems_tables(metrics, systems)
    tables = [table for one in found for table in _wide(one.title, "system", one.metrics, _means(one))]
    return Group(
        *tables, Text("↓ lower is better, · neither way; † saw the references; bold: the best of the rest", "dim")
    )


def validity_table(validity: Validity) -> RenderableType:
    """What each corruption costs on each metric, and in words what each metric sees."""
    tables = [
        table
        for found in validity_tables(validity)
        for table in _wide(
            found.title,
            "corruption",
            found.metrics,
            [(name.replace("-", " "), [_cost(cost) for cost in costs]) for name, _, costs in found.rows],
        )
    ]
    against = "itself, as none has a second one" if validity.against_itself else "the others of its conversation"
    about = plain(
        f"share of the way from the humans down to another conversation's summary, each held against {against}; "
        f"{validity.n} conversations; red: not seen",
        "dim",
    )
    return Group(*tables, about, *(plain(describe_validity(validity, metric.name)) for metric in validity.metrics))


def _means(found: SystemsTable) -> list[tuple[str, list[Text]]]:
    def cell(mean: Mean) -> Text:
        return Text("–" if mean.value is None else numbers.score(mean.value), "bold" if mean.best else "")

    shown = {"bound": " †", "baseline": " (baseline)", "candidate": " (candidate)"}
    return [(f"{one.name}{shown.get(one.role, '')}", [cell(mean) for mean in means]) for one, means in found.rows]


def _cost(cost: Cost | None) -> Text:
    styles = {"blind": "red", "seen": "bold", "": ""}
    return Text("–") if cost is None else Text(numbers.cost(cost.cost), styles[sight(cost)])


def _wide(
    title: str, first: str, columns: Sequence[str], rows: Sequence[tuple[str, Sequence[Text]]]
) -> Iterator[RenderableType]:
    """A table, or as many as it takes to fit a terminal of 80 columns."""
    for start in range(0, len(columns), COLUMNS):
        table = _table()
        table.title = title if not start else None
        table.add_column(first, overflow="fold")
        for column in columns[start : start + COLUMNS]:
            heading = column if len(column) < 10 else column.replace("-", "-\n")
            table.add_column(plain(heading), justify="right", overflow="fold")
        for name, cells in rows:
            table.add_row(plain(name), *cells[start : start + COLUMNS])
        yield table
        yield Text()


def runs_table(runs: Sequence[Run]) -> RenderableType:
    """One line a run: its id, what made it, how much was scored and the headline."""
    headlines = {metric_label(run.manifest.headlines[0]) for run in runs}
    one_headline = len(headlines) == 1
    table = _table()
    table.add_column("run", overflow="fold", ratio=3, min_width=12)
    table.add_column("made by", overflow="fold")
    table.add_column("n", justify="right")
    table.add_column(plain(min(headlines)) if one_headline else "headline", overflow="fold")
    for run in runs:
        manifest = run.manifest
        headline: str = manifest.status
        if manifest.status == "complete":
            found = [row for row in run.summary.metrics if row.name == manifest.headlines[0]]
            headline = numbers.score(found[0].mean if found else None)
            if not one_headline:
                headline = f"{metric_label(manifest.headlines[0])} {headline}"
        table.add_row(plain(run.id), manifest.command, numbers.count(manifest.protocol.n), plain(headline))
    return table


def _candidate(baseline: Run, candidate: Run, comparison: Comparison, result: CandidateResult) -> RenderableType:
    """Its table of metrics, and its place among controls and humans."""
    verdict = result.verdict
    names = [run.manifest.system.name for run in (baseline, candidate)]
    table = _table()
    table.title = plain(f"{names[1]} against {names[0]}")
    table.add_column("metric", overflow="fold")
    for heading in ("baseline", "candidate", "lift", "interval", *(["over best\nprompt"] if result.prompted else [])):
        table.add_column(heading, justify="right", overflow="fold")
    described = {metric.name for metric in comparison.metrics if metric.direction == "neither"}
    labels = {metric.name: label(metric) for metric in comparison.metrics}
    for lift, other in zip_longest(result.lifts, result.prompted):
        if lift.metric not in described:
            more = [plain(numbers.lift(other, verdict.target))] if other else []
            table.add_row(
                *_cells(lift, labels[lift.metric], verdict.target),
                *more,
                style="bold" if lift.metric in verdict.headlines else "",
            )
    method = next((lift.method for lift in result.lifts if isinstance(lift, Lift)), "")
    about = plain(f"bold: the headlines; {method}" if method else "bold: the headlines", "dim")
    reasons = [
        plain(f"{metric_label(lift.metric)}: {lift.reason}", "dim") for lift in result.lifts if isinstance(lift, NoLift)
    ]
    return Group(table, about, *reasons, *map(_position, result.positions))


def _verdict(verdict: Verdict) -> Iterator[RenderableType]:
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
    for guard in in_order(verdict.guards):
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


def _seeds_table(family: SeedsResult, by_run: Mapping[str, CandidateResult]) -> RenderableType:
    """Every seed by itself: its lifts, as judged, and what they amount to."""
    verdict = family.verdict
    table = _table()
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


def _checks(comparison: Comparison, result: CandidateResult) -> Iterator[RenderableType]:
    """A line or two each: parts of the conversations, leaks, the lift under other choices."""
    parts = {(one.field, one.label) for one in result.slices}
    telling = [one for one in result.slices if one.state != "not worse"]
    yield plain(f"Parts of the conversations: {_parts_words(len(parts), telling)}", "" if telling else "dim")
    counts = leak_counts(result.leaks)
    found = ", ".join(f"{number} {kind}" for kind, number in counts.items())
    yield plain(f"Leaks: {found or 'none found'}", "" if found else "dim")
    words = alternative_words(result.alternatives, comparison.headlines, result.verdict.target)
    yield plain(f"Other choices: {words or 'none tried'}", "dim")


def _parts_words(parts: int, telling: Sequence[SliceResult]) -> str:
    if not parts:
        return "none"
    if not telling:
        return f"worse on none of {parts}"
    listed = [
        f"{SYMBOLS[one.state]} {one.field}: {one.label} ({one.n}) {one.state} on {metric_label(one.metric)}"
        + (f", {numbers.difference(one.difference)}" if one.state == "worse" else "")
        for one in telling
    ]
    return "\n  ".join([f"{parts}, of which", *listed])


def _position(position: Position) -> Text:
    metric = metric_label(position.metric)
    if position.value is None:
        return plain(f"{metric}: no place between {position.floor} and the humans: {position.problem}", "dim")
    return plain(
        f"{metric}: {numbers.signed(position.value)} of the way from the best control ({position.floor}, "
        f"{numbers.score(position.floor_mean)}) to the humans ({numbers.score(position.ceiling_mean)}); "
        f"95% interval {numbers.signed(position.low)} to {numbers.signed(position.high)}"
    )


def _cells(lift: LiftResult, name: str, target: float) -> list[Text]:
    words = [
        name,
        numbers.score(lift.baseline),
        numbers.score(lift.candidate),
        numbers.lift(lift, target),
        "" if isinstance(lift, NoLift) else numbers.lift_interval(lift, target),
    ]
    return [plain(word) for word in words]


def _table() -> Table:
    return Table(
        box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1), title_justify="left", title_style="bold"
    )


def plain(words: str, style: str = "") -> Text:
    """Text that is no markup and holds no control character: names and notes come from files."""
    return Text(
        "".join(each if each.isprintable() or each == "\n" else "\N{REPLACEMENT CHARACTER}" for each in words), style
    )
