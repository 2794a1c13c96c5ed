"""The page of a gate: its rules, the conversations that lost most, the trend of its baselines, and the machines."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup
from msgspec import Struct

from ..gates import Against, GateReport
from ..promotion import Version
from ..runs import Run
from ..wording import metric_label
from . import charts, numbers
from .conversations import Entry, Subject, entries
from .figures import metric_rows
from .gate_words import against_words, elsewhere, in_gravity, outcome
from .html import template


class Trend(Struct, frozen=True, kw_only=True):
    """A promoted baseline's versions, and a chart of each headline."""

    name: str
    versions: list[Version]
    headlines: list[str]
    charts: list[tuple[str, Markup]]


def render_gate(report: GateReport, runs: Sequence[Run], against: Against) -> str:
    """The page of a gate. The same input gives the same bytes."""
    held = [("baseline", against.baseline)] + ([("proven", against.proven)] if against.proven else [])
    promoted = [Subject(role=role, name=one.name, run=one.run(runs[0].conversations)) for role, one in held]
    gated = [
        Subject(role="run" if len(runs) == 1 else f"run {number}", name=run.manifest.system.name, run=run)
        for number, run in enumerate(runs, start=1)
    ]
    subjects = [*promoted, *gated]
    lost = _lost(report, subjects)
    page: str = template("gate.html.j2").render(
        title=f"{report.system} against {report.baseline}",
        report=report,
        outcome=outcome(report),
        against=against_words(report),
        results=in_gravity(report.results),
        entries=lost,
        anchors={entry.conversation.id: entry.anchor for entry in lost},
        metrics=metric_rows(subjects, against.baseline.measured.manifest.headlines, [None] * len(subjects)),
        trends=[_trend(one.name, one.versions, runs) for _, one in held],
        elsewhere=elsewhere(report),
        subjects=subjects,
    )
    return page


def _lost(report: GateReport, subjects: Sequence[Subject]) -> list[Entry]:
    """The conversations that a broken rule names, with what was written."""
    ids = {loss.id for result in report.results for loss in result.losses}
    metric = next((result.metric for result in report.results if result.losses), "")
    if not metric:
        return []
    shown = [subjects[0], *(subject for subject in subjects if subject.role.startswith("run"))]
    return [entry for entry in entries(shown, [metric], 1) if entry.conversation.id in ids]


def _trend(name: str, versions: Sequence[Version], runs: Sequence[Run]) -> Trend:
    headlines = list(versions[-1].means)
    return Trend(
        name=name,
        versions=list(versions),
        headlines=headlines,
        charts=[(metric_label(metric), _drawn(name, metric, versions, runs)) for metric in headlines],
    )


def _drawn(name: str, metric: str, versions: Sequence[Version], runs: Sequence[Run]) -> Markup:
    """Of the versions that were measured as the last one was: other figures are no trend."""
    points = [
        charts.Point(f"version {one.number}", found.mean, found.low, found.high)
        for one in versions
        if one.protocol == versions[-1].protocol and (found := one.means.get(metric)) and found.mean is not None
    ]
    points += [
        charts.Point("this run", row.mean, row.low, row.high, gated=True)
        for run in runs
        for row in run.summary.metrics
        if row.name == metric and row.mean is not None
    ]
    words = ", ".join(f"{point.label} {numbers.score(point.mean)}" for point in points)
    return charts.trend(points, f"{metric_label(metric)} of {name}: {words}.")
