"""The page of a gate: its rules, the conversations that it names, the trend of its baselines, and the machines."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup
from msgspec import Struct

from ...gating.baselines import Version
from ...gating.context import RuleResult
from ...gating.gate import Against, GateReport
from ...judging.guards import not_passed
from ...runs.directory import Run
from ...text.phrases import metric_label
from .. import numbers
from ..charts.trend import Point, draw_trend
from ..html.conversations import Listing, Subject, list_conversations
from ..html.metrics import tabulate_metrics
from ..html.page import get_template
from ..outcomes import rule_state
from .sentences import compared_system, describe_baselines, find_machine_changes, sort_results


class Trend(Struct, frozen=True, kw_only=True):
    """A promoted baseline's versions, and a chart of each headline."""

    name: str
    versions: list[Version]
    headlines: list[str]
    charts: list[tuple[str, Markup]]


def render_gate(report: GateReport, runs: Sequence[Run], against: Against) -> str:
    """The page of a gate. The same input gives the same bytes."""
    held = [("baseline", against.baseline)] + ([("proven", against.proven)] if against.proven else [])
    systems = {role: one.run(runs[0].conversations) for role, one in held}
    promoted = [Subject(role=role, name=one.name, run=systems[role]) for role, one in held]
    gated = [
        Subject(role="run" if len(runs) == 1 else f"run {number}", name=run.manifest.system.name, run=run)
        for number, run in enumerate(runs, start=1)
    ]
    subjects = [*promoted, *gated]
    lost = _lost(report, against, gated)
    metrics = tabulate_metrics(
        subjects, against.baseline.measured.manifest.headlines, [None] * (len(promoted) + len(gated))
    )
    wanted = {id_ for guard in not_passed(report.guards) for id_ in guard.ids}
    evidence = list_conversations(
        [promoted[0], *gated],
        [(metric.name, metric.direction) for metric in metrics],
        name="evidence",
        prefix="e",
        ids=wanted,
        controls=False,
    )
    page: str = get_template("gate.html.j2").render(
        title=f"{report.system} against {report.baseline}",
        report=report,
        rule_state=rule_state,
        against=describe_baselines(report),
        results=sort_results(report.results),
        compared_system=compared_system,
        lost=lost,
        anchors={
            (one.result.rule, entry.conversation.id): entry.anchor for one in lost for entry in one.listing.entries
        },
        evidence=evidence if evidence.entries else None,
        found={entry.conversation.id: entry.anchor for entry in evidence.entries},
        metrics=metrics,
        gated=gated,
        trends=[_trend(one.name, one.versions, runs) for _, one in held],
        changes=find_machine_changes(report),
        subjects=subjects,
    )
    return page


class Lost(Struct, frozen=True, kw_only=True):
    """The conversations that a broken rule names, with what was written."""

    result: RuleResult
    listing: Listing


def _lost(report: GateReport, against: Against, gated: Sequence[Subject]) -> list[Lost]:
    found = []
    for number, result in enumerate(report.results, start=1):
        if not result.losses:
            continue
        run = next(subject for subject in gated if subject.run.id == result.run)
        name = compared_system(result)
        other = against.systems(run.run.conversations)[name]
        wanted = {loss.id for loss in result.losses}
        lower = result.losses[0].after > result.losses[0].before
        listing = list_conversations(
            [Subject(role=name, name=other.manifest.system.name, run=other), run],
            [(result.metric, "lower" if lower else "higher")],
            name=f"rule-{number}",
            prefix=f"r{number}c",
            ids=wanted,
            controls=False,
        )
        found.append(Lost(result=result, listing=listing))
    return found


def _trend(name: str, versions: Sequence[Version], runs: Sequence[Run]) -> Trend:
    headlines = list(versions[-1].means)
    return Trend(
        name=name,
        versions=list(versions),
        headlines=headlines,
        charts=[(metric_label(metric), _draw_versions(name, metric, versions, runs)) for metric in headlines],
    )


def _draw_versions(name: str, metric: str, versions: Sequence[Version], runs: Sequence[Run]) -> Markup:
    """A chart of the versions that were measured like the last one; figures of the others do not compare."""
    points = [
        Point(f"version {one.number}", found.mean, found.low, found.high)
        for one in versions
        if one.protocol == versions[-1].protocol and (found := one.means.get(metric)) and found.mean is not None
    ]
    points += [
        Point("this run", row.mean, row.low, row.high, gated=True)
        for run in runs
        for row in run.summary.metrics
        if row.name == metric and row.mean is not None
    ]
    words = ", ".join(f"{point.label} {numbers.format_score(point.mean)}" for point in points)
    return draw_trend(points, f"{metric_label(metric)} of {name}: {words}.")
