from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liftbench.data.fingerprints import conversation_sha256, split_fingerprint, training_row
from liftbench.data.splits import training_split
from liftbench.errors import UsageError
from liftbench.types import Conversation, Turn


def conversation(id_: str, text: str) -> Conversation:
    return Conversation(id=id_, turns=(Turn(role="customer", text=text),), references=(f"Wants {text}.",))


# Few distinct texts, so that duplicates are common.
texts = st.lists(st.sampled_from("abcdefghij"), min_size=4, max_size=40)


@given(texts, st.integers(0, 5), st.floats(0.05, 0.5), st.one_of(st.none(), st.integers(3, 30)))
def test_parts_never_share_a_duplicate_nor_touch_the_scored_split(
    letters: list[str], seed: int, fraction: float, limit: int | None
) -> None:
    pool = [conversation(f"t{number}", letter) for number, letter in enumerate(letters)]
    scored = [conversation("s", "A!"), conversation("t0", "zzz")]
    try:
        split = training_split(pool, scored, limit=limit, validation_fraction=fraction, seed=seed)
    except UsageError:
        return
    train = {conversation_sha256(c) for c in split.train}
    validation = {conversation_sha256(c) for c in split.validation}
    assert not train & validation
    assert not (train | validation) & {conversation_sha256(c) for c in scored}
    assert "t0" not in {c.id for c in (*split.train, *split.validation)}
    used = len(split.train) + len(split.validation)
    assert used + split.left_out <= len(pool)
    if limit is None:
        assert used + split.left_out == len(pool)
    else:
        assert used <= limit
    assert len(split.validation) >= fraction * used
    assert split == training_split(pool, scored, limit=limit, validation_fraction=fraction, seed=seed)


def test_another_seed_makes_another_split() -> None:
    pool = [conversation(f"t{number}", f"text {number}") for number in range(50)]
    one, two = (training_split(pool, [], limit=None, validation_fraction=0.1, seed=seed) for seed in (0, 1))
    assert {c.id for c in one.validation} != {c.id for c in two.validation}
    assert len(one.validation) == len(two.validation) == 5


@pytest.mark.parametrize("pool", [[], [conversation("a", "x")], [conversation("a", "x"), conversation("b", "X.")]])
def test_too_few_to_part_is_an_error(pool: list[Conversation]) -> None:
    with pytest.raises(UsageError, match="cannot be parted"):
        training_split(pool, [], limit=None, validation_fraction=0.1, seed=0)


def test_duplicates_are_the_same_words_whatever_the_punctuation() -> None:
    assert conversation_sha256(conversation("a", "Hello,  World!")) == conversation_sha256(
        conversation("b", "hello world")
    )
    assert conversation_sha256(conversation("a", "Привет")) != conversation_sha256(conversation("a", "Пока"))


def test_a_fingerprint_sees_order_references_and_metadata() -> None:
    a, b = conversation("a", "x"), conversation("b", "y")
    variants = [
        [a, b],
        [b, a],
        [a],
        [a, Conversation(id="b", turns=b.turns, references=("Other.",))],
        [a, Conversation(id="b", turns=b.turns, references=b.references, metadata={"company": "z"})],
    ]
    assert len({split_fingerprint(variant, "none") for variant in variants}) == len(variants)


def test_the_sketch_of_near_duplicates_overlaps_and_of_strangers_does_not() -> None:
    words = [f"w{number}" for number in range(60)]
    text = " ".join(words)
    row = training_row(conversation("a", text), "train")
    near = training_row(conversation("b", " ".join([*words[:58], "other", "end"])), "train")
    stranger = training_row(conversation("c", " ".join(reversed(words))), "train")
    assert len(set(row.shingles) & set(near.shingles)) > 0.9 * len(row.shingles)
    assert not set(row.shingles) & set(stranger.shingles)
    assert row.sha256 == conversation_sha256(conversation("x", text.upper()))
