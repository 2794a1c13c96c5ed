"""Novelty: the metric of new bigrams, for many texts of the same conversations."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liftbench.data.similarity.novelty import Novelty
from liftbench.metrics.form import NovelBigrams
from liftbench.records.conversation import Conversation, Turn

TEXTS = st.lists(st.sampled_from(["the", "Parcel", "is", "late.", "again", "我的"]), max_size=8).map(" ".join)


def conversation(*said: str, references: tuple[str, ...] = ()) -> Conversation:
    return Conversation(id="c", turns=tuple(Turn(role="customer", text=text) for text in said), references=references)


@given(TEXTS, st.lists(TEXTS, max_size=3))
def test_it_is_the_metric(text: str, said: list[str]) -> None:
    one = conversation(*said)
    (expected,) = NovelBigrams().score([text], [one])
    assert Novelty([one]).share(0, text) == pytest.approx(expected or 0.0)


def test_of_people_it_is_the_mean_of_their_summaries() -> None:
    said = "my parcel is late"
    people = [
        conversation(said, references=("parcel is late", "all of it new", "")),
        conversation(said),
    ]
    assert Novelty(people).humans == [pytest.approx(1 / 3), None]


def test_texts_are_those_of_the_conversations() -> None:
    novelty = Novelty([conversation("my parcel"), conversation("is late")])
    assert novelty.shares(["my parcel", "my parcel"]) == [0.0, 1.0]
    with pytest.raises(ValueError, match="1 texts for 2 conversations"):
        novelty.shares(["my parcel"])
