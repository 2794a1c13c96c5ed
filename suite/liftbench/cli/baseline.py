"""`bench baseline`: the untuned model."""

from __future__ import annotations

from typing import Any

import click

from ..measurement import prepare
from ..models.references import resolve
from ..systems import planned, untuned
from .acts import measured, show_dry_run, show_run
from .job import job_of, run_options
from .progress import progress_bar


@click.command("baseline")
@run_options
def command(**given: Any) -> None:
    """Measure the untuned model of RECIPE (a shipped recipe or a TOML file)."""
    job = job_of(given)
    measurement = prepare(job.resolved, job.plugins)
    if job.dry_run:
        show_dry_run(job, measurement, lambda: planned(job.resolved.recipe))
        return
    recipe = job.resolved.recipe
    subject = untuned(recipe, resolve(recipe.model.reference))
    with progress_bar("conversations") as progress:
        run = measured(job, "baseline", subject, measurement, progress)
    show_run(run, job)
