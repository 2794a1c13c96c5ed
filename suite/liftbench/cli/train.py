"""`bench train`: an adapter, and its score by the same harness."""

from __future__ import annotations

import sys
from typing import Any

import click
from msgspec.structs import replace

from ..harness import new_manifest, require_room
from ..measurement import prepare
from ..models.references import context_length, resolve
from ..runs import Run, open_run
from ..systems import planned, untuned
from ..training import plan_training, train
from .acts import announce, measure_with_bar, say, scored, show_dry_run, show_run
from .job import job_of, print_json, run_options
from .progress import progress_bar


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
    model = resolve(recipe.model.reference)
    # Now, and not when the adapter is scored: a training would be lost on budgets that do not fit.
    require_room(recipe, context_length(model.path), model.name)
    base = untuned(recipe, model)
    system = replace(base.system, name=f"{model.name}+{plan.spec.name}", precision=plan.trainer.precision)
    manifest = new_manifest("train", system, measurement, job.resolved, argv=sys.argv, extra_key=plan.key)
    with open_run(manifest, scored(measurement), job.runs, fresh=job.fresh) as run:
        announce(run, manifest, job.plugins)
        with progress_bar("steps") as progress:
            subject = train(run, plan, base, model, progress)
        if not no_score:
            show_run(measure_with_bar(run, measurement, subject, job), job)
            return
        if run.manifest.status == "trained":
            say("trained, not scored; the same command without --no-score scores it")
        if job.json:
            print_json({"run": run.manifest.id, "folder": str(run.folder), "adapter": str(Run(run.folder).adapter)})
        else:
            click.echo(Run(run.folder).adapter)
