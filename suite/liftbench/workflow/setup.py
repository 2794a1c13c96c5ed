"""What a run is made with: the recipe with its overrides, the plugins, and the folder of the runs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

from msgspec import Struct
from msgspec.structs import replace

from ..errors import UsageError
from ..extension.loader import Plugins, load_plugins
from ..progress import Progress
from ..recipe.resolve import Layer, ResolvedRecipe, assignment, nest_keys, read_recipe, resolve
from ..recipe.sections import DEFAULT_RECIPE, Recipe
from ..training.launch import Launch
from .default_recipe import choose_default
from .feedback import SILENT, Feedback, Say, feedback_to

RUNS = Path("reports/runs")
BASELINES = Path("baselines")

OVERRIDES = {
    "model": "model.reference",
    "backend": "model.backend",
    "dataset": "data.dataset",
    "data_dir": "data.data_dir",
    "split": "data.split",
    "limit": "data.limit",
    "seed": "seed",
    "plugin": "train.plugin",
}
"""Option → recipe key. `LIFTBENCH_<OPTION>` in the environment sets the same key; the option wins."""


class RunOptions(TypedDict, total=False):
    """The options shared by the functions that make a run. An option that is not given comes from the environment
    (`LIFTBENCH_MODEL`, …), else from the recipe."""

    model: str | Path
    """Alias, folder, GGUF file or `hub:org/name`."""
    backend: str
    """The backend plugin that loads the model and generates."""
    dataset: str | Path
    """Registered name, or a folder with `<split>.jsonl` files."""
    data_dir: str | Path
    """Where the data set is: a folder or `hub:org/name`."""
    split: str
    """The split to score."""
    limit: int
    """Score only this many conversations."""
    seed: int
    """Seed of training and intervals."""
    metrics: Sequence[str]
    """Metrics in addition to the recipe's."""
    settings: Mapping[str, Any] | Sequence[str]
    """Any keys of the recipe: `{"generation.batch_size": 8}`, or `["generation.batch_size=8"]`."""
    runs: str | Path
    """The folder of the run directories (default: `reports/runs`)."""
    fresh: bool
    """Start over instead of continuing or reusing a run."""
    plugins: Plugins
    """Plugins that are loaded already (default: the installed ones)."""
    progress: Progress
    """Called as `progress(done, total, message)`; a total of 0 is not known (default: nothing is shown)."""
    say: Say
    """Called with each message, for example `print` (default: messages are dropped)."""


class Origins(NamedTuple):
    """How a manifest names where a value came from."""

    option: str
    settings: str
    seeds: str
    named: str
    """How an option is named where it is wrong: `--{}`."""
    setting: str

    def option_name(self, name: str) -> str:
        """`--data-dir` of `data_dir`."""
        return self.named.format(name.replace("_", "-") if self.named.startswith("-") else name)


COMMAND_LINE = Origins("command line", "command line (--set)", "command line (--seeds)", "--{}", "--set {}")
PYTHON = Origins("Python call", "Python call (settings)", "Python call (seeds)", "{}", "settings, {}")


class Setup(Struct, frozen=True, kw_only=True):
    """What a run is made with."""

    resolved: ResolvedRecipe
    plugins: Plugins
    runs: Path = RUNS
    fresh: bool = False
    """Start over instead of continuing or reusing a run."""
    argv: Sequence[str] = ()
    """The command line, or the call, as the run's manifest records it."""
    origins: Origins = COMMAND_LINE
    feedback: Feedback = SILENT
    launch: Launch | None = None
    """The processes that train together; None: this one alone."""

    @property
    def recipe(self) -> Recipe:
        return self.resolved.recipe

    @property
    def requested_model(self) -> str | None:
        """The model reference, where the user gave one in addition to the recipe."""
        given = self.resolved.origins["model.reference"].startswith((self.origins.option, "environment"))
        return self.recipe.model.reference if given else None

    def with_seed(self, seed: int) -> Setup:
        """The same setup with another seed, for one of several trainings; itself where it has that seed."""
        if seed == self.recipe.seed:
            return self
        origins = {**self.resolved.origins, "seed": self.origins.seeds}
        return replace(self, resolved=replace(self.resolved, recipe=replace(self.recipe, seed=seed), origins=origins))


