"""The guards of a verdict: conditions without which a lift, however large, proves nothing.

Each guard looks at recorded evidence alone and says what it found. A guard that cannot run has not passed.
"""

from __future__ import annotations

from collections.abc import Callable

from ..evidence import Evidence
from .asked import check_people
from .base import STATES, Check, Guard, GuardState, not_passed
from .beaten import FACTS, check_controls, check_facts, check_slices, check_writing
from .compared import check_effect, check_same_base, check_scores, check_seeds
from .seen import check_leakage
from .written import check_degeneration, check_endings, check_language, check_truncation

__all__ = ["FACTS", "GUARDS", "PEOPLE", "STATES", "Guard", "GuardState", "check_guards", "not_passed"]

PEOPLE = "people"
"""The guard that is checked only where the recipe requires judges."""

GUARDS: dict[str, tuple[str, Callable[[Evidence], Check]]] = {
    "scores": ("Is there a number to judge, from every conversation?", check_scores),
    "same base": ("Is it compared with its own untuned model, under the same prompt?", check_same_base),
    "effect": ("Does it write anything else than the baseline, and than a control?", check_effect),
    "seeds": ("Were all seeds of its training judged?", check_seeds),
    "leakage": ("Was nothing that is scored seen in training or in the prompt, and no summary copied?", check_leakage),
    "truncation": ("Were the whole conversations read?", check_truncation),
    "endings": ("Does every summary have words, and an end?", check_endings),
    "degeneration": ("Is every summary a text of its own, that does not go in circles?", check_degeneration),
    "language": ("Is every summary in the conversation's language?", check_language),
    "controls": ("Does it beat what needs no model at all?", check_controls),
    "writing": ("Is it written, and not pasted together?", check_writing),
    "facts": ("Does it invent hardly more details than people do?", check_facts),
    "slices": ("Is it worse on no slice of the conversations?", check_slices),
    PEOPLE: ("Do people prefer it?", check_people),
}
"""Guard → its question, and the function that checks it."""


def check_guards(evidence: Evidence) -> list[Guard]:
    """Check every guard, in the order of a report; optional guards only where the recipe requires them."""
    left_out = {PEOPLE} if not evidence.terms.limits.judges else set()
    return [
        Guard(
            name=name,
            question=question,
            state=found.state,
            words=found.words,
            fix=found.fix,
            brief=found.brief,
            figure=found.figure,
            ids=list(found.ids),
        )
        for name, (question, check) in GUARDS.items()
        if name not in left_out
        for found in [check(evidence)]
    ]
