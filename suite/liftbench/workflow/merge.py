"""Joining shards of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from ..files import read_lines
from ..measuring.harness import finish, is_measured
from ..measuring.plan import Measurement, prepare_again
from ..measuring.shards import join_shards, parse_shard, require_all, whole_manifest
from ..recipe.resolve import ResolvedRecipe
from ..recipe.sections import Recipe
from ..records.training import TrainingRow
from ..runs.directory import Run, runs_in
from ..runs.open_run import open_run
from ..training.adapter import copy_rows
from .measure import announce_run, scored
from .setup import Setup


def recipe_of(run: Run) -> ResolvedRecipe:
    """The recipe that a run was made with."""
    recipe = msgspec.convert(run.manifest.recipe, Recipe)
    return ResolvedRecipe(name="", recipe=recipe, origins=run.manifest.origins)


def gather_shards(runs: Path, named: Sequence[Run]) -> list[Run]:
    """The named shards; without names, those of the run that the folder's newest finished shard is a part of.

    Of a shard that was made twice, the newest finished one counts: what a stopped process left beside it does not.
    Of two finished ones with names, both are returned, since it is not clear which is meant.
    """
    if named:
        finished = {run.manifest.key for run in named if _is_finished(run)}
        return [run for run in named if _is_finished(run) or run.manifest.key not in finished]
    # Finished ones last, the newest of them at the end.
    there = sorted((run for run in runs_in(runs) if run.manifest.shard), key=_is_finished)
    alike = [run for run in there if _whole(run) == _whole(there[-1])]
    return sorted({run.manifest.shard: run for run in alike}.values(), key=lambda run: parse_shard(run.manifest.shard))


def _is_finished(run: Run) -> bool:
    return run.manifest.status == "shard"


def _whole(run: Run) -> tuple[object, ...]:
    """What the shards of one run have in common."""
    manifest = run.manifest
    count = manifest.shard.partition("/")[2]
    return manifest.system, manifest.protocol, manifest.plan, manifest.seed, count


def merge_shards(
    setup: Setup, shards: Sequence[Run], measurement: Measurement | None = None, argv: Sequence[str] = ()
) -> Run:
    """The complete run that shards are parts of, scored now.

    `measurement` is theirs, where it is at hand; `argv` is the command that made them all, if there was one.
    """
    require_all(shards)
    measurement = measurement or prepare_again(shards[0], setup.plugins)
    manifest = whole_manifest(shards, measurement, setup.resolved, argv)
    trained = shards[0].folder / "training" / "rows.jsonl"
    with open_run(manifest, scored(measurement), setup.runs, fresh=setup.fresh) as run:
        announce_run(run, manifest, setup)
        if is_measured(run, measurement):
            return Run(run.folder)
        join_shards(run, shards, measurement)
        if trained.is_file():
            copy_rows(run, read_lines(trained, TrainingRow))
        with setup.feedback.bars([("", "texts")]) as (progress,):
            return finish(run, measurement, setup.plugins, progress)
