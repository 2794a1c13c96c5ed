"""`bench doctor`: whether this machine can do what a recipe asks for, and how to mend it where it cannot."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import PrerequisiteError, missing_packages
from ..extension.loader import load_plugins
from ..text.phrases import pluralize
from ..workflow.doctor import examine
from ..workflow.setup import name_default, resolve_recipe
from . import complete
from .findings import show_findings
from .next_steps import after_doctor
from .options import json_option, recipe_argument, runs_option
from .show import say


@click.command("doctor")
@recipe_argument
@click.option(
    "--model",
    help="Alias, folder, GGUF file, hub:org/name or openai:NAME@URL. [env: LIFTBENCH_MODEL]",
    shell_complete=complete.models,
)
@json_option
@runs_option
def command(recipe: str | None, model: str | None, as_json: bool, runs: Path) -> int:
    """Check this machine: Python, packages, processor, GPU, memory, disk, hub and plugins.

    Memory and disk are compared with what RECIPE needs (default: the recipe that `bench baseline` takes). A model
    that a server runs (openai:NAME@URL) is asked for one short answer. Each line is right, or says how to fix it.
    Nothing is downloaded, and a probe that takes longer than a minute is left. The exit code is 3 if something would
    stop every measurement, else 0.
    """
    plugins = load_plugins()
    overrides = {"model": model}
    resolved = resolve_recipe(recipe or name_default(overrides, (), plugins, say), overrides)
    found = examine(resolved.recipe, plugins, runs)
    if blocking := show_findings(resolved.name, found, as_json=as_json):
        say(f"{pluralize(blocking, 'problem')} to be fixed first")
        return PrerequisiteError.exit_code
    after_doctor(with_torch=not missing_packages(["torch"]))
    return 0
