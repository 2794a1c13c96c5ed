"""The answer: badge, advice and one sentence of reasons, for every outcome."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from liftbench.floors.ranking import Position
from liftbench.judging.guards import GUARDS, Guard, GuardState
from liftbench.judging.verdict import Outcome, Verdict
from liftbench.report.answer import EVIDENCE, answer_verdict, find_deciders
from liftbench.report.outcomes import BADGES, advise
from liftbench.statistics.lift import Lift, LiftResult

from ..support.build import make_lift
from ..support.lifts import as_lift

OPEN = "108 conversations are too few to tell whether they reach the target of 40%"


def guard(name: str, state: GuardState, brief: str = "", **others: Any) -> Guard:
    return Guard(name=name, question="?", state=state, words="Found.", brief=brief, **others)


def verdict(outcome: Outcome, guards: Sequence[Guard] = (), **changed: Any) -> Verdict:
    made = Verdict(
        outcome=outcome,
        lift=outcome,
        headlines=("rougeL",),
        against="baseline",
        target=0.4,
        sentence="",
        guards=list(guards),
    )
    return replace(made, **changed)


def lift(value: float, low: float, high: float, metric: str = "rougeL", **changed: Any) -> Lift:
    return replace(as_lift(make_lift(value, low, high)), metric=metric, **changed)


CUT = guard("endings", "failed", "4 of 104 summaries are cut off")
INVENTED = guard("facts", "failed", "it invents 4 times as many details as people do")
UNBEATEN = guard("controls", "failed", "it does not clearly beat a fixed template")
UNKNOWN = guard("leakage", "not run", "it is not known what it was trained on")
FINE = guard("scores", "passed")
GOOD, MORE = lift(0.79, 0.68, 0.92), lift(1.42, 1.2, 1.7, "content-overlap")
LOW, WIDE, LOSS = lift(0.12, 0.02, 0.21), lift(0.45, 0.3, 0.6), lift(-0.03, -0.1, 0.02)


@pytest.mark.parametrize(
    ("found", "lifts", "words"),
    [
        (verdict("unproven", [CUT]), [GOOD], "Scores rise 79%, but 4 of 104 summaries are cut off."),
        (
            verdict("unproven", [CUT, INVENTED, UNBEATEN, FINE]),
            [GOOD, MORE],
            "Both scores rise (by 79% and 142%), but 4 of 104 summaries are cut off, it invents 4 times as many "
            "details as people do, and it does not clearly beat a fixed template.",
        ),
        (
            verdict("unproven", [CUT, INVENTED, UNBEATEN, UNKNOWN]),
            [GOOD],
            "Scores rise 79%, but 4 of 104 summaries are cut off, it invents 4 times as many details as people do, and "
            "there are 2 more reasons.",
        ),
        (
            verdict("unproven", [CUT]),
            [LOW],
            "Scores rise 12%, but that is clearly less than the target of 40%, and 4 of 104 summaries are cut off.",
        ),
        (verdict("not met", [FINE]), [LOW], "Scores rise 12%, but that is clearly less than the target of 40%."),
        (
            verdict("not met"),
            [LOSS, LOSS],
            "Both scores fall by 3%, and the target is a rise of 40%.",
        ),
        (
            verdict("unproven", [CUT]),
            [GOOD, MORE, WIDE, GOOD],
            "All 4 scores rise (by 45% at least, and 142% at most), but 108 conversations are too few to tell whether "
            "they reach the target of 40% on ROUGE-L, and 4 of 104 summaries are cut off.",
        ),
        (verdict("not met"), [LOSS], "Scores fall 3%, and the target is a rise of 40%."),
        (
            verdict("not met"),
            [LOSS, MORE],
            "Scores rise 142% on content-overlap and fall 3% on ROUGE-L, but the target of 40% is not reached on "
            "ROUGE-L.",
        ),
        (verdict("undecided"), [WIDE], f"Scores rise 45%, but {OPEN}."),
        (
            verdict("undecided", conditions=["no best prompt was searched for"], overlap_only=True),
            [WIDE],
            f"Scores rise 45%, but {OPEN} (no best prompt was searched for; only shared words were counted).",
        ),
        (
            verdict("undecided"),
            [replace(GOOD, n=12, units=12)],
            "Scores rise 79%, but 12 conversations are too few to tell whether they reach the target of 40% (30 are "
            "needed).",
        ),
        (
            verdict("verified", [FINE]),
            [GOOD],
            "Scores rise 79%, clearly more than the target of 40%, and every check (1) passes.",
        ),
        (
            verdict("unproven", [guard("scores", "failed", "there is no lift to judge: rougeL has no number")]),
            [make_lift(None, None, None)],
            "There is no lift to judge: rougeL has no number.",
        ),
    ],
)
def test_the_reason_is_one_sentence(found: Verdict, lifts: Sequence[LiftResult], words: str) -> None:
    assert answer_verdict(found, lifts).reason == words


@pytest.mark.parametrize(
    ("outcome", "guards", "headline"),
    [
        ("verified", [FINE], "Proven: ready to ship on this evidence"),
        ("undecided", [FINE], "Undecided: measure more before you ship"),
        ("not met", [FINE], "Target not reached: do not ship"),
        ("unproven", [UNKNOWN, CUT], "Not proven: do not ship"),
        ("unproven", [UNKNOWN], "Not proven: do not ship yet"),
    ],
)
def test_the_badge_says_what_to_do(outcome: Outcome, guards: Sequence[Guard], headline: str) -> None:
    assert f"{BADGES[outcome]}: {advise(outcome, guards)}" == headline


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (
            0.037,
            0.065,
            "It beats the best system without a model (t) by 0.051 on ROUGE-L (95% interval 0.037 to 0.065).",
        ),
        (
            -0.002,
            0.104,
            "It does not clearly beat the best system without a model (t) on ROUGE-L: +0.051 (95% interval -0.002 to "
            "+0.104).",
        ),
        (
            -0.08,
            -0.02,
            "It falls behind the best system without a model (t) by 0.051 on ROUGE-L (95% interval of the difference "
            "-0.080 to -0.020).",
        ),
    ],
)
def test_the_comparison_with_the_best_control_is_a_sentence(low: float, high: float, words: str) -> None:
    nothing = dict.fromkeys(("ceiling_mean", "value", "low", "high"))
    mean = 0.251 if high > 0 else 0.149
    figures = {"floor_mean": 0.2, "candidate_mean": mean, "gap_low": low, "gap_high": high, "n": 9, "n_humans": 0}
    position = msgspec.convert({"metric": "rougeL", "floor": "t"} | figures | nothing, Position)
    [decider] = find_deciders([position], [])
    assert decider.words == words


def test_what_to_do_next_is_the_worst_guards_first_step_and_is_not_said_again() -> None:
    first = replace(CUT, label="cut off", fix="Read them. Raise `x`.", step="Read them.", figure="4 of 104 (limit 2%)")
    answer = answer_verdict(verdict("unproven", [UNKNOWN, replace(INVENTED, fix="Train."), first]), [LOW])
    assert (answer.next.guard, answer.next.step) == ("facts", "Train.")
    assert [one.sentence for one in answer.changes] == [
        "cut off: Read them. Raise `x`.",
        "Train on more conversations, or a larger model. The lift on ROUGE-L must reach +40%.",
    ]
    assert [chip.words for chip in answer.chips] == ["facts", "cut off: 4 of 104 (limit 2%)", "leakage: not known"]


def test_a_proven_answer_is_kept() -> None:
    answer = answer_verdict(verdict("verified", [FINE], settle=["More."]), [GOOD])
    assert "bench promote" in answer.next.words
    assert [one.words for one in answer.changes] == ["More."]


def test_every_guard_has_words_of_its_own() -> None:
    labels = [words for kind in GUARDS.values() for words in (kind.label, kind.passed)]
    assert len(set(labels)) == len(labels)
    assert all(0 < len(words) <= 32 for words in labels)


def test_every_guard_has_a_place_of_its_evidence() -> None:
    assert EVIDENCE.keys() == GUARDS.keys()
