"""`bench validate-metrics`: what each metric can and cannot see."""

from __future__ import annotations

from typing import Any

import click

from ..floors import control_scores
from ..floors.validity import measure_validity
from ..measuring.plan import prepare
from ..report.terminal.systems import validity_table
from .next_steps import after_yardsticks
from .options import recipe_argument, recipe_options, setup_of
from .output import console
from .progress import progress_bar
from .show import print_json, say


@click.command("validate-metrics")
@recipe_argument
@recipe_options
def command(as_json: bool, **given: Any) -> None:
    """Corrupt RECIPE's human summaries in controlled ways, and measure what each corruption costs on each metric.

    A cell is a share of the range from the humans' score (0%) down to the score of another conversation's summary
    (100%): a metric does not see a corruption that costs nothing. The table is kept for this data set, and
    `bench compare` shows it.
    """
    setup = setup_of(given)
    measurement = prepare(setup.resolved, setup.plugins)
    seed = setup.recipe.seed
    place = control_scores.floor_cache_of(measurement, seed, setup.plugins, setup.runs)
    with progress_bar("metrics") as progress:
        found = measure_validity(measurement, place, seed, setup.plugins, progress)
    if as_json:
        print_json(found)
        return
    console().print(validity_table(found))
    say(f"written: {place.validity}")
    after_yardsticks(setup)
