"""A gate as a summary in Markdown, for a step of a GitHub workflow."""

from __future__ import annotations

from pathlib import Path

from ...files import writing
from ...gating.gate import GateReport
from ..markdown import code, escape
from ..outcomes import SYMBOLS, rule_state
from .sentences import describe_baselines, describe_guards, list_details, list_remarks, sort_results


def append_summary(report: GateReport, path: Path, page: Path) -> None:
    """Append the outcome and a table of the rules."""
    rows = [
        f"| {SYMBOLS[rule_state(result)]} {rule_state(result)} | {code(result.rule)} | "
        f"{escape(' '.join([result.found, *list_details(result)]))} |"
        for result in sort_results(report.results)
    ]
    lines = [
        f"### {SYMBOLS[report.state]} liftbench gate: {escape(report.sentence)}",
        "",
        f"{escape(report.system)} against {describe_baselines(report)} on {report.protocol.n} conversations of "
        f"{escape(report.protocol.dataset)} {escape(report.protocol.split)}; the page with the conversations is "
        f"{code(page.name)}.",
        "",
        "| outcome | rule | found |",
        "|---|---|---|",
        *rows,
        "",
        *(f"- {escape(line)}" for line in (*describe_guards(report), *list_remarks(report))),
        "",
    ]
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as out:
            out.write("\n".join(lines) + "\n")
