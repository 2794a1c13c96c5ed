"""The options that commands share, and what they become: a resolved recipe, the plugins, and where runs go."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec
from msgspec import Struct
from msgspec.structs import replace

from ..errors import UsageError
from ..extension.loader import Plugins, load_plugins
from ..recipe.resolve import Layer, ResolvedRecipe, assignment, nested, read_recipe, resolve
from ..recipe.sections import DEFAULT_RECIPE

OVERRIDES = {
    "model": "model.reference",
    "dataset": "data.dataset",
    "data_dir": "data.data_dir",
    "split": "data.split",
    "limit": "data.limit",
    "seed": "seed",
    "plugin": "train.plugin",
}
"""Option → recipe key. `LIFTBENCH_<OPTION>` in the environment does the same, with less weight."""


class Job(Struct, frozen=True, kw_only=True):
    """What a command was asked for."""

    resolved: ResolvedRecipe
    plugins: Plugins
    runs: Path
    fresh: bool
    dry_run: bool
    json: bool

    @property
    def told_model(self) -> str | None:
        """The model reference, where the user gave one beside the recipe."""
        told = self.resolved.origins["model.reference"].startswith(("command line", "environment"))
        return self.resolved.recipe.model.reference if told else None

    def with_seed(self, seed: int) -> Job:
        """The same job with another seed, as `--seeds` asks for; itself where it has that seed."""
        resolved = self.resolved
        if seed == resolved.recipe.seed:
            return self
        origins = {**resolved.origins, "seed": "command line (--seeds)"}
        return replace(self, resolved=replace(resolved, recipe=replace(resolved.recipe, seed=seed), origins=origins))


def _folder_option(name: str, default: str, help_: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """`--NAME DIR`, or `LIFTBENCH_NAME` in the environment."""
    return click.option(
        f"--{name}",
        type=click.Path(file_okay=False, path_type=Path),
        default=Path(default),
        envvar=f"LIFTBENCH_{name.upper()}",
        show_default=True,
        show_envvar=True,
        help=help_,
    )


runs_option = _folder_option("runs", "reports/runs", "Where run directories are.")
baselines_option = _folder_option("baselines", "baselines", "Where promoted baselines are.")


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")(command)


def recipe_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """All that can override a recipe; the command hands what it was given to `job_of`."""
    options: list[Callable[..., Any]] = [
        click.option("--model", help="Alias, folder, GGUF file or hub:org/name. [env: LIFTBENCH_MODEL]"),
        click.option(
            "--dataset", help="Registered name, or a folder with <split>.jsonl files. [env: LIFTBENCH_DATASET]"
        ),
        click.option("--data-dir", help="Where a data set lies: a folder or hub:org/name. [env: LIFTBENCH_DATA_DIR]"),
        click.option("--split", help="The split to score. [env: LIFTBENCH_SPLIT]"),
        click.option("--limit", type=int, help="Score only so many conversations. [env: LIFTBENCH_LIMIT]"),
        click.option("--seed", type=int, help="Seed of training and intervals. [env: LIFTBENCH_SEED]"),
        click.option("--metric", "metrics", multiple=True, metavar="NAME", help="Another metric, beside the recipe's."),
        click.option("--set", "settings", multiple=True, metavar="SECTION.KEY=VALUE", help="Any key of the recipe."),
        click.option("--no-plugin", multiple=True, metavar="NAME", help="Switch a plugin off."),
        json_option,
        runs_option,
    ]
    for option in reversed(options):
        command = option(command)
    return command


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`[RECIPE]`, its overrides, `--fresh` and `--dry-run`: for the commands that make a run."""
    command = click.option("--dry-run", is_flag=True, help="Show what would be done, with each value's origin.")(
        command
    )
    command = click.option("--fresh", is_flag=True, help="Start over instead of continuing or reusing a run.")(command)
    return click.argument("recipe", required=False)(recipe_options(command))


def job_of(given: dict[str, Any]) -> Job:
    """A job from the values of `recipe_options` or `run_options`."""
    return Job(
        resolved=resolve_recipe(
            given["recipe"], {name: given.get(name) for name in OVERRIDES}, given["metrics"], given["settings"]
        ),
        plugins=load_plugins(given["no_plugin"]),
        runs=given["runs"],
        fresh=given.get("fresh", False),
        dry_run=given.get("dry_run", False),
        json=given["as_json"],
    )


def resolve_recipe(
    name: str | None, given: dict[str, Any], metrics: Sequence[str], settings: Sequence[str]
) -> ResolvedRecipe:
    """Command line > environment > recipe > default; `metrics` come beside the recipe's own."""
    recipe = name or DEFAULT_RECIPE
    layers = [read_recipe(recipe)]
    if metrics:
        extra = layers[0].values.get("metrics", {}).get("extra", [])
        layers.append(Layer("command line", nested({"metrics.extra": [*extra, *metrics]})))
    for option, key in OVERRIDES.items():
        variable = f"LIFTBENCH_{option.upper()}"
        if value := os.environ.get(variable):
            layers.append(Layer(f"environment {variable}", nested({key: _number(value, key, variable)})))
    told = {OVERRIDES[option]: value for option, value in given.items() if value is not None}
    layers.append(Layer("command line", nested(told)))
    layers += [Layer("command line (--set)", nested(dict([assignment(setting)]))) for setting in settings]
    return resolve(recipe, layers)


def print_json(value: Any) -> None:
    """A record on standard output, indented."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def _number(value: str, key: str, variable: str) -> Any:
    if key not in {"data.limit", "seed"}:
        return value
    try:
        return int(value)
    except ValueError as error:
        raise UsageError(f"{variable} is {value!r}; it must be a whole number") from error
