"""What judgments amount to, worked out by hand, and what never changes."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from liftbench.preferences.agreement import calibrate, nominal_alpha
from liftbench.preferences.judgments import unblind
from liftbench.preferences.result import bootstrap_of, people_preference
from liftbench.records.preferences import JudgedConversation, KeyItem, Preference, SheetKey

from ..support.build import write_conversations
from ..support.sheets import METRIC, Choice, build_sheet, fill_in


def judge(key: SheetKey, *choices: dict[str, Choice] | Choice, **sentences: Any) -> Preference:
    """The result of judges who choose by conversation, or always the same."""

    def choose(by: dict[str, Choice] | Choice, item: KeyItem) -> Choice:
        return by[item.conversation] if isinstance(by, dict) else by

    votes = []
    for number, by in enumerate(choices):
        votes += unblind(Path("x.json"), fill_in(key, partial(choose, by), f"judge {number}", **sentences), key)
    return people_preference(key, votes)


def test_wins_ties_and_losses_are_counted_by_the_mean_over_judges() -> None:
    _, key = build_sheet(write_conversations(4))
    ann: dict[str, Choice] = {"c000": "candidate", "c001": "candidate", "c002": "tie", "c003": "other"}
    bob: dict[str, Choice] = {"c000": "candidate", "c001": "other", "c002": "candidate", "c003": "other"}
    found = judge(key, ann, bob)
    assert (found.wins, found.ties, found.losses, found.n) == (2, 1, 1, 4)
    assert found.win_rate == pytest.approx((1 + 0.5 + 0.75 + 0) / 4)
    assert found.judges == ("judge 0", "judge 1")
    assert {one.conversation: one.value for one in found.conversations}["c002"] == 0.75


def test_identical_summaries_count_as_ties() -> None:
    conversations = write_conversations(4)
    _, key = build_sheet(conversations, candidate=["a", "b", "c", "d"], other=["a", "b", "x", "y"])
    found = judge(key, "candidate")
    assert (found.wins, found.ties, found.losses, found.identical, found.n) == (2, 2, 0, 2, 4)
    assert found.win_rate == pytest.approx(0.75)


def test_the_interval_takes_conversations_of_one_customer_together() -> None:
    conversations = write_conversations(24)
    choices: dict[str, Choice] = {
        one.id: "candidate" if number < 12 else "other" for number, one in enumerate(conversations)
    }
    clusters = {one.id: f"customer {number // 4}" for number, one in enumerate(conversations)}
    alone = judge(build_sheet(conversations)[1], choices)
    together = judge(build_sheet(conversations, clusters=clusters)[1], choices)
    assert alone.win_rate == together.win_rate == 0.5
    for found in (alone, together):
        assert found.low is not None
        assert found.high is not None
    assert together.low < alone.low < 0.5 < alone.high < together.high  # type: ignore[operator]


def test_supported_sentences_are_compared_by_conversation() -> None:
    conversations = write_conversations(4)
    _, key = build_sheet(conversations, candidate=["One. Two."] * 4, other=["Three.", "Four.", "", "Five."])
    found = judge(key, "tie", candidate="yes", other="unsure").supported
    assert found is not None
    # The conversation with an empty summary has no share on that side.
    assert (found.candidate, found.other, found.difference, found.n) == (1.0, 0.0, 1.0, 3)
    assert (found.sentences, found.unsure) == (9, 3)
    assert judge(key, "tie").supported is None


@pytest.mark.parametrize(("direction", "expected"), [("higher", (1 + 0 + 0.5) / 3), ("lower", (0 + 1 + 0.5) / 3)])
def test_a_metric_agrees_where_it_prefers_what_people_prefer(direction: Any, expected: float) -> None:
    # One agreed, one not, one tied by the metric; a tie of the people and a missing score say nothing.
    scores = {"c000": (2.0, 1.0), "c001": (2.0, 1.0), "c002": (1.0, 1.0), "c003": (3.0, 1.0), "c004": (None, 1.0)}
    choices: dict[str, Choice] = {
        "c000": "candidate",
        "c001": "other",
        "c002": "other",
        "c003": "tie",
        "c004": "candidate",
    }
    metrics = [replace(METRIC, direction=direction), replace(METRIC, name="none", direction="neither")]
    _, key = build_sheet(write_conversations(5), scores=scores, metrics=metrics)
    [found] = judge(key, choices).metrics
    assert (found.metric, found.n) == ("words", 3)
    assert found.agreement == pytest.approx(expected)


@settings(max_examples=20)
@given(st.lists(st.sampled_from(["candidate", "other", "tie"]), min_size=6, max_size=6))
def test_the_rate_turns_over_when_the_systems_change_places(choices: list[Choice]) -> None:
    _, key = build_sheet(write_conversations(6))
    turned: dict[Choice, Choice] = {"candidate": "other", "other": "candidate", "tie": "tie"}
    ids = [item.conversation for item in key.items]
    found = judge(key, dict(zip(ids, choices, strict=True)))
    back = judge(key, dict(zip(ids, map(turned.__getitem__, choices), strict=True)))
    assert found.win_rate is not None
    assert back.win_rate == pytest.approx(1 - found.win_rate)
    assert (back.wins, back.losses) == (found.losses, found.wins)
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.win_rate <= found.high


# ------------------------------------------------------------------------------------------------------------ agreement

PUBLISHED: list[list[float | None]] = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
]
"""Krippendorff, *Computing Krippendorff's Alpha-Reliability* (2011), section C."""


def test_alpha_equals_its_published_value() -> None:
    assert nominal_alpha(PUBLISHED).value == pytest.approx(0.743, abs=0.0005)


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([[1, 0, 1]], "one judge"),
        ([[1, 1], [1, 1]], "all answers are the same"),
        ([[1, None], [None, 0]], "no pair was judged by two"),
    ],
)
def test_alpha_is_not_defined_without_what_it_compares(rows: list[list[float | None]], why: str) -> None:
    assert nominal_alpha(rows) == (None, why)


def test_one_judge_has_no_agreement_and_two_have() -> None:
    _, key = build_sheet(write_conversations(4))
    choices: dict[str, Choice] = {"c000": "candidate", "c001": "other", "c002": "tie", "c003": "tie"}
    assert (judge(key, choices).alpha, judge(key, choices).alpha_missing) == (None, "one judge")
    assert judge(key, choices, choices).alpha == pytest.approx(1)


def test_a_model_is_calibrated_on_the_pairs_that_people_judged() -> None:
    _, key = build_sheet(write_conversations(4))
    people = judge(key, "candidate", {"c000": "candidate", "c001": "other", "c002": "other", "c003": "other"})
    by_model = [
        JudgedConversation(conversation=item.conversation, item=item.id, values={"m": value})
        for item, value in zip(key.items, (1.0, 0.5, 0.0, 0.0), strict=True)
    ]
    stranger = JudgedConversation(conversation="c999", item="another pair", values={"m": 1.0})
    found = calibrate([*by_model, stranger], [people], bootstrap_of(key))
    assert found is not None
    # People: one win, then three ties (one judge each way). The model: a win, a tie and two losses.
    assert (found.n, found.agreement) == (4, 0.5)
    assert found.judges == ("judge 0", "judge 1")
    assert found.alpha is not None
    assert calibrate([stranger], [people], bootstrap_of(key)) is None
