"""How outcomes and states are marked and ordered, on pages and in the terminal alike."""

from __future__ import annotations

from collections.abc import Sequence

from ..gating.gate import GateReport
from ..judging.guards import Guard, not_passed

SYMBOLS = {
    "verified": "✓",
    "undecided": "?",
    "not met": "✗",
    "unproven": "○",
    "passed": "✓",
    "passed with waivers": "!",
    "failed": "✗",
    "not run": "○",
    "not worse": "✓",
    "worse": "✗",
    "not judged": "○",
}
"""The symbol of each outcome and state: symbol and word distinguish them, never the colour alone."""


def gate_state(report: GateReport) -> str:
    """`passed`, `passed with waivers` or `failed`: decides the colour of the gate's page, badge and terminal line."""
    if not report.passed:
        return "failed"
    return "passed with waivers" if report.waived else "passed"


def sort_guards(guards: Sequence[Guard]) -> list[Guard]:
    """The guards that failed first, then the others that did not pass, then the rest."""
    return [*not_passed(guards), *(guard for guard in guards if guard.state == "passed")]