def setup_for_call(function: str, recipe: str | Path | None, options: RunOptions, plugin: str | None = None) -> Setup:
    """What a call of `liftbench.<function>` asks for; `plugin` is the trainer of a training.

    Raises `TypeError` for an unknown option, and `UsageError` for a wrong value.
    """
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    if unknown := sorted(given.keys() - RunOptions.__optional_keys__):
        known = ", ".join(sorted(RunOptions.__optional_keys__))
        raise TypeError(f"{function}() got an unexpected keyword argument {unknown[0]!r}; the options are {known}")
    overrides: dict[str, Any] = {name: given[name] for name in OVERRIDES if name in given} | {"plugin": plugin}
    overrides = {name: str(value) if isinstance(value, Path) else value for name, value in overrides.items()}
    shown = {name: value for name, value in given.items() if name not in ("plugins", "progress", "say")}
    plugins = given["plugins"] if "plugins" in given else load_plugins()
    feedback = feedback_to(given.get("progress"), given.get("say"))
    settings = given.get("settings", ())
    # The conversations of a recipe have no effect on a summary.
    name = str(recipe) if recipe else DEFAULT_RECIPE if function == "summarize" else None
    return Setup(
        resolved=resolve_recipe(
            name or name_default(overrides, settings, plugins, feedback.say),
            overrides,
            given.get("metrics", ()),
            settings,
            PYTHON,
        ),
        plugins=plugins,
        runs=Path(given.get("runs", RUNS)),
        fresh=given.get("fresh", False),
        argv=[f"liftbench.{function}", *([str(recipe)] if recipe else []), *(f"{k}={v}" for k, v in shown.items())],
        origins=PYTHON,
        feedback=feedback,
    )


def name_default(
    overrides: Mapping[str, Any], settings: Mapping[str, Any] | Sequence[str], plugins: Plugins, say: Say
) -> str:
    """The recipe to take where none is named; `say` is called with the choice (see `choose_default`)."""
    keys = settings if isinstance(settings, Mapping) else [assignment(text)[0] for text in settings]
    chosen = choose_default(overrides, keys, plugins)
    if chosen.why:
        say(chosen.why)
    return chosen.name


def resolve_recipe(
    name: str | None = None,
    overrides: Mapping[str, Any] | None = None,
    metrics: Sequence[str] = (),
    settings: Mapping[str, Any] | Sequence[str] = (),
    origins: Origins = COMMAND_LINE,
) -> ResolvedRecipe:
    """A recipe (`DEFAULT_RECIPE` where none is named) with its overrides. Settings win over `overrides`, which win over
    the environment, which wins over the recipe, which wins over the defaults.

    `overrides` are options by name (see `OVERRIDES`), None where one is not given; `metrics` are added to the recipe's
    own; `settings` are any keys with their values, or texts such as `generation.batch_size=8`. Raises `UsageError`.
    """
    recipe = name or DEFAULT_RECIPE
    layers = [read_recipe(recipe)]
    if metrics:
        extra = layers[0].values.get("metrics", {}).get("extra", [])
        names = {"metrics.extra": origins.option_name("metrics" if origins is PYTHON else "metric")}
        layers.append(Layer(origins.option, nest_keys({"metrics.extra": [*extra, *metrics]}), names))
    for option, key in OVERRIDES.items():
        variable = f"LIFTBENCH_{option.upper()}"
        if value := os.environ.get(variable):
            values = nest_keys({key: _number(value, key, variable)})
            layers.append(Layer(f"environment {variable}", values, {key: variable}))
    given = {OVERRIDES[option]: value for option, value in (overrides or {}).items() if value is not None}
    named = {key: origins.option_name(option) for option, key in OVERRIDES.items()}
    layers.append(Layer(origins.option, nest_keys(given), named))
    pairs = settings.items() if isinstance(settings, Mapping) else map(assignment, settings)
    layers += [
        Layer(origins.settings, nest_keys({key: value}), {key: origins.setting.format(key)}) for key, value in pairs
    ]
    return resolve(recipe, layers)


def _number(value: str, key: str, variable: str) -> Any:
    if key not in {"data.limit", "seed"}:
        return value
    try:
        return int(value)
    except ValueError as error:
        raise UsageError(f"{variable} is {value!r}; it must be a whole number") from error
