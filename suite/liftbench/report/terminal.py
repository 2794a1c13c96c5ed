"""The terminal's tables: the comparison with its verdict, and the list of runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..runs import Run
from ..types import CandidateResult, Comparison, Lift
from ..verdict import metric_label
from . import numbers

STYLES = {"verified": "bold green", "undecided": "bold yellow", "not met": "bold red", "unproven": "bold magenta"}


def comparison_table(comparison: Comparison, runs: Mapping[str, Run]) -> RenderableType:
    """A table of metrics, the verdict and its caveats for each candidate; `runs` holds the comparison's runs by id."""
    baseline = runs[comparison.baseline]
    parts: list[RenderableType] = []
    for result in comparison.candidates:
        parts += [_candidate(baseline, runs[result.run], result), Text()]
    if not parts:
        return _plain(f"There is no candidate to judge; the baseline is {baseline.id}.")
    return Group(*parts[:-1])


def runs_table(runs: Sequence[Run]) -> RenderableType:
    """One line a run: its id, what made it, how much was scored and the headline."""
    headlines = {metric_label(run.manifest.headline) for run in runs}
    one_headline = len(headlines) == 1
    table = _table()
    table.add_column("run", overflow="fold", ratio=3, min_width=12)
    table.add_column("made by", overflow="fold")
    table.add_column("n", justify="right")
    table.add_column(_plain(min(headlines)) if one_headline else "headline", overflow="fold")
    for run in runs:
        manifest = run.manifest
        headline: str = manifest.status
        if manifest.status == "complete":
            found = [row for row in run.summary.metrics if row.name == manifest.headline]
            headline = numbers.score(found[0].mean if found else None)
            if not one_headline:
                headline = f"{metric_label(manifest.headline)} {headline}"
        table.add_row(_plain(run.id), manifest.command, numbers.count(manifest.protocol.n), _plain(headline))
    return table


def _candidate(baseline: Run, candidate: Run, result: CandidateResult) -> RenderableType:
    verdict = result.verdict
    names = [run.manifest.system.name for run in (baseline, candidate)]
    table = _table()
    table.title = _plain(f"{names[1]} against {names[0]}")
    table.add_column("metric", overflow="fold")
    for heading in ("baseline", "candidate", "lift", "interval"):
        table.add_column(heading, justify="right", overflow="fold")
    for lift in result.lifts:
        table.add_row(*_cells(lift, verdict.target), style="bold" if lift.metric == verdict.headline else "")
    sentence = _plain(verdict.sentence)
    head, colon, _ = sentence.plain.partition(":")
    if colon and head.lower() == verdict.outcome:
        sentence.stylize(STYLES[verdict.outcome], 0, len(head))
    caveats = Table.grid(padding=(0, 1))
    for caveat in verdict.caveats:
        caveats.add_row("-", _plain(caveat, "dim"))
    about = _plain(f"bold: the headline; {result.lifts[0].method}" if result.lifts else "", "dim")
    shown: list[RenderableType] = [table, about, Text(), sentence]
    if verdict.caveats:
        shown += [Text(), Text("What this does not show:", style="dim"), caveats]
    return Group(*shown)


def _cells(lift: Lift, target: float) -> list[Text]:
    if lift.lift is None:
        means = [numbers.score(lift.baseline), numbers.score(lift.candidate)]
        return [_plain(metric_label(lift.metric)), *map(Text, means), Text(numbers.UNKNOWN), _plain(lift.problem)]
    words = [
        metric_label(lift.metric),
        numbers.score(lift.baseline),
        numbers.score(lift.candidate),
        numbers.lift(lift, target),
        numbers.lift_interval(lift, target),
    ]
    return [_plain(word) for word in words]


def _table() -> Table:
    return Table(
        box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1), title_justify="left", title_style="bold"
    )


def _plain(words: str, style: str = "") -> Text:
    """Text that is no markup and holds no control character: names and notes come from files."""
    return Text(
        "".join(each if each.isprintable() or each == "\n" else "\N{REPLACEMENT CHARACTER}" for each in words), style
    )
