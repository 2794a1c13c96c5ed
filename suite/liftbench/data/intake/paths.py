"""Finds values in the objects of an export by paths such as `author.type|role`.

The keys of a path are separated by dots, and `|` separates fallbacks. A path goes through each item of a list, and
through JSON in a cell. Keys are compared without case, spaces and punctuation where none is the same letter for letter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import msgspec

from .columns import plain_name
from .values import list_in, words


def find(value: Any, path: str) -> Any:
    """The first value at the path that is not empty; None if there is none."""
    return next((found for keys in _alternatives(path) for found in _values(value, keys) if _is_filled(found)), None)


def text_at(value: Any, path: str) -> str:
    """The first text or number at the path, as text; else the empty text."""
    return next(filter(None, texts_at(value, path)), "")


def texts_at(value: Any, path: str) -> Iterator[str]:
    """All texts and numbers at the path, as text, those of the first fallback first."""
    return (words(found) for keys in _alternatives(path) for found in _values(value, keys) if words(found))


def exists(value: Any, path: str) -> bool:
    """Whether one of the path's fallbacks is there, even if empty; `path=value` asks for a value as well."""
    path, equals, wanted = path.partition("=")
    found = (item for keys in _alternatives(path) for item in _values(value, keys))
    return any(not equals or words(item).casefold() == wanted.casefold() for item in found)


def objects_at(value: Any, path: str) -> list[Mapping[str, Any]]:
    """The objects in the list at the path; empty if there is no list of objects."""
    found = open_cell(find(value, path)) if path else None
    return [item for item in found if isinstance(item, Mapping)] if isinstance(found, list | tuple) else []


def _values(value: Any, keys: tuple[str, ...]) -> Iterator[Any]:
    if not keys:
        yield value
        return
    value = open_cell(value)
    if isinstance(value, list | tuple):
        for item in value:
            yield from _values(item, keys)
    elif isinstance(value, Mapping):
        # A table made from objects often has columns such as `author.type`.
        for name, rest in ((".".join(keys), ()), (keys[0], keys[1:])) if len(keys) > 1 else ((keys[0], ()),):
            if (key := _key(value, name)) is not None:
                yield from _values(value[key], rest)


def _key(value: Mapping[str, Any], name: str) -> str | None:
    if name in value:
        return name
    plain = _plain(name)
    return next((key for key in value if _plain(key) == plain), None)


def open_cell(value: Any) -> Any:
    """The list or object that a text is in JSON; any other value as it is."""
    if not isinstance(value, str) or not value.lstrip().startswith(("{", "[")):
        return value
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return list_in(value)


def _is_filled(value: Any) -> bool:
    return bool(value) if isinstance(value, list | tuple | Mapping) else bool(words(value))


@lru_cache(maxsize=1024)
def _alternatives(path: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(option.split(".")) for option in path.split("|"))


_plain = lru_cache(maxsize=4096)(plain_name)
