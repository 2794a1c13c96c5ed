"""Finds values in the objects of an export by paths such as `author.type`.

The keys of a path are separated by dots; a path goes on through JSON in a cell. Keys are compared without case, spaces
and punctuation where none is the same letter for letter. A user's path names one value (`at`). A desk's path, such as
`author.type|role`, may also have fallbacks after `|`, and goes through each item of a list (`find` and the others).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from .columns import plain_name
from .values import decoded, words


def at(values: Mapping[str, Any], path: str) -> Any:
    """The value at a path without fallbacks and lists, which may be empty; None if there is none."""
    if path in values:
        return values[path]
    name, _, rest = path.partition(".")
    key = _key(values, name)
    value = None if key is None else values[key]
    if not rest:
        return value
    inner = decoded(value)
    return at(inner, rest) if isinstance(inner, Mapping) else None


def find(value: Any, path: str) -> Any:
    """The first value at the path that is not empty; None if there is none."""
    return next((found for keys in _alternatives(path) for found in _values(value, keys) if _is_filled(found)), None)


def text_at(value: Any, path: str) -> str:
    """The first text or number at the path, as text; else the empty text."""
    found = (words(found) for keys in _alternatives(path) for found in _values(value, keys))
    return next(filter(None, found), "")


def exists(value: Any, path: str) -> bool:
    """Whether one of the path's fallbacks is there, even if empty; `path=value` asks for a value as well."""
    path, equals, wanted = path.partition("=")
    found = (item for keys in _alternatives(path) for item in _values(value, keys))
    return any(not equals or words(item).casefold() == wanted.casefold() for item in found)


def objects_at(value: Any, path: str) -> list[Mapping[str, Any]]:
    """The objects in the list at the path; empty if there is no list of objects."""
    found = decoded(find(value, path)) if path else None
    return [item for item in found if isinstance(item, Mapping)] if isinstance(found, list | tuple) else []


def _values(value: Any, keys: tuple[str, ...]) -> Iterator[Any]:
    if not keys:
        yield value
        return
    inner = decoded(value)
    if isinstance(inner, list | tuple):
        for item in inner:
            yield from _values(item, keys)
    elif isinstance(inner, Mapping):
        # A table made from objects often has columns such as `author.type`.
        for name, rest in ((".".join(keys), ()), (keys[0], keys[1:])) if len(keys) > 1 else ((keys[0], ()),):
            if (key := _key(inner, name)) is not None:
                yield from _values(inner[key], rest)


def _key(values: Mapping[str, Any], name: str) -> str | None:
    if name in values:
        return name
    plain = plain_name(name)
    return next((key for key in values if plain_name(key) == plain), None)


def _is_filled(value: Any) -> bool:
    return bool(value) if isinstance(value, list | tuple | Mapping) else bool(words(value))


@lru_cache(maxsize=1024)
def _alternatives(path: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(option.split(".")) for option in path.split("|"))
