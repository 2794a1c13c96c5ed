"""Recipes: TOML to typed objects, with the origin of every value (command line > environment > recipe > default)."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from ..errors import UsageError, unknown
from ..files import invalid_value
from .rules import parse
from .sections import Recipe

OPEN_TABLES = ("train.options.", "data.options.")
"""Sections whose keys belong to a plugin, which checks them."""


class Layer(Struct, frozen=True):
    """Values from one origin, nested as in a recipe file."""

    origin: str
    values: Mapping[str, Any]


class ResolvedRecipe(Struct, frozen=True, kw_only=True):
    """A recipe with all overrides applied."""

    name: str
    recipe: Recipe
    origins: dict[str, str]
    """`section.key` → where its value came from."""


def recipe_names() -> list[str]:
    """The recipes that ship with the package."""
    folder = resources.files("liftbench") / "recipes"
    return sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml"))


def read_recipe(name: str) -> Layer:
    """A shipped recipe by name, or a TOML file by path. Raises `UsageError`."""
    path = Path(name)
    if name in recipe_names():
        text = (resources.files("liftbench") / "recipes" / f"{name}.toml").read_text(encoding="utf-8")
    elif path.suffix == ".toml" or path.is_file():
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise UsageError(f"cannot read the recipe {name}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise UsageError(f"the recipe {name} is not UTF-8 text") from error
    else:
        raise unknown("recipe", name, recipe_names())
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"the recipe {name} is not TOML: {error}") from error
    return Layer(f"recipe {name}", values)


def assignment(text: str) -> tuple[str, Any]:
    """`section.key=value` with a TOML value; what is not TOML is a string. Raises `UsageError`."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise UsageError(
            f"--set {text!r} is not an assignment",
            "Write section.key=value, for example --set generation.max_new_tokens=60.",
        )
    try:
        parsed = tomllib.loads(f"value = {value.strip()}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value.strip()
    return key.strip(), parsed


def nest_keys(flat: Mapping[str, Any]) -> dict[str, Any]:
    """`{"a.b": 1}` → `{"a": {"b": 1}}`."""
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
    """Merge layers, weakest first. Raises `UsageError` for an unknown key (with the nearest) or a wrong type."""
    merged: dict[str, Any] = {}
    origins = {key: "default" for key, _ in flatten(msgspec.to_builtins(Recipe()))}
    for layer in layers:
        for key, value in flatten(layer.values):
            _check_key(key, layer.origin)
            _place(merged, key, value)
            for below in [name for name in origins if name.startswith(f"{key}.")]:
                del origins[below]
            origins[key] = layer.origin
    try:
        recipe = msgspec.convert(merged, Recipe)
    except msgspec.ValidationError as error:
        path, reason = invalid_value(error)
        key = path.partition("[")[0]
        origin = f" (from {origins[key]})" if key in origins else ""
        raise UsageError(f"{key or name}: {reason}{origin}") from error
    required = (*recipe.metrics.names, *recipe.metrics.extra)
    for headline in recipe.metrics.headlines:
        if headline not in required:
            raise UsageError(
                f"metrics.headlines: {headline!r} is not in metrics.names ({', '.join(required)})",
                "Add it to metrics.names, or choose another headline.",
            )
    for number, rule in enumerate(recipe.gates.rules, start=1):
        try:
            parse(rule)
        except UsageError as error:
            raise error.within(f"{origins['gates.rules']}, gates.rules, {number}") from error
    if recipe.data.split == recipe.data.train_split:
        raise UsageError(
            f"data.split and data.train_split are both {recipe.data.split!r}",
            "Name two splits: conversations that a system is trained on are never scored.",
        )
    for table in OPEN_TABLES:
        if any(key.startswith(table) for key in origins):
            origins.pop(table.rstrip("."), None)
    return ResolvedRecipe(name=name, recipe=recipe, origins=origins)


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys and values; an empty table is a value."""
    for key, value in values.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{path}.")
        else:
            yield path, value


def _check_key(key: str, origin: str) -> None:
    known = dict(flatten(msgspec.to_builtins(Recipe())))
    if key in known or key.startswith(OPEN_TABLES):
        return
    sections = {name.partition(".")[0] for name in known if "." in name}
    if key in sections:
        raise UsageError(f"{key} is a section, not a key (from {origin})", f"Set {key}.KEY.")
    raise unknown("key", key, known).within(origin)


def _place(values: dict[str, Any], key: str, value: Any) -> None:
    *path, last = key.split(".")
    for part in path:
        values = values.setdefault(part, {})
        if not isinstance(values, dict):
            raise UsageError(f"{key}: {part} is set to a value, so it cannot hold keys")
    values[last] = value
