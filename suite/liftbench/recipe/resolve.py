"""Resolves recipes from TOML to typed objects, with the origin of every value.

The command line comes before the environment, the environment before the recipe, the recipe before the defaults."""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from ..errors import LiftbenchError, UsageError, unknown
from ..files import invalid_value
from .rules import parse
from .sections import Recipe, TrainSection

DEEPEST = 12
"""Levels of tables and lists in a recipe; its own keys need four."""

OPEN_TABLES = ("train.options.", "data.options.", "prompt.template_arguments.")
"""Tables whose keys are not the suite's: a plugin checks its options, a chat template its arguments."""


class Layer(Struct, frozen=True):
    """Values from one origin."""

    origin: str
    """Where the values came from, such as `recipe NAME` or `command line`."""
    values: Mapping[str, Any]
    """The values, nested as in a recipe file."""
    options: Mapping[str, str] = {}
    """Key → how whoever gave its value knows it: `--limit`, `LIFTBENCH_LIMIT`."""

    def place(self, key: str) -> str:
        """Where a value was given: `--limit`, or `recipe mine.toml, data.limit`."""
        given = (option for name, option in self.options.items() if f"{key}.".startswith(f"{name}."))
        return next(given, f"{self.origin}, {key}")


class ResolvedRecipe(Struct, frozen=True, kw_only=True):
    """A recipe with all overrides applied."""

    name: str
    recipe: Recipe
    origins: dict[str, str]
    """`section.key` → the origin of its value."""
    places: dict[str, str] = {}
    """`section.key` → where its value was given, as an error names it (`Layer.place`); without those left at their
    default."""

    def located(self, error: LiftbenchError) -> LiftbenchError:
        """The same error, with the place where the unknown name, or the wrong value, was given."""
        if error.key in self.places:
            return type(error)(f"{self.places[error.key]}{error.what.removeprefix(error.key)}", error.fix)
        if not error.name:
            return error
        values = dict(flatten(msgspec.to_builtins(self.recipe)))
        found = [place for key, place in self.places.items() if _names(values.get(key), error.name)]
        found += [place for key, place in self.places.items() if key == f"train.options.{error.name}"]
        return error.within(found[0]) if len(found) == 1 else error


def recipe_names() -> list[str]:
    """The names of the recipes that ship with the package."""
    folder = resources.files("liftbench") / "recipes"
    return sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml"))


def recipe_text(name: str) -> str:
    """The text of a shipped recipe, by name, or of a TOML file, by path.

    Raises `UsageError` if there is no such recipe or it cannot be read.
    """
    path = Path(name)
    if name in recipe_names():
        return (resources.files("liftbench") / "recipes" / f"{name}.toml").read_text(encoding="utf-8")
    if path.is_dir():
        raise UsageError(
            f"{name} is a folder, not a recipe",
            f"For a recipe of its conversations, run: bench init {shlex.quote(name)}",
        )
    if path.suffix != ".toml" and not path.is_file():
        raise unknown("recipe", name, recipe_names())
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot read the recipe {name}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"the recipe {name} is not UTF-8 text") from error


def read_recipe(name: str) -> Layer:
    """The values of a recipe. Raises `UsageError` as `recipe_text` does, and if the text is not TOML."""
    try:
        values = tomllib.loads(recipe_text(name))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"the recipe {name} is not TOML: {error}") from error
    except RecursionError:
        raise _too_deep(name) from None
    if _is_deeper(values, DEEPEST):
        raise _too_deep(name)
    return Layer(f"recipe {name}", values)


def _too_deep(name: str) -> UsageError:
    return UsageError(f"the recipe {name} has values in more than {DEEPEST} levels of tables and lists")


def _is_deeper(value: Any, levels: int) -> bool:
    """Whether tables and lists are nested in more than some levels; it looks no deeper."""
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_is_deeper(one, levels - 1) for one in inner)


def assignment(text: str) -> tuple[str, Any]:
    """The key and the value in `section.key=value`. A value that is not TOML is a string.

    Raises `UsageError` if there is no key or no `=`.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise UsageError(
            f"--set {text!r} is not an assignment",
            "Write section.key=value, for example --set generation.max_new_tokens=60.",
        )
    try:
        parsed = tomllib.loads(f"value = {value.strip()}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        parsed = value.strip()
    return key.strip(), parsed


def nest_keys(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted keys as nested tables: `{"a.b": 1}` becomes `{"a": {"b": 1}}`.

    Raises `UsageError` if a key is below one that has a value.
    """
    values: dict[str, Any] = {}
    for key, value in flat.items():
        *path, last = key.split(".")
        place = values
        for part in path:
            place = place.setdefault(part, {})
            if not isinstance(place, dict):
                raise UsageError(f"{key}: {part} is set to a value, so it cannot hold keys")
        place[last] = value
    return values


