"""The options that commands share, and the setup that they become."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import UsageError
from ..extension.loader import Plugins, load_plugins
from ..models.cache import SWITCH
from ..workflow.setup import BASELINES, OVERRIDES, RUNS, Setup, name_default, resolve_recipe
from . import complete
from .lazy import RESOLVED
from .show import FEEDBACK

if TYPE_CHECKING:
    from ..workflow.launch_shards import Launch


def _folder_option(name: str, default: Path, help_: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make the option `--NAME DIR`, which `LIFTBENCH_NAME` in the environment also sets."""
    return click.option(
        f"--{name}",
        type=click.Path(file_okay=False, path_type=Path),
        default=default,
        envvar=f"LIFTBENCH_{name.upper()}",
        show_default=True,
        show_envvar=True,
        help=help_,
    )


runs_option = _folder_option("runs", RUNS, "The folder of the run directories.")
baselines_option = _folder_option("baselines", BASELINES, "The folder of the promoted baselines.")


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")(command)


def recipe_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that override a recipe; the command hands their values to `setup_of`."""
    options: list[Callable[..., Any]] = [
        click.option(
            "--model",
            help="Alias, folder, GGUF file or hub:org/name. [env: LIFTBENCH_MODEL]",
            shell_complete=complete.models,
        ),
        click.option(
            "--backend",
            metavar="NAME",
            help="The plugin that loads the model and generates (see `bench plugins`). [env: LIFTBENCH_BACKEND]",
            shell_complete=complete.plugins("backend"),
        ),
        click.option(
            "--dataset",
            help="Registered name, or a folder with <split>.jsonl files. [env: LIFTBENCH_DATASET]",
            shell_complete=complete.datasets,
        ),
        click.option("--data-dir", help="Where the data set is: a folder or hub:org/name. [env: LIFTBENCH_DATA_DIR]"),
        click.option("--split", help="The split to score. [env: LIFTBENCH_SPLIT]"),
        click.option("--limit", type=int, help="Score only this many conversations. [env: LIFTBENCH_LIMIT]"),
        click.option("--seed", type=int, help="Seed of training and intervals. [env: LIFTBENCH_SEED]"),
        click.option(
            "--metric",
            "metrics",
            multiple=True,
            metavar="NAME",
            help="A metric in addition to the recipe's; may be repeated.",
            shell_complete=complete.plugins("metric"),
        ),
        click.option(
            "--set",
            "settings",
            multiple=True,
            metavar="SECTION.KEY=VALUE",
            help="Set any key of the recipe; may be repeated.",
            shell_complete=complete.recipe_keys,
        ),
        click.option("--no-plugin", multiple=True, metavar="NAME", help="Switch a plugin off; may be repeated."),
        json_option,
        runs_option,
    ]
    for option in reversed(options):
        command = option(command)
    return command


recipe_argument = click.argument("recipe", required=False, shell_complete=complete.recipes)
"""Add `[RECIPE]`."""

run_argument = partial(click.argument, shell_complete=complete.runs)
"""Add an argument that names a run, or several."""

trainer_option = click.option(
    "--plugin",
    help="The trainer plugin (see `bench plugins`). [env: LIFTBENCH_PLUGIN]",
    shell_complete=complete.plugins("trainer"),
)


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `[RECIPE]`, its overrides, `--fresh` and `--dry-run`, for the commands that make a run."""
    command = click.option(
        "--dry-run", is_flag=True, help="Show what would be done, with the origin of each value; write nothing."
    )(command)
    command = click.option("--fresh", is_flag=True, help="Start over instead of continuing or reusing a run.")(command)
    command = click.option(
        "--no-cache",
        is_flag=True,
        expose_value=False,
        callback=_switch_cache_off,
        help="Generate every text anew, and keep none in the cache of generations.",
    )(command)
    return recipe_argument(recipe_options(command))


def _switch_cache_off(context: click.Context, parameter: click.Parameter, given: bool) -> None:
    """By the environment, so that it holds for the processes that a command starts, too."""
    del context, parameter
    if given:
        os.environ[SWITCH] = "off"


shard_option = click.option(
    "--shard", default="", metavar="I/N", help="Make the texts of the I-th of N parts; `bench merge` joins them."
)


def launcher_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--launcher`, `--workers` and `--launcher-option`; the command hands their values to `launch_of`."""
    options: list[Callable[..., Any]] = [
        click.option(
            "--launcher",
            metavar="NAME",
            help="Make the run in shards by several workers: `local`, `ray` or `submitit` (see `bench plugins`).",
            shell_complete=complete.plugins("launcher"),
        ),
        click.option(
            "--workers",
            type=int,
            metavar="N",
            help="How many shards and workers (default: 2); alone, with the launcher `local`.",
        ),
        click.option(
            "--launcher-option",
            "launcher_settings",
            multiple=True,
            metavar="KEY=VALUE",
            help="Set an option of the launcher (see `bench plugins show NAME`); may be repeated.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def wants_launch(given: dict[str, Any]) -> bool:
    """Whether one of the options of `launcher_options` is given."""
    return bool(given["launcher"] or given["workers"] is not None or given["launcher_settings"])


def require_one_division(shard: str, given: dict[str, Any]) -> None:
    """Raise `UsageError` where one shard is to be made, and all of them by a launcher."""
    if shard and wants_launch(given):
        raise UsageError("--shard makes one shard, and --launcher all of them; leave one out")


def launch_of(given: dict[str, Any], plugins: Plugins) -> Launch | None:
    """How workers are started, from the values of `launcher_options`; None without them."""
    if not wants_launch(given):
        return None
    from ..workflow.launch_shards import find_launch  # it loads what trains, which other commands do without

    workers = 2 if given["workers"] is None else given["workers"]
    values = read_pairs("--launcher-option", given["launcher_settings"])
    return find_launch(given["launcher"] or "local", workers, values, plugins)


def read_pairs(option: str, given: Iterable[str]) -> dict[str, str]:
    """The values of an option that is given as `KEY=VALUE`. Raises `UsageError` for one that is not."""
    pairs = {}
    for one in given:
        key, equals, value = one.partition("=")
        if not (key and equals):
            raise UsageError(f"{option} {one}: write it as KEY=VALUE")
        pairs[key] = value
    return pairs


def setup_of(given: dict[str, Any]) -> Setup:
    """A setup from the values of `recipe_options` or `run_options`; says which recipe it is where none is named."""
    overrides = {name: given.get(name) for name in OVERRIDES}
    plugins = load_plugins(given["no_plugin"])
    recipe = given["recipe"] or name_default(overrides, given["settings"], plugins, FEEDBACK.say)
    resolved = resolve_recipe(recipe, overrides, given["metrics"], given["settings"])
    click.get_current_context().meta[RESOLVED] = resolved
    return Setup(
        resolved=resolved,
        plugins=plugins,
        runs=given["runs"],
        fresh=given.get("fresh", False),
        argv=sys.argv,
        feedback=FEEDBACK,
    )
