"""A gate in the terminal: the result of each rule, and how to fix what did not pass."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from ...gating.gate import GateReport
from ..outcomes import SYMBOLS, rule_state
from ..terminal.tables import Table
from ..terminal.text import STYLES, plain
from .sentences import describe_baselines, describe_guards, list_details, list_remarks, sort_results


def gate_table(report: GateReport) -> RenderableType:
    """The outcome, then the rules, those that did not pass first."""
    rows = Table.grid(padding=(0, 1))
    for result in sort_results(report.results):
        passed, state = result.state == "passed", rule_state(result)
        rows.add_row(Text(SYMBOLS[state], STYLES[state]), plain(result.rule, "" if passed else "bold"))
        rows.add_row("", plain(result.found, "dim" if passed else ""))
        for line in list_details(result):
            rows.add_row("", plain(line))
    parts: list[RenderableType] = [
        plain(f"{SYMBOLS[report.state]} {report.sentence}", STYLES[report.state]),
        plain(f"{report.system} ({', '.join(report.runs)}) against {describe_baselines(report)}", "dim"),
        Text(),
        rows,
    ]
    if guards := describe_guards(report):
        found = Table.grid(padding=(0, 1))
        for line in guards:
            found.add_row("-", plain(line))
        parts += [Text(), Text("Guards that did not pass", "bold"), found]
    if remarks := list_remarks(report):
        parts += [Text(), *(plain(line, "dim") for line in remarks)]
    return Group(*parts)
