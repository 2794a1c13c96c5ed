"""`bench check`: what is right and wrong with a recipe, without running it."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import UsageError
from ..extension.loader import load_plugins
from ..text.phrases import pluralize
from ..workflow.check import check_recipe
from ..workflow.setup import name_default
from .findings import show_findings
from .next_steps import say_next
from .options import baselines_option, json_option, recipe_argument
from .show import say


@click.command("check")
@recipe_argument
@baselines_option
@json_option
@click.option("--no-plugin", multiple=True, metavar="NAME", help="Switch a plugin off; may be repeated.")
def command(recipe: str | None, baselines: Path, as_json: bool, no_plugin: tuple[str, ...]) -> int:
    """Check RECIPE (a shipped recipe or a TOML file; default: as `bench baseline`) without running it.

    Every section is looked at: keys and types, the model, the data and their splits, metrics, prompt, trainer and its
    options, gate rules. No model is downloaded or loaded. The exit code is 2 if anything would stop a run; notes are
    about commands that you may not need.
    """
    plugins = load_plugins(no_plugin)
    name = recipe or name_default({}, (), plugins, say)
    if wrong := show_findings(name, check_recipe(name, plugins, baselines), as_json=as_json):
        say(f"{pluralize(wrong, 'thing')} in {name} would stop a run")
        return UsageError.exit_code
    say_next("bench", "baseline", name, "--dry-run")
    return 0
