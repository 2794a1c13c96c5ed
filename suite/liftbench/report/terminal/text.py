"""The plain text and the empty table that all terminal output is made of."""

from __future__ import annotations

from rich import box
from rich.text import Text

from ...text.phrases import printable
from .tables import Table

STYLES = {
    "verified": "bold green",
    "undecided": "bold yellow",
    "not met": "bold red",
    "unproven": "bold magenta",
    "passed": "green",
    "passed with waivers": "bold yellow",
    "failed": "bold red",
    "not run": "bold magenta",
}


def new_table() -> Table:
    """An empty table in the style of all tables."""
    return Table(
        box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1), title_justify="left", title_style="bold"
    )


def plain(words: str, style: str = "") -> Text:
    """Text without markup and control characters."""
    return Text(printable(words), style)
