"""Data cards: `card.md` in a data set's folder, the record of every step that was applied to the data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct

from ..errors import UsageError
from ..files import file_sha256, write_text

CARD = "card.md"


class CardEntry(Struct, frozen=True):
    """One step: where the data came from, or what was done to it."""

    heading: str
    """What was done and when: `Imported on 2026-11-23`."""
    lines: tuple[str, ...]
    """One fact a line: files with their sha256, counts, options."""


def card_entry(done: str, files: Iterable[Path], lines: Iterable[str], *, within: str = "") -> CardEntry:
    """The entry for a step done today to some files; `within` is a prefix for their names."""
    sources = (f"from {within}{path.name}, sha256 {file_sha256(path)}" for path in files)
    return CardEntry(f"{done} on {datetime.now(UTC):%Y-%m-%d}", (*sources, *lines))


def write_card(folder: Path, title: str, history: Sequence[CardEntry]) -> None:
    """Replace a folder's card atomically."""
    text = [f"# {title}\n"]
    for entry in history:
        text += [f"\n## {entry.heading}\n\n", *(f"- {' '.join(line.split())}\n" for line in entry.lines)]
    write_text(folder / CARD, "".join(text))


def read_card(folder: Path) -> list[CardEntry]:
    """The steps recorded in a folder's card, oldest first; empty if there is no card.

    A card written by hand is read too: each line under a heading is kept. Raises `UsageError` for an unreadable card.
    """
    path = folder / CARD
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the data card {path}: {error}") from error
    sections = re.split(r"^## +(.+)$", text, flags=re.MULTILINE)[1:]
    return [
        CardEntry(heading.strip(), tuple(_lines(body.splitlines())))
        for heading, body in zip(sections[::2], sections[1::2], strict=True)
    ]


def _lines(body: Iterable[str]) -> list[str]:
    return [line.removeprefix("- ").strip() for line in body if line.strip()]
