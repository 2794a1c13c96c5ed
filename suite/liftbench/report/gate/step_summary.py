"""A gate as a summary in Markdown, for a step of a GitHub workflow."""

from __future__ import annotations

from pathlib import Path

from ...files import writing
from ...gating.gate import GateReport
from ..outcomes import SYMBOLS
from .sentences import describe_baselines, describe_guards, list_details, list_remarks, sort_results


def append_summary(report: GateReport, path: Path, page: Path) -> None:
    """Append the outcome and a table of the rules."""
    rows = [
        f"| {SYMBOLS[result.state]} {result.state} | `{_code(result.rule)}` | "
        f"{_cell(' '.join([result.found, *list_details(result)]))} |"
        for result in sort_results(report.results)
    ]
    lines = [
        f"### liftbench gate: {report.sentence}",
        "",
        f"{_cell(report.system)} against {describe_baselines(report)} on {report.protocol.n} conversations of "
        f"{_cell(report.protocol.dataset)} {_cell(report.protocol.split)}; the page with the conversations is "
        f"`{_code(page.name)}`.",
        "",
        "| outcome | rule | found |",
        "|---|---|---|",
        *rows,
        "",
        *(f"- {_cell(line)}" for line in (*describe_guards(report), *list_remarks(report))),
        "",
    ]
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as out:
            out.write("\n".join(lines) + "\n")


def _cell(text: str) -> str:
    """Escape text for a cell of a Markdown table."""
    flat = " ".join(text.split())
    for character in "\\|<`":
        flat = flat.replace(character, {"<": "&lt;", "`": "'"}.get(character, f"\\{character}"))
    return flat


def _code(text: str) -> str:
    """Escape text for backticks in a cell, where entities would be shown as they are written."""
    return text.replace("`", "'").replace("|", "\\|")
