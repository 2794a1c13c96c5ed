"""The longest copied passage: counted by hand, and held to a count of all passages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liftbench.metrics.form import fragments
from liftbench.metrics.longest_copied import LongestCopied, longest_passage
from liftbench.recipe.sections import METRICS, MetricsSection
from liftbench.records.conversation import Conversation, Turn

SAID = ("My parcel is late, where is it?", "Sorry! Your parcel is late.")
TOKENS = st.lists(st.sampled_from("abc"), max_size=9).map(tuple)


def score(text: str, *said: str) -> float | None:
    turns = tuple(Turn(role="agent" if i % 2 else "customer", text=one) for i, one in enumerate(said))
    (value,) = LongestCopied().score([text], [Conversation(id="c", turns=turns)])
    return value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The parcel is late. Now where?", 3.0),
        ("WHERE is it", 3.0),
        ("it sorry", 1.0),  # not from one turn into the next
        ("nothing in common", 0.0),
        ("", 0.0),
    ],
)
def test_by_hand(text: str, expected: float) -> None:
    assert score(text, *SAID) == expected


def test_a_conversation_without_a_turn_has_nothing_to_copy() -> None:
    assert score("A parcel.") == 0.0


@given(TOKENS, st.lists(TOKENS, max_size=3).map(tuple))
def test_it_is_the_longest_of_all_passages(summary: tuple[str, ...], turns: tuple[tuple[str, ...], ...]) -> None:
    passages = {summary[at:end] for at in range(len(summary)) for end in range(at + 1, len(summary) + 1)}
    in_turns = {turn[at:end] for turn in turns for at in range(len(turn)) for end in range(at + 1, len(turn) + 1)}
    found = longest_passage(summary, turns)
    assert found == max((len(one) for one in passages & in_turns), default=0)
    assert found >= max((max(fragments(summary, turn), default=0) for turn in turns), default=0)


def test_common_words_of_a_long_text_are_seen() -> None:
    # difflib by default leaves out what more than 1% of 200 words or more are.
    assert longest_passage(("the", "parcel") * 150, (("the", "parcel", "the"),)) == 3


def test_no_lift_is_judged_on_it_unless_somebody_says_so() -> None:
    assert LongestCopied.direction == "neither"
    assert LongestCopied.name not in (*METRICS, *MetricsSection().headlines)
