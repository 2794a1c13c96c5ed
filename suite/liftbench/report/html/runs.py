"""The page of any complete runs, without a verdict."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from ...runs.differences import protocol_differences
from ...runs.directory import Run
from .conversations import Entry, Subject, list_entries, make_subject
from .metrics import Metric, tabulate_metrics
from .page import get_template
from .trainings import list_trainings


def render_runs(runs: Sequence[Run]) -> str:
    """The page of any complete runs, without a verdict; it says which of them were measured alike.

    The same input gives the same bytes. Raises `UsageError` where a run's files are missing or damaged.
    """
    subjects = [make_subject(f"run {number}", run) for number, run in enumerate(runs, start=1)]
    groups = group_by_protocol(subjects)
    page: str = get_template("runs.html.j2").render(
        title=subjects[0].name if len(runs) == 1 else f"{len(runs)} runs",
        subjects=subjects,
        groups=groups,
        trainings=list_trainings(subjects),
    )
    return page


class Group(Struct, frozen=True, kw_only=True):
    """Runs that were measured alike."""

    title: str
    subjects: list[Subject]
    differences: list[str]
    """How its protocol differs from the first group's."""
    metrics: list[Metric]
    entries: list[Entry]


def group_by_protocol(subjects: Sequence[Subject]) -> list[Group]:
    """The runs in groups of equal protocols, in the order given."""
    members: list[list[Subject]] = []
    for subject in subjects:
        same = next((group for group in members if not _differing(group[0], subject)), None)
        if same is None:
            members.append([subject])
        else:
            same.append(subject)
    return [_group(number, some, members[0][0]) for number, some in enumerate(members, start=1)]


def _differing(one: Subject, other: Subject) -> list[str]:
    differences = protocol_differences(one.run.manifest.protocol, other.run.manifest.protocol)
    return [difference.key for difference in differences]


def _group(number: int, members: list[Subject], first: Subject) -> Group:
    metrics = tabulate_metrics(members, members[0].run.manifest.headlines, [None] * len(members))
    sign = -1 if metrics and metrics[0].direction == "lower" else 1
    names = [member.role.removeprefix("run ") for member in members]
    listed = f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
    return Group(
        title=f"Runs {listed}" if len(names) > 1 else f"Run {listed}",
        subjects=members,
        differences=_differing(first, members[0]),
        metrics=metrics,
        entries=list_entries(members, [metric.name for metric in metrics], sign, prefix=f"g{number}c"),
    )
