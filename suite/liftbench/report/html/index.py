"""The index of all runs, pages and promoted baselines of a folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from markupsafe import Markup
from msgspec import Struct

from ...gating.baselines import Mean, Version
from ...text.phrases import metric_label, pluralize
from ...workflow.index import Index, IndexedBaseline, IndexedRun
from ..charts.lines import Line, Look, choose_look, draw_swatch, draw_times
from ..outcomes import SYMBOLS
from .page import get_template, use_own


class Links(Struct, frozen=True, kw_only=True):
    """Where the index leads to."""

    page: Callable[[str], str]
    """The address of a page, by the name of its file."""
    run: Callable[[str], str] | None = None
    """The address of a page about one run, made on request; None where nothing can be made."""


class Trend(Struct, frozen=True, kw_only=True):
    """The systems that were measured with one protocol, over time."""

    title: str
    legend: list[tuple[Markup, str, int]]
    """Swatch, name and number of measurements of each system."""
    charts: list[Markup]
    """One for each headline."""


class Versions(Struct, frozen=True, kw_only=True):
    """A promoted baseline over time."""

    baseline: IndexedBaseline
    charts: list[Markup]
    metrics: list[str]


def render_index(index: Index, links: Links) -> str:
    """The index as a page; the same index gives the same bytes."""
    pages = {page.name: page for page in index.pages}
    text: str = get_template("index.html.j2").render(
        **use_own("index.css", "index.js"),
        title="Runs",
        index=index,
        links=links,
        pages=pages,
        marks=SYMBOLS | {"complete": "✓", "trained": "○", "running": "○", "damaged": "✗"},
        metrics=list(dict.fromkeys(metric for run in index.runs for metric in run.means)),
        protocols=_name_protocols(index.runs),
        trends=[trend for trend in _list_trends(index) if trend.charts],
        versions=[_list_versions(one) for one in index.baselines],
        sums=[
            pluralize(len(index.runs), "run"),
            pluralize(len(index.pages), "page"),
            pluralize(len(index.baselines), "promoted baseline"),
            f"{len(index.damaged) + sum(run.status == 'damaged' for run in index.runs)} damaged",
        ],
    )
    return text


def _name_protocols(runs: Sequence[IndexedRun]) -> dict[str, str]:
    """Each protocol in words, with a part of its hash where several have the same words."""
    words: dict[str, str] = {}
    for run in reversed(runs):
        words.setdefault(run.protocol, f"{run.dataset}, {run.split}, {pluralize(run.n, 'conversation')}")
    return {key: f"{name} ({key[:6]})" if list(words.values()).count(name) > 1 else name for key, name in words.items()}


def _list_trends(index: Index) -> list[Trend]:
    """One trend for each protocol under which anything was measured twice, the latest used first."""
    groups: dict[str, list[IndexedRun]] = {}
    for run in index.runs:
        if run.means:
            groups.setdefault(run.protocol, []).append(run)
    names = _name_protocols(index.runs)
    return [_trend(names[protocol], list(reversed(runs))) for protocol, runs in groups.items() if len(runs) > 1]


def _trend(title: str, runs: Sequence[IndexedRun]) -> Trend:
    """The trend of some runs with one protocol, the oldest first."""
    systems: dict[str, list[IndexedRun]] = {}
    for run in runs:
        systems.setdefault(run.system, []).append(run)
    looks = {system: choose_look(place) for place, system in enumerate(systems)}
    metrics = dict.fromkeys(metric for run in runs for metric in run.means)
    return Trend(
        title=title,
        legend=[(draw_swatch(looks[system]), system, len(some)) for system, some in systems.items()],
        charts=[
            draw_times(
                [
                    _line([(run.created, run.means[metric]) for run in some if metric in run.means], looks[system])
                    for system, some in systems.items()
                ],
                metric_label(metric),
                f"{metric_label(metric)} of {pluralize(len(systems), 'system')} over time: {title}.",
            )
            for metric in metrics
        ],
    )


def _list_versions(one: IndexedBaseline) -> Versions:
    """A promoted baseline with a chart of the versions that were measured like the last one."""
    alike: list[Version] = [version for version in one.versions if version.protocol == one.versions[-1].protocol]
    metrics = list(one.versions[-1].means)
    charts: Mapping[str, Markup] = {
        metric: draw_times(
            [
                _line(
                    [(version.created, version.means[metric]) for version in alike if metric in version.means],
                    choose_look(0),
                )
            ],
            metric_label(metric),
            f"{metric_label(metric)} of the promoted baseline {one.name} over time.",
        )
        for metric in (metrics if len(alike) > 1 else ())
    }
    return Versions(baseline=one, charts=list(charts.values()), metrics=metrics)


def _line(measured: Sequence[tuple[str, Mean]], look: Look) -> Line:
    """Means with their intervals, by the time of the measurement."""
    known = [
        (datetime.fromisoformat(created).timestamp() * 1000, one.mean, one)
        for created, one in measured
        if one.mean is not None
    ]
    return Line(
        points=[(at, mean) for at, mean, _ in known],
        spread=[
            (mean if one.low is None else one.low, mean if one.high is None else one.high) for _, mean, one in known
        ],
        look=look,
        thick=True,
    )
