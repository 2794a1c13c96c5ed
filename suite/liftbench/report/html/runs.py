"""The page of any complete runs, without a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from ...runs.differences import protocol_differences
from ...runs.directory import Run
from ...text.phrases import join_words
from .conversations import Listing, Subject, list_conversations, make_subject
from .metrics import Metric, tabulate_metrics
from .page import get_template
from .trainings import lay_out_trainings


def render_runs(runs: Sequence[Run]) -> str:
    """The page of any complete runs, without a verdict; it says which runs were measured with the same protocol.

    The same input gives the same bytes. Raises `UsageError` where a run's files are missing or damaged.
    """
    numbered = {number: make_subject(f"run {number}", run) for number, run in enumerate(runs, start=1)}
    subjects = list(numbered.values())
    groups = group_by_protocol(numbered)
    page: str = get_template("runs.html.j2").render(
        title=subjects[0].name if len(runs) == 1 else f"{len(runs)} runs",
        subjects=subjects,
        groups=groups,
        trainings=lay_out_trainings(subjects),
    )
    return page


class Group(Struct, frozen=True, kw_only=True):
    """Runs that were measured with the same protocol."""

    title: str
    subjects: list[Subject]
    differences: list[str]
    """How its protocol differs from the first group's."""
    metrics: list[Metric]
    listing: Listing


def group_by_protocol(numbered: Mapping[int, Subject]) -> list[Group]:
    """The numbered runs in groups of equal protocols, in the order given."""
    groups: list[dict[int, Subject]] = []
    for number, subject in numbered.items():
        same = next((group for group in groups if not _differing(next(iter(group.values())), subject)), None)
        if same is None:
            groups.append({number: subject})
        else:
            same[number] = subject
    first = next(iter(numbered.values()))
    return [_group(place, group, first) for place, group in enumerate(groups, start=1)]


def _differing(one: Subject, other: Subject) -> list[str]:
    differences = protocol_differences(one.run.manifest.protocol, other.run.manifest.protocol)
    return [difference.key for difference in differences]


def _group(place: int, numbered: Mapping[int, Subject], first: Subject) -> Group:
    members = list(numbered.values())
    metrics = tabulate_metrics(members, members[0].run.manifest.headlines, [None] * len(members))
    return Group(
        title=f"{'Runs' if len(numbered) > 1 else 'Run'} {join_words([str(number) for number in numbered])}",
        subjects=members,
        differences=_differing(first, members[0]),
        metrics=metrics,
        listing=list_conversations(
            members,
            [(metric.name, metric.direction) for metric in metrics],
            name="conversations" if place == 1 else f"conversations-{place}",
            prefix="c" if place == 1 else f"g{place}c",
        ),
    )
