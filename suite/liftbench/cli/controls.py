"""`bench controls`: the floors and the human ceiling of a data set."""

from __future__ import annotations

from typing import Any

import click

from ..floors import control_scores
from ..floors.ranking import system_means
from ..measuring.plan import prepare
from ..report.terminal.systems import systems_table
from .next_steps import after_yardsticks
from .options import recipe_argument, recipe_options, setup_of
from .output import console
from .progress import progress_bar
from .show import print_json, say


@click.command("controls")
@recipe_argument
@recipe_options
def command(as_json: bool, **given: Any) -> None:
    """Measure systems without a model, and the humans against each other, on RECIPE's data.

    A summarizer that does not beat the systems without a model has learned nothing. The scores are kept for this data
    set, and `bench compare` shows them.
    """
    setup = setup_of(given)
    measurement = prepare(setup.resolved, setup.plugins)
    seed = setup.recipe.seed
    place = control_scores.floor_cache_of(measurement, seed, setup.plugins, setup.runs)
    with progress_bar("controls") as progress:
        found = control_scores.measure_controls(measurement, place, seed, setup.plugins, progress)
    if as_json:
        print_json(found)
        return
    systems = [system_means(row) for row in found.rows]
    out = console()
    out.print(systems_table(found.metrics, systems))
    for one in systems:
        if one.note:
            out.print(f"{one.name}: {one.note}", highlight=False, markup=False)
    say(f"written: {place.controls}")
    after_yardsticks(setup)
