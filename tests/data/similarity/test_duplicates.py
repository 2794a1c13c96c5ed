from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liftbench.data.jsonl import read_jsonl
from liftbench.data.similarity.duplicates import HASHES, LEAST_SHINGLES, NEAR, Groups, NearDuplicates, signature
from liftbench.data.similarity.fingerprints import fingerprint
from liftbench.records.conversation import Conversation, Turn

REPLY = "We are sorry to hear that. Please send us a direct message so that we can look into it."


def conversation(id_: str, *texts: str) -> Conversation:
    return Conversation(id=id_, turns=tuple(Turn(role="customer", text=text) for text in texts))


def grouped(conversations: list[Conversation]) -> set[frozenset[str]]:
    """The ids of groups of two or more."""
    duplicates = NearDuplicates()
    for each in conversations:
        duplicates.add(fingerprint(each))
    groups = duplicates.groups(duplicates.pairs()).all()
    return {frozenset(conversations[number].id for number in group) for group in groups if len(group) > 1}


def text_of(seed: int, length: int = 60) -> list[str]:
    source = random.Random(seed)
    return [f"w{source.randrange(5000)}" for _ in range(length)]


@given(st.integers(0, 1000), st.integers(0, 59))
def test_one_word_changed_in_sixty_is_found(seed: int, place: int) -> None:
    words = text_of(seed)
    changed = [*words[:place], "other", *words[place + 1 :]]
    both = [conversation("a", " ".join(words)), conversation("b", " ".join(changed))]
    assert grouped(both) == {frozenset("ab")}


@pytest.mark.parametrize(
    ("texts", "alike"),
    [
        (("Hello there, my order is late", "HELLO there my order is late!"), True),
        (("Hello there, my order is late", "Hello there, my parcel is late"), False),
        ((" ".join(text_of(1)), " ".join(text_of(1)[:30]) + " " + " ".join(text_of(2)[:30])), False),
        ((" ".join(text_of(1)), " ".join(text_of(1)[5:])), True),
        ((" ".join(text_of(1)), " ".join(reversed(text_of(1)))), False),
        ((" ".join(text_of(1)), " ".join(text_of(2))), False),
    ],
    ids=["case and punctuation", "short, one word", "half", "shortened", "order of words", "strangers"],
)
def test_what_is_alike(texts: tuple[str, str], alike: bool) -> None:
    assert bool(grouped([conversation("a", texts[0]), conversation("b", texts[1])])) is alike


def test_how_a_conversation_is_cut_into_turns_does_not_matter() -> None:
    words = text_of(3)
    both = [conversation("a", " ".join(words)), conversation("b", " ".join(words[:20]), " ".join(words[20:]))]
    assert grouped(both) == {frozenset("ab")}


@settings(max_examples=25)
@given(st.randoms(use_true_random=False))
def test_the_order_does_not_change_the_groups(shuffler: random.Random) -> None:
    pool = []
    for family in range(6):
        words = text_of(family)
        for copy in range(family):
            pool.append(conversation(f"{family}-{copy}", " ".join([*words[:copy], f"x{copy}", *words[copy + 1 :]])))
    shuffled = pool[:]
    shuffler.shuffle(shuffled)
    assert grouped(shuffled) == grouped(pool)
    assert {len(group) for group in grouped(pool)} == {2, 3, 4, 5}


def test_short_conversations_with_one_canned_reply_are_no_group() -> None:
    problems = [
        f"the {thing} broke"
        for thing in ["app", "router", "parcel", "card", "bill", "phone", "lamp", "chair", "table", "bike"]
    ]
    assert grouped([conversation(problem, problem, REPLY) for problem in problems]) == set()


def test_a_chain_of_near_duplicates_is_one_group() -> None:
    words = text_of(7, 100)
    chain = [
        conversation(str(step), " ".join([*(f"x{n}" for n in range(10 * step)), *words[10 * step :]]))
        for step in range(6)
    ]
    ends = [chain[0], chain[-1]]
    assert grouped(ends) == set()
    assert grouped(chain) == {frozenset("012345")}


