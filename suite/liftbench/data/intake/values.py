"""Reads the values of cells: as text, as a list, as metadata."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from math import isfinite
from typing import Any

import msgspec

from ...records.conversation import Scalar


def words(value: Any) -> str:
    """A value as stripped text: a whole float loses its `.0`; None, NaN and lists become the empty text."""
    if isinstance(value, str):
        return value.strip()
    if value is None or value != value or isinstance(value, list | tuple | dict):
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").strip()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def list_in(value: Any) -> list[Any] | None:
    """The list in a value: the value itself, JSON, a Python literal, or the `messages` of a JSON object; else None."""
    found = decoded(value)
    if isinstance(found, Mapping) and not isinstance(value, Mapping):
        found = found.get("messages", found.get("turns"))
    return list(found) if isinstance(found, list | tuple) else None


def decoded(value: Any) -> Any:
    """The list or object in a value: the value itself, JSON or a Python literal; else None."""
    if isinstance(value, list | tuple | Mapping):
        return value
    text = words(value)
    if not text.startswith(("[", "{")):
        return None
    for read in (msgspec.json.decode, ast.literal_eval):
        # `literal_eval` reads lists as pandas writes them.
        try:
            return read(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
    return None


def shape(text: str) -> str:
    """A text with `a` for its letters and `9` for its digits, each run of them once: `10 Mar 2025` is `9 a 9`."""
    return re.sub(r"[^\W\d_]+", "a", re.sub(r"\d+", "9", text))


def scalar(value: Any) -> Scalar:
    """A value as metadata; one that has no such form as text."""
    # Other JSON readers hold integers in 64 bits, so a larger one is kept as text.
    if isinstance(value, bool) or (isinstance(value, int) and abs(value) < 2**63):
        return value
    if isinstance(value, float) and isfinite(value):
        return value
    return words(value)
