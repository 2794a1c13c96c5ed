"""How outcomes and states are worded, marked and ordered, on pages, in the terminal and for CI alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..gating.context import RuleResult
from ..gating.gate import GATE_BADGES
from ..judging.guards import Guard, not_passed
from ..judging.verdict import BADGES as OUTCOMES
from ..judging.verdict import Outcome

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
    "reaches the target": "✓",
    "does not reach the target": "✗",
    "open": "?",
    "no number": "○",
}
"""The symbol of each outcome and state: symbol and word distinguish them, never the colour alone."""

BADGES: Mapping[str, str] = {
    **OUTCOMES,
    **GATE_BADGES,
}
"""Each outcome of a verdict, and each state of a gate, in the words of its badge."""

REACHED: Mapping[Outcome, str] = {
    "verified": "reaches the target",
    "not met": "does not reach the target",
    "undecided": "open",
    "unproven": "no number",
}
"""What the outcome of one lift says about the target; *proven* is a word for verdicts alone."""


def advise(outcome: Outcome, guards: Sequence[Guard]) -> str:
    """What to do about a verdict: `do not ship`, not yet where nothing is wrong but something could not be checked."""
    if outcome == "verified":
        return "ready to ship on this evidence"
    if outcome == "undecided":
        return "measure more before you ship"
    failed = outcome == "not met" or any(guard.state == "failed" for guard in guards)
    return "do not ship" if failed else "do not ship yet"


def rule_state(result: RuleResult) -> str:
    """The state of a rule as it is shown: one that passes in spite of a guard has waived it."""
    return "passed with waivers" if result.state == "passed" and result.waived else result.state


def sort_guards(guards: Sequence[Guard]) -> list[Guard]:
    """The guards that failed first, then the others that did not pass, then the rest."""
    return [*not_passed(guards), *(guard for guard in guards if guard.state == "passed")]
