"""`bench train`: an adapter, and its score by the same harness."""

from __future__ import annotations

from typing import Any

import click

from ..measurement import prepare
from ..runs import Run
from ..systems import planned
from ..training import plan_training
from .acts import completed, say, show_dry_run, show_run, trained
from .job import job_of, print_json, run_options
from .progress import progress_bars


@click.command("train")
@run_options
@click.option("--plugin", help="The trainer plugin (see `bench plugins`). [env: LIFTBENCH_PLUGIN]")
@click.option("--no-score", is_flag=True, help="Stop after training.")
def command(no_score: bool, **given: Any) -> None:
    """Train an adapter for RECIPE's model through a trainer plugin, then score it.

    A training that was stopped continues from its newest checkpoint when the same command is given again.
    """
    job = job_of(given)
    recipe = job.resolved.recipe
    measurement = prepare(job.resolved, job.plugins)
    plan = plan_training(recipe, measurement, job.plugins)
    if job.dry_run:
        show_dry_run(job, measurement, lambda: planned(recipe), plan)
        return
    stages = [("training", "steps"), ("scoring", "conversations")]
    with progress_bars(stages) as (steps, scoring), trained(job, measurement, plan, steps) as (run, subject):
        done = None if no_score else completed(run, measurement, subject, job, scoring)
    if done is not None:
        show_run(done, job)
        return
    if run.manifest.status == "trained":
        say("trained, not scored; the same command without --no-score scores it")
    if job.json:
        print_json({"run": run.manifest.id, "folder": str(run.folder), "adapter": str(Run(run.folder).adapter)})
    else:
        click.echo(Run(run.folder).adapter)
