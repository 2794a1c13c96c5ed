"""Findings of a check as lines: what is right, what is to be known, and what is wrong with how to fix it."""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text

from ..report.terminal.text import plain
from .output import console

MARKS = {"ok": ("✓ ok  ", "green"), "note": ("○ note", "yellow"), "wrong": ("✗ fix ", "bold red")}


def show_findings(findings: Iterable[tuple[str, str, str, str]]) -> None:
    """Show findings: a part, a state of `MARKS`, what was found, and how to fix it."""
    rows = list(findings)
    width = max((len(part) for part, *_ in rows), default=0)
    out = console()
    for part, state, what, fix in rows:
        mark, style = MARKS[state]
        line = Text.assemble((mark, style), f"  {part.ljust(width)}  ", plain(what))
        out.print(line, soft_wrap=True)
        for advice in filter(None, fix.splitlines()):
            out.print(plain(f"{' ' * (len(mark) + width + 4)}→ {advice}"), soft_wrap=True)
