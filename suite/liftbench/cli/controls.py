"""`bench controls`: the floors and the human ceiling of a data set."""

from __future__ import annotations

from typing import Any

import click
from rich.console import Console

from ..floors import control_scores
from ..floors.ranking import standing
from ..measuring.plan import prepare
from ..report.terminal import standing_table
from .acts import say
from .job import job_of, print_json, recipe_options
from .progress import progress_bar


@click.command("controls")
@click.argument("recipe", required=False)
@recipe_options
def command(**given: Any) -> None:
    """Measure systems without a model, and the humans against each other, on RECIPE's data.

    A summarizer that does not beat them has learned nothing. Kept by the data set's fingerprint; `compare` shows them.
    """
    job = job_of(given)
    measurement = prepare(job.resolved, job.plugins)
    seed = job.resolved.recipe.seed
    place = control_scores.place_of(measurement, seed, job.plugins, job.runs)
    with progress_bar("controls") as progress:
        found = control_scores.controls(measurement, place, seed, job.plugins, progress)
    if job.json:
        print_json(found)
        return
    standings = [standing(row) for row in found.rows]
    out = Console()
    out.print(standing_table(found.metrics, standings))
    for one in standings:
        if one.note:
            out.print(f"{one.name}: {one.note}", highlight=False, markup=False)
    say(f"kept: {place.controls}")
