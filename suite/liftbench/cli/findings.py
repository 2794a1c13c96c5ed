"""Findings of a check, as lines or JSON: what is right, what is to be known, and what is wrong with how to fix it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from ..report.terminal.text import plain
from ..workflow.check import Finding
from .output import console
from .show import print_json

MARKS = {"ok": ("✓ ok  ", "green"), "note": ("○ note", "yellow"), "wrong": ("✗ fix ", "bold red")}


def show_findings(recipe: str, findings: Sequence[Finding], *, as_json: bool) -> int:
    """Show what was found for a recipe, and return how many findings are wrong."""
    wrong = sum(one.state == "wrong" for one in findings)
    if as_json:
        print_json({"recipe": recipe, "ok": not wrong, "findings": findings})
        return wrong
    width = max((len(one.part) for one in findings), default=0)
    out = console()
    for one in findings:
        mark, style = MARKS[one.state]
        out.print(Text.assemble((mark, style), f"  {one.part.ljust(width)}  ", plain(one.what)), soft_wrap=True)
        for advice in filter(None, one.fix.splitlines()):
            out.print(plain(f"{' ' * (len(mark) + width + 4)}→ {advice}"), soft_wrap=True)
    return wrong