def resolve(name: str, layers: Sequence[Layer]) -> ResolvedRecipe:
    """Merge layers, the weakest first. The first one is the recipe's own.

    Raises `UsageError` for an unknown key (the error suggests the nearest one), a value of a wrong type, and values
    that contradict each other.
    """
    merged: dict[str, Any] = {}
    origins = {key: "default" for key, _ in flatten(msgspec.to_builtins(Recipe()))}
    places: dict[str, str] = {}
    for layer in _with_options_of_trainer(layers):
        for key, value in flatten(layer.values):
            check_key(key, layer)
            _set_value(merged, key, value)
            for below in [name for name in origins if name.startswith(f"{key}.")]:
                del origins[below]
                places.pop(below, None)
            origins[key] = layer.origin
            places[key] = layer.place(key)
    try:
        recipe = msgspec.convert(merged, Recipe)
    except msgspec.ValidationError as error:
        found = invalid_value(error)
        key = found.path.partition("[")[0]
        raise UsageError(f"{places.get(key, key) or name}: {found.words}") from error
    required = (*recipe.metrics.names, *recipe.metrics.extra)
    for headline in recipe.metrics.headlines:
        if headline not in required:
            place = places.get("metrics.headlines", "metrics.headlines")
            wrong = unknown("headline", headline, required).within(place)
            raise wrong.also(" A headline has to be in metrics.names or metrics.extra.")
    if recipe.generation.min_words >= recipe.generation.max_new_tokens:
        raise UsageError(
            f"generation.min_words is {recipe.generation.min_words}, but generation.max_new_tokens "
            f"({recipe.generation.max_new_tokens}) leaves no room for so many words and an end",
            "Lower generation.min_words, or raise generation.max_new_tokens.",
        )
    for number, rule in enumerate(recipe.gates.rules, start=1):
        try:
            parse(rule)
        except UsageError as error:
            raise error.within(f"{places['gates.rules']}, {number}") from error
    if recipe.data.split == recipe.data.train_split:
        raise UsageError(
            f"{places.get('data.split', 'data.split')}: {recipe.data.split!r} is data.train_split, too",
            "Name two splits: conversations that a system is trained on are never scored.",
        )
    for table in OPEN_TABLES:
        if any(key.startswith(table) for key in origins):
            origins.pop(table.rstrip("."), None)
    return ResolvedRecipe(name=name, recipe=recipe, origins=origins, places=places)


def _with_options_of_trainer(layers: Sequence[Layer]) -> Iterator[Layer]:
    """The layers with the options of the trainer that was chosen, from `[train.options]` and `[train.options.NAME]`.

    The options in a recipe's `[train.options]` are those of its own trainer. If another one is chosen (`--plugin`), it
    gets its defaults instead, and what `[train.options.NAME]` sets for it.
    """
    trainers = [layer.values.get("train", {}).get("plugin") for layer in layers]
    default = TrainSection().plugin
    chosen = next((name for name in reversed(trainers) if name is not None), default)
    for number, (layer, own) in enumerate(zip(layers, trainers, strict=True)):
        options = layer.values.get("train", {}).get("options")
        if not isinstance(options, Mapping):
            yield layer
            continue
        tables = {name: table for name, table in options.items() if isinstance(table, Mapping)}
        plain = {name: value for name, value in options.items() if name not in tables}
        of_another = number == 0 and (own or default) != chosen
        kept = {**({} if of_another else plain), **tables.get(chosen, {})}
        # An empty table that was given empties those of weaker layers; one that is left empty here is not given.
        replaced = {"options": kept} if kept or not options else {}
        train = {**{key: value for key, value in layer.values["train"].items() if key != "options"}, **replaced}
        others = {key: value for key, value in layer.values.items() if key != "train"}
        yield replace(layer, values={**others, "train": train} if train else others)


def as_recorded(recipe: Recipe) -> dict[str, Any]:
    """A recipe's values as a manifest on disk has them: a tuple is a list there, and the two are not equal."""
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(recipe))
    return found


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The dotted keys and their values; an empty table counts as a value."""
    for key, value in values.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{path}.")
        else:
            yield path, value


def check_key(key: str, layer: Layer) -> None:
    """Raise `UsageError`, with the nearest known keys, for a key that recipes do not have."""
    known = dict(flatten(msgspec.to_builtins(Recipe())))
    if key in known or key.startswith(OPEN_TABLES):
        return
    sections = {name.partition(".")[0] for name in known if "." in name}
    if key in sections:
        raise UsageError(f"{layer.place(key)}: {key} is a section, not a key", f"Set {key}.KEY.")
    raise unknown("key", key, known).within(layer.options.get(key) or layer.origin)


def _names(value: Any, name: str) -> bool:
    """Whether a recipe's value is a name, or a list that holds it; `NAME:ARGUMENT` counts."""
    values = value if isinstance(value, list | tuple) else [value]
    return any(isinstance(one, str) and name in (one, one.partition(":")[0]) for one in values)


def _set_value(values: dict[str, Any], key: str, value: Any) -> None:
    *path, last = key.split(".")
    for part in path:
        values = values.setdefault(part, {})
        if not isinstance(values, dict):
            raise UsageError(f"{key}: {part} is set to a value, so it cannot hold keys")
    values[last] = value
