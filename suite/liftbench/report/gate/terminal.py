"""A gate in the terminal: what each rule came to, and how to mend what did not pass."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ...gating.gate import GateReport
from ..checks import SYMBOLS
from ..terminal.comparison import STYLES, plain
from .sentences import against_words, guard_words, in_gravity, outcome, remark_lines, told


def gate_table(report: GateReport) -> RenderableType:
    """The outcome, then the rules, those that did not pass first."""
    rows = Table.grid(padding=(0, 1))
    for result in in_gravity(report.results):
        passed = result.state == "passed"
        rows.add_row(Text(SYMBOLS[result.state], STYLES[result.state]), plain(result.rule, "" if passed else "bold"))
        rows.add_row("", plain(result.found, "dim" if passed else ""))
        for line in told(result):
            rows.add_row("", plain(line))
    parts: list[RenderableType] = [
        Text(outcome(report), STYLES["verified" if report.passed else "failed"]),
        plain(f"{report.system} ({', '.join(report.runs)}) against {against_words(report)}", "dim"),
        Text(),
        rows,
    ]
    if guards := guard_words(report):
        found = Table.grid(padding=(0, 1))
        for line in guards:
            found.add_row("-", plain(line))
        parts += [Text(), Text("Guards that did not pass", "bold"), found]
    if remarks := remark_lines(report):
        parts += [Text(), *(plain(line, "dim") for line in remarks)]
    return Group(*parts)
