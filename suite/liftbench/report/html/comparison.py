"""The page of a comparison: the verdict first, then everything that led to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ...floors.validity import describe_validity
from ...judging.compare import Comparison, SeedsResult
from ...runs.directory import Run
from ...text.phrases import metric_label
from ..plots import draw_plots
from ..systems import group_systems, name_roles
from ..validity import group_validity
from .conversations import Subject, list_conversations, make_subject
from .gains import summarize_gains
from .lengths import plot_lengths
from .metrics import tabulate_metrics
from .page import get_template
from .preferences import list_preferences
from .ranking import lay_out_ranking
from .trainings import lay_out_trainings
from .verdict_cards import build_judgements, find_shared_caveats


def render_comparison(comparison: Comparison, runs: Mapping[str, Run], sections: Iterable[tuple[str, str]] = ()) -> str:
    """The page of a comparison: the verdict first, then everything that led to it.

    `runs` holds every run that the comparison names, by id; `sections` are titles with plain text, from plugins. The
    same input gives the same bytes. Raises `UsageError` where a run's files are missing or damaged.
    """
    baseline = runs[comparison.baseline]
    names = {id_: run.manifest.system.name for id_, run in runs.items()}
    results = comparison.candidates
    subjects = [make_subject("baseline", baseline)] + [
        make_subject(role, runs[result.run]) for role, result in zip(name_roles(comparison), results, strict=True)
    ]
    rivals = [make_subject("best prompt", runs[comparison.best_prompted])] if comparison.best_prompted else []
    metrics = tabulate_metrics(subjects, comparison.headlines, [None, *(result.lifts for result in results)])
    listing = list_conversations(
        subjects,
        [(metric.name, metric.direction) for metric in metrics],
        results=results,
        slicing=comparison.slicing,
    )
    page: str = get_template("comparison.html.j2").render(
        title=_title(subjects, comparison.seeds),
        comparison=comparison,
        subjects=subjects,
        measured=[subjects[0], *rivals, *subjects[1:]],
        judgements=build_judgements(subjects[1:], comparison),
        judged=list(zip(subjects[1:], results, strict=True)),
        ranking=lay_out_ranking(comparison),
        plots=draw_plots(comparison),
        systems=group_systems(comparison.metrics, comparison.systems),
        validity=group_validity(comparison.validity) if comparison.validity else [],
        seen=[describe_validity(comparison.validity, name) for name in comparison.headlines]
        if comparison.validity
        else [],
        shared_caveats=find_shared_caveats(comparison),
        metrics=metrics,
        headline=metric_label(comparison.headlines[0]),
        trainings=lay_out_trainings(subjects),
        gains=[summarize_gains(listing, subject, place) for place, subject in enumerate(subjects[1:])],
        lengths=[
            plot_lengths([(conversation, gains[place]) for conversation, gains in listing.gains])
            for place in range(len(results))
        ],
        listing=listing,
        anchors={entry.conversation.id: entry.anchor for entry in listing.entries},
        preferences=list_preferences([one for result in results for one in result.preferences], names),
        sections=list(sections),
    )
    return page


def _title(subjects: Sequence[Subject], families: Sequence[SeedsResult]) -> str:
    baseline, *candidates = subjects
    if not candidates:
        return f"{baseline.name}, no candidate"
    if any(len(family.runs) == len(candidates) for family in families):
        return f"{candidates[0].name}, {len(candidates)} seeds, against {baseline.name}"
    if len(candidates) > 1:
        return f"{len(candidates)} candidates against {baseline.name}"
    return f"{candidates[0].name} against {baseline.name}"
