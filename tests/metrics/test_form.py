"""Form: the Newsroom figures and the rest, counted by hand and held to what must be true of any text."""

from __future__ import annotations

from math import isclose

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from liftbench.metrics.base import MetricRequest
from liftbench.metrics.form import (
    Compression,
    Coverage,
    Density,
    Form,
    NovelBigrams,
    Repetition,
    Words,
    fragments,
)
from liftbench.records.conversation import Conversation, Turn

FORMS = (Coverage, Density, Compression, NovelBigrams, Repetition, Words)

SAID = ("My parcel is late, where is it?", "Sorry! Your parcel is late.")  # 12 words
TEXTS = st.lists(st.sampled_from(["the", "parcel", "is", "late", "again", "42"]), max_size=12)


def conversation(*said: str) -> Conversation:
    turns = tuple(Turn(role="agent" if i % 2 else "customer", text=text) for i, text in enumerate(said))
    return Conversation(id="c", turns=turns)


def score(form: type[Form], text: str, *said: str) -> float | None:
    (value,) = form(MetricRequest()).score([text], [conversation(*said)])
    return value


@pytest.mark.parametrize(
    ("text", "coverage", "density", "compression", "novel"),
    [
        # Fragments of 3 words (`parcel is late`) and of 1 (`where`), in 6 words.
        ("The parcel is late. Now where?", 4 / 6, (9 + 1) / 6, 12 / 6, 3 / 5),
        ("parcel is late", 1.0, 3.0, 4.0, 0.0),
        # Case, punctuation and turns do not break a passage: the conversation is one run of words.
        ("IT SORRY -- your", 1.0, 3.0, 4.0, 0.0),
        ("Nothing in common", 0.0, 0.0, 4.0, 1.0),
        ("late", 1.0, 1.0, 12.0, None),
        ("", None, None, None, None),
        ("?!", None, None, None, None),
    ],
)
def test_copying_and_compression_by_hand(
    text: str, coverage: float | None, density: float | None, compression: float | None, novel: float | None
) -> None:
    assert score(Coverage, text, *SAID) == (None if coverage is None else pytest.approx(coverage))
    assert score(Density, text, *SAID) == (None if density is None else pytest.approx(density))
    assert score(Compression, text, *SAID) == compression
    assert score(NovelBigrams, text, *SAID) == (None if novel is None else pytest.approx(novel))


def test_a_script_without_spaces_is_counted_by_the_character() -> None:
    said = "我的包裹还没到。"  # 7 characters
    assert score(Words, "包裹没到", said) == 4.0
    assert score(Coverage, "包裹丢失", said) == 2 / 4
    assert score(Density, "包裹没到", said) == (4 + 4) / 4
    assert score(Repetition, "对不起。" * 10, said) == pytest.approx(1 - 3 / 28)
    assert all("unspaced:characters" in form(MetricRequest()).signature for form in FORMS)


@pytest.mark.parametrize(
    ("summary", "said", "expected"),
    [
        # The longest passage is taken, wherever it stands, not the first.
        ("a b c", "a b x a b c", (3,)),
        # From the left: `a b` is taken before `b c d` can be.
        ("a b c d", "a b x b c d", (2, 2)),
        ("a x b", "a b", (1, 1)),
        ("a a a", "a", (1, 1, 1)),
        ("x", "a", ()),
        ("", "a", ()),
        ("a", "", ()),
    ],
)
def test_fragments_are_found_greedily(summary: str, said: str, expected: tuple[int, ...]) -> None:
    assert fragments(tuple(summary.split()), tuple(said.split())) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0.0),
        ("call us", 0.0),
        ("call us now", 0.0),
        ("call us now call us now", 1 / 4),
        ("Call us now. Call US, now!", 1 / 4),
        ("no " * 12, 9 / 10),
    ],
)
def test_repetition_counts_trigrams_that_were_there_before(text: str, expected: float) -> None:
    assert score(Repetition, text, "hello") == pytest.approx(expected)


@pytest.mark.parametrize(("text", "expected"), [("", 0.0), ("Straße 12, don't", 4.0), ("Заказ опаздывает", 2.0)])
def test_length_in_words_of_any_script(text: str, expected: float) -> None:
    assert score(Words, text, "hello") == expected


def test_what_was_said_in_another_script_is_seen_as_copied() -> None:
    assert score(Coverage, "ЗАКАЗ опаздывает", "Мой заказ опаздывает") == 1.0


@pytest.mark.parametrize("form", FORMS)
def test_each_describes_and_signs(form: type[Form]) -> None:
    metric = form(MetricRequest())
    assert metric.signature.startswith(f"{metric.name}|")
    assert metric.sees == "form"
    assert metric.direction == ("lower" if form is Repetition else "neither")


@given(said=TEXTS.filter(bool), text=TEXTS.filter(bool))
@example(said=["late"], text=["late"])
def test_shares_are_shares_and_density_lies_between_them(said: list[str], text: list[str]) -> None:
    one = conversation(" ".join(said))
    values = {form.name: form(MetricRequest()).score([" ".join(text)], [one])[0] for form in FORMS}
    coverage, density = values["coverage"], values["density"]
    assert coverage is not None
    assert density is not None
    assert coverage == sum(word in said for word in text) / len(text)
    assert coverage - 1e-12 <= density <= coverage * len(text) + 1e-12
    assert 0 <= (values["repetition"] or 0) < 1
    novel = values["novel-bigrams"]
    assert novel is None if len(text) < 2 else novel is not None and 0 <= novel <= 1


@given(said=TEXTS.filter(bool), data=st.data())
def test_a_copied_passage_is_one_fragment(said: list[str], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(said) - 1))
    passage = said[start : data.draw(st.integers(start + 1, len(said)))]
    text = " ".join(passage)
    one = conversation(" ".join(said))
    assert Coverage(MetricRequest()).score([text], [one]) == [1.0]
    assert Density(MetricRequest()).score([text], [one]) == [len(passage)]
    assert NovelBigrams(MetricRequest()).score([text], [one]) == [0.0 if len(passage) > 1 else None]


@given(text=TEXTS.filter(bool), said=TEXTS)
def test_more_conversation_copies_no_less(text: list[str], said: list[str]) -> None:
    before, after = fragments(tuple(text), tuple(said)), fragments(tuple(text), (*said, *text))
    assert sum(after) >= sum(before)
    assert after == (len(text),)


@given(text=TEXTS.filter(bool), said=TEXTS)
def test_compression_times_words_is_the_conversation_s_length(text: list[str], said: list[str]) -> None:
    compression = Compression(MetricRequest()).value(tuple(text), tuple(said))
    assert compression is not None
    assert isclose(compression * len(text), len(said))
