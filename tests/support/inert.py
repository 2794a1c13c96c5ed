"""The conversations of a page, which lie there as inert JSON."""

from __future__ import annotations

import re
from typing import Any

import msgspec


def read_lists(page: str) -> list[dict[str, Any]]:
    """The data of each list of conversations of a page, in its order."""
    found = re.findall(r'<script type="application/json">(.*?)</script>', page, re.S)
    return [msgspec.json.decode(text) for text in found]


def read_rows(page: str) -> list[dict[str, Any]]:
    """The rows of a page's only list."""
    [found] = read_lists(page)
    rows: list[dict[str, Any]] = found["rows"]
    return rows
