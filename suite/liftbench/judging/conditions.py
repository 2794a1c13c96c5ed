"""Conditions of an outcome: they make it weaker than the same word elsewhere, so the verdict's sentence names them."""

from __future__ import annotations

from ..records.run import Limits
from ..runs.measured import MeasuredRun
from ..text.phrases import join_words, metric_label, percent
from .evidence import Evidence

LOW_TARGET = 0.1
"""A target below this is a condition: a prompt or another seed alone can give a lift of less than 10%."""

MOSTLY = 0.5
"""Share of cut baseline summaries above which the gain may come mostly from finishing the text."""


def list_conditions(evidence: Evidence) -> list[str]:
    """The conditions, as phrases that are shown in brackets after the outcome."""
    terms = evidence.terms
    served = describe_served(evidence)
    loosened = describe_loosened(terms.limits)
    found = [*served, *([f"guards loosened: {', '.join(loosened)}"] if loosened else [])]
    if terms.target < LOW_TARGET:
        found.append(f"the target is only +{percent(terms.target)}")
    if len(terms.headlines) == 1:
        found.append(f"judged on {metric_label(terms.headlines[0])} alone")
    over, candidate = evidence.over, evidence.candidate
    for what in ("precision", "backend"):
        theirs, own = getattr(over.manifest.system, what), getattr(candidate.manifest.system, what)
        if theirs != own:
            found.append(f"{what} {own or 'unknown'}, the baseline's {theirs or 'unknown'}")
    if over.summary.cut > MOSTLY * over.summary.n:
        found.append(f"{over.summary.cut} of {over.summary.n} summaries of the baseline were cut at the token limit")
    if evidence.best_prompted is None:
        found.append("no best prompt was searched for")
    looks, bootstrap = evidence.basis.selection.looks, evidence.basis.bootstrap
    if looks > bootstrap.comparisons:
        found.append(f"one of {looks} candidates, each judged at {percent(bootstrap.level)}")
    return found


def describe_served(evidence: Evidence) -> list[str]:
    """What is not known of models that a server runs, as a phrase; empty if there are none."""
    shown = dict.fromkeys(
        _as_served(run)
        for run in (evidence.candidate, evidence.over)
        if run.manifest.system.model is not None and run.manifest.system.model.served
    )
    return [f"{join_words(list(shown))}: weights, precision and training data are not known"] if shown else []


def _as_served(run: MeasuredRun) -> str:
    begun, ended = run.manifest.created[:10], (run.manifest.finished or run.manifest.created)[:10]
    days = f"on {begun}" if begun == ended else f"from {begun} to {ended}"
    usage = run.summary.usage
    ways = f", in {len(usage.answered_by)} configurations" if usage and len(usage.answered_by) > 1 else ""
    return f"{run.manifest.system.name} as it was served {days}{ways}"


def describe_loosened(limits: Limits) -> list[str]:
    """The limits that are looser in the recipe than the suite's defaults, as phrases."""
    usual = Limits()
    words = []
    if limits.faults > usual.faults:
        words.append(f"faults {percent(limits.faults)} (default {percent(usual.faults)})")
    if limits.unsupported > usual.unsupported:
        words.append(f"invented details {limits.unsupported:g} a summary (default {usual.unsupported:g})")
    if limits.abstraction < usual.abstraction:
        words.append(f"pasting from {limits.abstraction:g} (default {usual.abstraction:g})")
    unseen = [field for field in usual.slices if field not in limits.slices]
    return [*words, f"slices by {join_words(unseen)} not checked"] if unseen else words
