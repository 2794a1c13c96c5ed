"""Seed groups: the runs of one training with several seeds, so that no seed is judged without the others.

Runs with the same `family` in their manifests are a seed group.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TypeVar

from ..text.phrases import join_words
from .differences import protocol_differences
from .directory import Run
from .measured import MeasuredRun

AnyRun = TypeVar("AnyRun", bound=MeasuredRun)


def seed_of(run: MeasuredRun) -> int:
    """The seed that the run's adapter was trained with; the run's own seed where no adapter records one."""
    adapter = run.manifest.system.adapter
    return run.manifest.seed if adapter is None or adapter.seed is None else adapter.seed


def name_seeds(runs: Sequence[MeasuredRun]) -> str:
    """`seed 1 (run id) and seed 2 (run id)`; empty for none."""
    return join_words([f"seed {seed_of(run)} ({run.id})" for run in runs])


def other_seeds(candidate: Run, runs: Sequence[Run]) -> list[Run]:
    """The candidate's other seeds among some runs: complete runs of its seed group and protocol, one for each seed.

    The newest of several runs with one seed counts; for an export those of the same form and type come before others,
    and likewise for an adapter. A run that is not of a training has no seed group, so it has no other seeds. The runs
    are sorted by seed.
    """
    own = candidate.manifest
    if not own.family:
        return []
    found = {
        seed_of(run): run
        for run in sorted(runs, key=lambda run: (_form(run) == _form(candidate), *_age(run)))
        if run.manifest.family == own.family
        and seed_of(run) != seed_of(candidate)
        and run.manifest.status == "complete"
        and not protocol_differences(run.manifest.protocol, own.protocol)
    }
    return [found[seed] for seed in sorted(found)]


def unscored_seeds(candidate: Run, runs: Sequence[Run]) -> list[Run]:
    """Other trained seeds that are not among `other_seeds`: not scored yet, or measured with another protocol."""
    family = candidate.manifest.family
    judged = {seed_of(run) for run in (candidate, *other_seeds(candidate, runs))}
    return [
        run for run in runs if family and run.manifest.family == family and run.adapter and seed_of(run) not in judged
    ]


def group_by_training(candidates: Sequence[AnyRun]) -> list[list[AnyRun]]:
    """Candidates in seed groups, each sorted by seed; a run without a seed group, or alone in it, is a group of one.

    Groups are in the order in which their first run was given, and every run is in exactly one. One of several runs
    with one seed stands for that seed in the seed group: of the form (adapter, or kind of export) that most of the
    group's runs have, the newest. Each of the others is judged by itself. So no seed counts twice, every given run is
    judged, and an export beside three adapters does not take the place of one.
    """
    common = Counter((run.manifest.family, _form(run)) for run in candidates)
    by_rank = sorted(candidates, key=lambda run: (common[run.manifest.family, _form(run)], *_age(run)))
    chosen = {(run.manifest.family, seed_of(run)): run.id for run in by_rank}
    groups: dict[str, list[AnyRun]] = {}
    for run in candidates:
        family, seed = run.manifest.family, seed_of(run)
        stands = family and chosen[family, seed] == run.id
        groups.setdefault(family if stands else run.id, []).append(run)
    return [sorted(group, key=seed_of) for group in groups.values()]


def count_looks(baseline: MeasuredRun, runs: Sequence[MeasuredRun]) -> int:
    """The number of candidates for a baseline among some runs, at least 1: complete runs with its protocol.

    The seeds of one training count once.
    """
    candidates = [
        run
        for run in runs
        if run.manifest.command != "baseline"
        and run.manifest.status == "complete"
        and not protocol_differences(run.manifest.protocol, baseline.manifest.protocol)
    ]
    return max(1, len({run.manifest.family or run.id for run in candidates}))


SAME_OPTION = 1e-3
"""Relative difference up to which two numbers are one choice: nobody tries a training with a rate 0.1% higher."""


def near_trainings(candidate: Run, runs: Sequence[Run]) -> list[Run]:
    """Runs whose training counts as another one only because of numbers that nearly equal the candidate's.

    There is one run for each such training. An option that is changed in its tenth digit must not hide a seed.
    """
    own = candidate.manifest
    if not own.family:
        return []
    found = {
        run.manifest.family: run
        for run in sorted(runs, key=_age)
        if run.manifest.family
        and run.manifest.family != own.family
        and not protocol_differences(run.manifest.protocol, own.protocol)
        and _is_near(own.recipe.get("train"), run.manifest.recipe.get("train"))
        and _is_near(own.recipe.get("model"), run.manifest.recipe.get("model"))
    }
    return list(found.values())


def _is_near(one: object, other: object) -> bool:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_is_near(one[key], other[key]) for key in one if key != "seed")
    numbers = (int, float)
    if isinstance(one, numbers) and isinstance(other, numbers) and not isinstance(one, bool):
        return math.isclose(one, other, rel_tol=SAME_OPTION)
    return one == other


def _form(run: MeasuredRun) -> tuple[str, str] | None:
    adapter = run.manifest.system.adapter
    return (adapter.exported.form, adapter.exported.dtype) if adapter and adapter.exported else None


def _age(run: MeasuredRun) -> tuple[str, str]:
    return run.manifest.created, run.id
