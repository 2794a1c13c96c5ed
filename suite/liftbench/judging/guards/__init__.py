"""The guards of a verdict: conditions without which a lift, however large, proves nothing.

Each guard looks at recorded evidence alone and says what it found. A guard that cannot run has not passed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ..evidence import Evidence
from .asked import check_people
from .base import STATES, Check, Guard, GuardState, not_passed
from .beaten import FACTS, check_controls, check_facts, check_slices, check_writing
from .compared import check_effect, check_same_base, check_scores, check_seeds
from .seen import check_leakage
from .written import FAULT_LABELS, check_degeneration, check_endings, check_language, check_truncation

__all__ = ["FACTS", "FAULT_LABELS", "GUARDS", "PEOPLE", "STATES", "Guard", "GuardState", "check_guards", "not_passed"]

PEOPLE = "people"
"""The guard that is checked only where the recipe requires judges."""


class Kind(NamedTuple):
    """One of the guards."""

    question: str
    label: str
    """What is wrong where it does not pass, in two or three plain words."""
    passed: str
    """The same where it passes."""
    check: Callable[[Evidence], Check]


GUARDS: dict[str, Kind] = {
    "scores": Kind(
        "Is there a number to judge, from every conversation?", "no complete scores", "scores complete", check_scores
    ),
    "same base": Kind(
        "Is it compared with its own untuned model, under the same prompt?",
        "not compared with its own base",
        "compared with its own base",
        check_same_base,
    ),
    "effect": Kind(
        "Does it write anything else than the baseline, and than a control?",
        "writes nothing of its own",
        "writes texts of its own",
        check_effect,
    ),
    "seeds": Kind("Were all seeds of its training judged?", "seeds left out", "all seeds judged", check_seeds),
    "leakage": Kind(
        "Was nothing that is scored seen in training or in the prompt, and no summary copied?",
        "has seen test data",
        "has not seen test data",
        check_leakage,
    ),
    "truncation": Kind(
        "Were the whole conversations read?", "read only in part", "whole conversations read", check_truncation
    ),
    "endings": Kind("Does every summary have words, and an end?", "cut off", "summaries complete", check_endings),
    "degeneration": Kind(
        "Is every summary a text of its own, that does not go in circles?",
        "repeats itself",
        "no repetition",
        check_degeneration,
    ),
    "language": Kind(
        "Is every summary in the conversation's language?", "other language", "right language", check_language
    ),
    "controls": Kind(
        "Does it beat what needs no model at all?",
        "no better than a template",
        "beats systems without a model",
        check_controls,
    ),
    "writing": Kind(
        "Is it written, and not pasted together?",
        "pastes from the conversation",
        "writes in its own words",
        check_writing,
    ),
    "facts": Kind(
        "Does it invent hardly more details than people do?", "invented details", "few invented details", check_facts
    ),
    "slices": Kind(
        "Is it worse on no slice of the conversations?", "worse on a slice", "worse on no slice", check_slices
    ),
    PEOPLE: Kind("Do people prefer it?", "people do not prefer it", "people prefer it", check_people),
}
"""Guard → its question, its words, and the function that checks it."""


def check_guards(evidence: Evidence) -> list[Guard]:
    """Check every guard, in the order of a report; optional guards only where the recipe requires them."""
    left_out = {PEOPLE} if not evidence.terms.limits.judges else set()
    return [
        Guard(
            name=name,
            label=found.label or (kind.passed if found.state == "passed" else kind.label),
            question=kind.question,
            state=found.state,
            words=found.words,
            fix=" ".join(filter(None, [found.step, found.fix])),
            step=found.step,
            brief=found.brief,
            figure=found.figure,
            ids=list(found.ids),
        )
        for name, kind in GUARDS.items()
        if name not in left_out
        for found in [kind.check(evidence)]
    ]
