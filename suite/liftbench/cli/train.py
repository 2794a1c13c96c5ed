"""`bench train`: an adapter, or one for each of several seeds, and its score by the same harness."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from ..measuring.plan import prepare
from ..measuring.systems import planned_system
from ..runs.directory import Run
from ..text.phrases import metric_label
from ..training.adapter import plan_training
from .acts import completed, remarks, run_record, say, show_dry_run, show_run, trained, warn
from .job import Job, job_of, print_json, run_options
from .progress import progress_bars


@click.command("train")
@run_options
@click.option("--plugin", help="The trainer plugin (see `bench plugins`). [env: LIFTBENCH_PLUGIN]")
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=1,
    metavar="N",
    help="Make N adapters, with the seed and those that follow it.",
)
@click.option("--no-score", is_flag=True, help="Stop after training.")
def command(seeds: int, no_score: bool, **given: Any) -> None:
    """Train an adapter for RECIPE's model through a trainer plugin, then score it.

    A training that was stopped continues from its newest checkpoint when the same command is given again. With --seeds
    each adapter is a run of its own, and `bench compare` judges them together.
    """
    job = job_of(given)
    recipe = job.resolved.recipe
    measurement = prepare(job.resolved, job.plugins)
    jobs = [job.with_seed(recipe.seed + number) for number in range(seeds)]
    plans = [plan_training(one.resolved.recipe, measurement, job.plugins) for one in jobs]
    if job.dry_run:
        asked = [one.resolved.recipe.seed for one in jobs] if seeds > 1 else []
        show_dry_run(job, measurement, lambda: planned_system(recipe), plans[0], asked)
        return
    runs = []
    for one, plan, title in zip(jobs, plans, _titles(jobs), strict=True):
        stages = [(f"{title} training".strip(), "steps"), (f"{title} scoring".strip(), "conversations")]
        with (
            _named(title),
            progress_bars(stages) as (steps, scoring),
            trained(one, measurement, plan, steps) as (run, subject),
        ):
            runs.append(Run(run.folder) if no_score else completed(run, measurement, subject, one, scoring))
    if no_score:
        _show_adapters(runs, job)
    elif seeds == 1:
        show_run(runs[0], job)
    else:
        _show_seeds(runs, job)


def _titles(jobs: Sequence[Job]) -> list[str]:
    """What tells one training from another; empty for the only one."""
    if len(jobs) == 1:
        return [""]
    return [f"seed {job.resolved.recipe.seed} ({place} of {len(jobs)})" for place, job in enumerate(jobs, start=1)]


@contextmanager
def _named(title: str) -> Iterator[None]:
    """Say which training an error belongs to, where there are several."""
    try:
        yield
    except Exception:
        if title:
            say(f"{title} failed; the same command continues with it")
        raise


def _show_adapters(runs: Sequence[Run], job: Job) -> None:
    if any(run.manifest.status == "trained" for run in runs):
        say("trained, not scored; the same command without --no-score scores it")
    if job.json:
        rows = [{"run": run.id, "folder": str(run.folder), "adapter": str(run.adapter)} for run in runs]
        print_json(rows if len(rows) > 1 else rows[0])
        return
    for run in runs:
        click.echo(run.adapter)


def _show_seeds(runs: Sequence[Run], job: Job) -> None:
    warn(job.plugins)
    if job.json:
        print_json([run_record(run) for run in runs])
        return
    manifest = runs[0].manifest
    table = Table(title=f"{manifest.system.name} on {manifest.protocol.dataset} {manifest.protocol.split}")
    for heading in ("seed", *map(metric_label, manifest.headlines)):
        table.add_column(heading, justify="right")
    table.add_column("folder", overflow="fold")
    for run in runs:
        means = {metric.name: metric.mean for metric in run.summary.metrics}
        shown = [means.get(name) for name in manifest.headlines]
        figures = ["–" if mean is None else f"{mean:.3f}" for mean in shown]
        table.add_row(str(run.manifest.seed), *figures, str(run.folder))
    out = Console()
    out.print(table)
    for remark in dict.fromkeys(remark for run in runs for remark in remarks(run)):
        out.print(remark, highlight=False, markup=False)
