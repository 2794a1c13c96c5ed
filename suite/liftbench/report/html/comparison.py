"""The HTML report: pure functions from runs to one self-contained page that loads nothing and needs no script."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup, escape

from ...judging.compare import Comparison, SeedsResult
from ...runs.directory import Run
from ...text.phrases import metric_label
from .. import numbers
from ..checks import LEAKS, SYMBOLS, alternative_rows, alternative_words, in_order, leak_counts
from ..systems import sight, systems_tables, validity_tables
from . import appendix
from .conversations import Subject, entries
from .figures import alike, gains, metric_rows, trainings, waterfalls
from .verdict_cards import judgements, shared_caveats


def render_comparison(comparison: Comparison, runs: Mapping[str, Run], sections: Iterable[tuple[str, str]] = ()) -> str:
    """The page of a comparison: the verdict first, then all that led to it.

    `runs` holds every run that the comparison names, by id; `sections` are titles with plain text, from plugins. The
    same input gives the same bytes. Raises `UsageError` where a run's files are missing or damaged.
    """
    baseline = runs[comparison.baseline]
    results = comparison.candidates
    seeds = {run: seed for family in comparison.seeds for run, seed in zip(family.runs, family.seeds, strict=True)}
    subjects = [_subject("baseline", baseline)] + [
        _subject(_role(number, len(results), seeds.get(result.run)), runs[result.run])
        for number, result in enumerate(results, start=1)
    ]
    rivals = [_subject("best prompt", runs[comparison.best_prompted])] if comparison.best_prompted else []
    metrics = metric_rows(subjects, comparison.headlines, [None, *(result.lifts for result in results)])
    sign = -1 if metrics and metrics[0].direction == "lower" else 1
    leaks = [leak for result in results for leak in result.leaks]
    listed = entries(subjects, [metric.name for metric in metrics], sign, leaks=leaks)
    page: str = template("comparison.html.j2").render(
        title=_title(subjects, comparison.seeds),
        comparison=comparison,
        subjects=subjects,
        measured=[subjects[0], *rivals, *subjects[1:]],
        judgements=judgements(subjects[1:], comparison),
        judged=list(zip(subjects[1:], results, strict=True)),
        waterfalls=waterfalls(comparison),
        systems=systems_tables(comparison.metrics, comparison.systems),
        sights=validity_tables(comparison.validity) if comparison.validity else [],
        shared_caveats=shared_caveats(comparison),
        metrics=metrics,
        headline=metric_label(comparison.headlines[0]),
        labels=[metric_label(name) for name in comparison.headlines],
        trainings=trainings(subjects),
        gains=[gains(listed, subject, place) for place, subject in enumerate(subjects[1:])],
        entries=listed,
        anchors={entry.conversation.id: entry.anchor for entry in listed},
        sections=list(sections),
    )
    return page


def render_runs(runs: Sequence[Run]) -> str:
    """The page of any complete runs, without a verdict; it says which of them were measured alike.

    The same input gives the same bytes. Raises `UsageError` where a run's files are missing or damaged.
    """
    subjects = [_subject(f"run {number}", run) for number, run in enumerate(runs, start=1)]
    groups = alike(subjects)
    page: str = template("runs.html.j2").render(
        title=subjects[0].name if len(runs) == 1 else f"{len(runs)} runs",
        subjects=subjects,
        groups=groups,
        trainings=trainings(subjects),
    )
    return page


def _subject(role: str, run: Run) -> Subject:
    return Subject(role=role, name=run.manifest.system.name, run=run)


def _role(number: int, of: int, seed: int | None) -> str:
    if seed is not None:
        return f"seed {seed}"
    return "candidate" if of == 1 else f"candidate {number}"


def _title(subjects: Sequence[Subject], families: Sequence[SeedsResult]) -> str:
    baseline, *candidates = subjects
    if not candidates:
        return f"{baseline.name}, no candidate"
    if any(len(family.runs) == len(candidates) for family in families):
        return f"{candidates[0].name}, {len(candidates)} seeds, against {baseline.name}"
    if len(candidates) > 1:
        return f"{len(candidates)} candidates against {baseline.name}"
    return f"{candidates[0].name} against {baseline.name}"


def template(name: str) -> Template:
    """A page's template, with all that pages are made of."""
    return _environment().get_template(name)


@cache
def _environment() -> Environment:
    """Everything is escaped but the style, the script and the charts, which are our own."""
    found = Environment(
        loader=PackageLoader("liftbench.report.html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script = _resource("style.css"), _resource("page.js")
    found.globals |= {
        "style": Markup(style),
        "script": Markup(script),
        "style_hash": _hash(style),
        "script_hash": _hash(script),
        "symbols": SYMBOLS,
        "leak_kinds": LEAKS,
        "facts": appendix,
    }
    found.filters |= {"label": metric_label, "sight": sight, "in_order": in_order, "leak_counts": leak_counts}
    found.filters |= {"alternative_rows": alternative_rows, "alternative_words": alternative_words, "coded": _coded}
    found.filters |= {
        name: getattr(numbers, name)
        for name in (
            "score",
            "score_interval",
            "difference",
            "difference_interval",
            "lift",
            "lift_interval",
            "level",
            "count",
            "cost",
            "signed",
        )
    }
    return found


def _coded(words: str) -> Markup:
    """What stands between backticks as code."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(words))))


def _resource(name: str) -> str:
    return (resources.files("liftbench.report.html") / "templates" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """For the page's content security policy: nothing else may style or script it, whatever a text holds."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