def test_conversations_without_words_or_none_at_all() -> None:
    assert grouped([]) == set()
    assert grouped([conversation("a", "…")]) == set()
    assert grouped([Conversation(id="a", turns=())]) == set()


def test_exact_duplicates_point_to_the_first() -> None:
    duplicates = NearDuplicates()
    assert [
        duplicates.add(fingerprint(conversation(str(n), text))) for n, text in enumerate(["a b", "c", "A, b", "c"])
    ] == [
        0,
        1,
        2,
        3,
    ]
    assert list(duplicates.originals) == [0, 1, 0, 1]
    assert duplicates.pairs() == []


@pytest.mark.parametrize("shared", [0.2, 0.6, 0.9])
def test_the_estimate_is_as_exact_as_it_claims(shared: float) -> None:
    source = random.Random(11)
    errors = []
    for _ in range(200):
        union = [source.getrandbits(63) for _ in range(100)]
        common = union[: round(100 * shared)]
        rest = union[round(100 * shared) :]
        one, other = {*common, *rest[::2]}, {*common, *rest[1::2]}
        errors.append(float((signature(one) == signature(other)).mean()) - shared)
    standard_error = (shared * (1 - shared) / HASHES) ** 0.5
    assert abs(np.mean(errors)) < 4 * standard_error / 200**0.5
    assert np.std(errors) == pytest.approx(standard_error, rel=0.25)


def test_a_signature_of_many_shingles_is_that_of_its_parts() -> None:
    source = random.Random(5)
    shingles = {source.getrandbits(63) for _ in range(10_000)}
    half = set(list(shingles)[:3000])
    assert (signature(shingles) == np.minimum(signature(half), signature(shingles - half))).all()


def test_the_least_number_of_shingles_is_where_one_word_decides() -> None:
    # A changed word in the middle takes five shingles from each of two sets of n.
    assert pytest.approx(NEAR) == (LEAST_SHINGLES - 5) / (LEAST_SHINGLES + 5)


@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=30))
def test_groups_are_the_connected_components(joins: list[tuple[int, int]]) -> None:
    groups = Groups(20)
    naive = {number: {number} for number in range(20)}
    for first, second in joins:
        groups.join(first, second)
        merged = naive[first] | naive[second]
        naive.update(dict.fromkeys(merged, merged))
    assert groups.all() == sorted(sorted(group) for group in {frozenset(group) for group in naive.values()})
    for number in range(20):
        assert {n for n in range(20) if groups.labels[n] == groups.labels[number]} == naive[number]


def test_real_conversations_are_no_near_duplicates(tweetsumm: Path) -> None:
    duplicates = NearDuplicates()
    for split in ("train", "validation"):
        for each in read_jsonl(tweetsumm / f"{split}.jsonl"):
            duplicates.add(fingerprint(each))
    assert duplicates.pairs() == []
    assert list(duplicates.originals) == list(range(975))


def test_strangers_who_share_a_long_greeting_are_no_duplicates() -> None:
    words = random.Random(0)
    greeting = " ".join(f"greeting{n}" for n in range(60))
    near = NearDuplicates()
    for number in range(600):
        own = " ".join(f"w{words.randrange(10**6)}" for _ in range(30))
        turns = (Turn(role="agent", text=greeting), Turn(role="customer", text=own))
        near.add(fingerprint(Conversation(id=str(number), turns=turns)))
    assert near.pairs() == []


def test_a_resemblance_is_the_jaccard_index_of_the_shingles() -> None:
    text = [f"w{n}" for n in range(60)]
    near = NearDuplicates()
    for turn in (text, [*text[:30], "other", *text[31:]]):
        near.add(fingerprint(Conversation(id=turn[30], turns=(Turn(role="agent", text=" ".join(turn)),))))
    [pair] = near.pairs()
    assert pair.resemblance == pytest.approx(51 / 61)
