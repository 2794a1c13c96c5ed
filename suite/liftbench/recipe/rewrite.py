"""A recipe's text with other values, everything else as it was, comments included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ..records.conversation import Scalar
from .resolve import ResolvedRecipe


def rewrite(
    text: str,
    resolved: ResolvedRecipe,
    options: Mapping[str, Scalar],
    trials: int,
    comment: Sequence[str],
    mark: str,
) -> str:
    """The text of a recipe with the trainer's options that a sweep found, the number of its trials, and all overrides
    of the command line and the environment.

    `resolved` is what the text was resolved to. `comment` are lines for the top; `mark` is the comment beside each
    option that the sweep varied. What the recipe sets for other trainers (`[train.options.NAME]`) stays.
    """
    import tomlkit
    from tomlkit.items import InlineTable

    document = tomlkit.parse(text)
    train = resolved.recipe.train
    for key, origin in resolved.origins.items():
        if origin == "default" or origin.startswith("recipe ") or key.startswith("train.options"):
            continue
        *path, last = key.split(".")
        _set(_table(document, path), last, _value(resolved.recipe, key))
    section = _table(document, ["train"])
    _set(section, "trials", train.trials + trials)
    table = _table(section, ["options"])
    # The options of the recipe's own trainer are not those of another one that was chosen instead.
    for name in [name for name, value in table.items() if not isinstance(value, Mapping) or name == train.plugin]:
        if name not in train.options:
            del table[name]
    for name, value in {**train.options, **options}.items():
        _set(table, name, value)
        # On the one line of an inline table, a comment would hide what follows.
        if name in options and not isinstance(table, InlineTable):
            table[name].comment(mark)
    head = "".join(f"# {line}\n" for line in comment)
    return f"{head}\n{tomlkit.dumps(document)}"


def _table(inside: Any, path: Sequence[str]) -> Any:
    import tomlkit

    for name in path:
        if name not in inside:
            inside[name] = tomlkit.table()
        inside = inside[name]
    return inside


def _set(table: Any, name: str, value: Any) -> None:
    if value is None:
        table.pop(name, None)
    elif table.get(name) != value:
        table[name] = value


def _value(recipe: Any, key: str) -> Any:
    found: Any = msgspec.to_builtins(recipe)
    for part in key.split("."):
        found = found[part]
    return found
