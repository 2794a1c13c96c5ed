"""Sketches: what texts share is told from them, whatever the order of words."""

from __future__ import annotations

from base64 import b64decode
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liftbench.data.similarity.sketches import HASHES, estimate_resemblances, sketch_text
from liftbench.text.words import words

VOCABULARY = [f"word{number}" for number in range(60)]
TEXTS = st.lists(st.sampled_from(VOCABULARY), min_size=1, max_size=60).map(" ".join)


def estimate(one: str, other: str) -> float:
    (found,) = estimate_resemblances([sketch_text(one)], [sketch_text(other)])
    return found


@given(TEXTS, st.randoms(use_true_random=False))
def test_the_same_words_in_any_order_resemble_fully(text: str, random: Random) -> None:
    shuffled = text.upper().split()
    random.shuffle(shuffled)
    assert estimate(text, ", ".join(shuffled)) == 1.0


@given(TEXTS, TEXTS)
def test_an_estimate_is_near_the_share_of_words_in_both(one: str, other: str) -> None:
    left, right = set(words(one)), set(words(other))
    exact = len(left & right) / len(left | right)
    found = estimate(one, other)
    assert found == estimate(other, one)
    assert 0.0 <= found <= 1.0
    # The standard error is at most 0.0625: five of them.
    assert abs(found - exact) < 5 * 0.0625


def test_estimates_have_no_bias() -> None:
    pairs = [(" ".join(VOCABULARY[at : at + 30]), " ".join(VOCABULARY[at + 10 : at + 40])) for at in range(20)]
    found = [estimate(one, other) for one, other in pairs]
    assert sum(found) / len(found) == pytest.approx(20 / 40, abs=0.05)


@pytest.mark.parametrize("empty", ["", " ", "?!"])
def test_a_text_without_a_word_resembles_nothing(empty: str) -> None:
    assert sketch_text(empty) == ""
    assert estimate(empty, "late") == estimate(empty, empty) == 0.0


def test_many_are_compared_at_once_each_with_its_own() -> None:
    texts = ["late parcel", "", "a refund", "late parcel"]
    sketches = [sketch_text(text) for text in texts]
    assert estimate_resemblances(sketches, sketches) == [1.0, 0.0, 1.0, 1.0]
    assert estimate_resemblances([], []) == []
    with pytest.raises(ValueError, match=r"shape|broadcast|shorter|longer"):
        estimate_resemblances(sketches, sketches[:2])


def test_a_sketch_is_short_and_does_not_change_from_run_to_run() -> None:
    sketch = sketch_text("The parcel is late.")
    assert len(b64decode(sketch)) == HASHES
    # Promoted files hold sketches: another hash would make strangers of the same words.
    assert sketch == "ujrA4+uJ5X6zpo62Mo7d0cqZemmKT+3JKvOMNcO4hPLgGAb0gdLrbpTU/wdZCL5P7e9+kGI0QtoUd0qE8zC7+YqL"
