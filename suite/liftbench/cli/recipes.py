"""`bench recipes`: what ships with the package."""

from __future__ import annotations

import click

from ..recipe.resolve import read_recipe, recipe_names, resolve
from ..recipe.sections import DEFAULT_RECIPE, OFFLINE_RECIPE
from ..report.terminal.tables import Table
from .next_steps import say_next
from .options import json_option
from .output import print_list
from .show import print_json

DEFAULTS = {DEFAULT_RECIPE: " (default with TweetSumm)", OFFLINE_RECIPE: " (default)"}
"""What is taken where no recipe is named: see `workflow.default_recipe`."""


@click.command("recipes")
@json_option
def command(as_json: bool) -> None:
    """List the recipes that ship with the package. Commands also take the path of a TOML file as a recipe."""
    resolved = [resolve(name, [read_recipe(name)]) for name in recipe_names()]
    if as_json:
        print_json({recipe.name: recipe.recipe for recipe in resolved})
        return
    table = Table()
    for column in ("recipe", "model", "data", "trainer", "what"):
        table.add_column(column, overflow="fold")
    for item in resolved:
        name = f"{item.name}{DEFAULTS.get(item.name, '')}"
        recipe = item.recipe
        data = f"{recipe.data.dataset} {recipe.data.split}"
        table.add_row(name, recipe.model.reference, data, recipe.train.plugin, recipe.description)
    print_list(table)
    say_next("bench", "check", OFFLINE_RECIPE)
