"""`bench validate-metrics`: what each metric can and cannot see."""

from __future__ import annotations

from typing import Any

import click
from rich.console import Console

from ..floors import control_scores
from ..floors.validity import measure_validity
from ..measuring.plan import prepare
from ..report.terminal import validity_table
from .acts import say
from .job import job_of, print_json, recipe_options
from .progress import progress_bar


@click.command("validate-metrics")
@click.argument("recipe", required=False)
@recipe_options
def command(**given: Any) -> None:
    """Spoil RECIPE's human summaries in controlled ways, and measure what each way costs on each metric.

    A cell is a share of the range from the humans (0%) down to another conversation's summary (100%): what costs
    nothing is not seen. The table is kept by the data set's fingerprint, and `compare` shows it.
    """
    job = job_of(given)
    measurement = prepare(job.resolved, job.plugins)
    seed = job.resolved.recipe.seed
    place = control_scores.floor_cache_of(measurement, seed, job.plugins, job.runs)
    with progress_bar("metrics") as progress:
        found = measure_validity(measurement, place, seed, job.plugins, progress)
    if job.json:
        print_json(found)
        return
    Console().print(validity_table(found))
    say(f"kept: {place.validity}")
