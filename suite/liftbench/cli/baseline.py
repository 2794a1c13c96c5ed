"""`bench baseline`: the untuned model."""

from __future__ import annotations

from typing import Any

import click

from ..measuring.plan import prepare
from ..measuring.systems import planned_system, recipe_shots, untuned
from ..models.references import resolve
from .acts import measured, show_dry_run, show_run
from .job import job_of, run_options
from .progress import progress_bar
from .tuning import best_prompted_baseline


@click.command("baseline")
@run_options
@click.option("--tune", is_flag=True, help="Search for the best prompt on development data, and measure that one.")
def command(tune: bool, **given: Any) -> None:
    """Measure the untuned model of RECIPE (a shipped recipe or a TOML file).

    With --tune, prompts that the recipe declares ([tune]) are tried on conversations of the training split, and the
    best of them is measured: what a prompt alone buys. A search that was stopped continues with the same command.
    """
    job = job_of(given)
    recipe = job.resolved.recipe
    measurement = prepare(job.resolved, job.plugins)
    if tune:
        best_prompted_baseline(job, measurement)
        return
    shots = recipe_shots(recipe, job.plugins)
    if job.dry_run:
        show_dry_run(job, measurement, lambda: planned_system(recipe, shots))
        return
    subject = untuned(recipe, resolve(recipe.model.reference), shots)
    with progress_bar("conversations") as progress:
        run = measured(job, "baseline", subject, measurement, progress)
    show_run(run, job)
