from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liftbench.data.similarity.fingerprints import conversation_sha256, split_fingerprint, training_row
from liftbench.data.similarity.scored import ScoredSplit
from liftbench.data.sources import open_dataset, read_split
from liftbench.data.splits import exclude_scored, training_split
from liftbench.errors import UsageError
from liftbench.extension.loader import load_plugins
from liftbench.files import digest
from liftbench.judging.leakage import leaks
from liftbench.recipe.sections import DataSection
from liftbench.records.conversation import Conversation, Turn


def conversation(id_: str, text: str) -> Conversation:
    return Conversation(id=id_, turns=(Turn(role="customer", text=text),), references=(f"Wants {text}.",))


# Few distinct texts, so that duplicates are common.
texts = st.lists(st.sampled_from("abcdefghij"), min_size=4, max_size=40)


@given(texts, st.integers(0, 5), st.floats(0.05, 0.5), st.one_of(st.none(), st.integers(3, 30)))
def test_parts_never_share_a_duplicate_nor_touch_the_scored_split(
    letters: list[str], seed: int, fraction: float, limit: int | None
) -> None:
    pool = [conversation(f"t{number}", letter) for number, letter in enumerate(letters)]
    scored = [conversation("s", "A!")]
    try:
        split = training_split(pool, scored, limit=limit, validation_fraction=fraction, seed=seed)
    except UsageError:
        return
    train = {conversation_sha256(c) for c in split.train}
    validation = {conversation_sha256(c) for c in split.validation}
    assert not train & validation
    assert not (train | validation) & {conversation_sha256(c) for c in scored}
    used = len(split.train) + len(split.validation)
    assert used + split.left_out <= len(pool)
    if limit is None:
        assert used + split.left_out == len(pool)
    else:
        assert used <= limit
    assert len(split.validation) >= fraction * used
    assert split == training_split(pool, scored, limit=limit, validation_fraction=fraction, seed=seed)


def thread(id_: str, *parts: str) -> Conversation:
    """Thirty words a part, its own."""
    return conversation(id_, " ".join(f"{part}{number}" for part in parts for number in range(30)))


def test_what_a_scored_conversation_nearly_is_holds_or_is_held_in_is_not_trained_on() -> None:
    scored = [thread("s", "a", "b", "c")]
    strangers = [thread(f"x{number}", f"x{number}y", "greeting") for number in range(5)]
    near = [thread("n", "a", "b", "d"), thread("h", "a", "b", "c", "e", "f"), thread("p", "b", "c")]
    split = training_split([*near, *strangers], scored, limit=None, validation_fraction=0.1, seed=0)
    assert {c.id for c in (*split.train, *split.validation)} == {c.id for c in strangers}
    assert (split.left_out, split.nearly) == (3, 3)
    assert exclude_scored([*near, *strangers], scored) == strangers


def test_an_id_that_a_scored_conversation_has_too_says_nothing() -> None:
    scored = [thread(str(number), f"s{number}x") for number in range(6)]
    pool = [thread(str(number), f"t{number}x") for number in range(6)]
    split = training_split(pool, scored, limit=None, validation_fraction=0.1, seed=0)
    assert sorted(c.id for c in (*split.train, *split.validation)) == [c.id for c in pool]
    assert (split.left_out, split.nearly) == (0, 0)
    assert exclude_scored(pool, scored) == pool


@pytest.mark.parametrize("seed", range(4))
def test_near_duplicates_in_training_go_to_one_part_and_count_once_as_examples(seed: int) -> None:
    firsts = [thread(f"p{number}", f"a{number}x", f"b{number}x") for number in range(6)]
    nearly = [conversation(f"q{number}", one.turns[0].text.replace("x7", "other")) for number, one in enumerate(firsts)]
    split = training_split([*firsts, *nearly], [], limit=None, validation_fraction=0.3, seed=seed)
    train, validation = ({c.id[1:] for c in part} for part in (split.train, split.validation))
    assert not train & validation
    assert exclude_scored([*firsts, *nearly], []) == firsts


spans = st.tuples(st.integers(0, 120), st.integers(1, 120))


@given(st.lists(spans, min_size=1, max_size=4), st.lists(spans, min_size=4, max_size=12))
def test_what_is_trained_on_never_leaks(scored_spans: list[tuple[int, int]], spans: list[tuple[int, int]]) -> None:
    def cut(prefix: str, some: list[tuple[int, int]]) -> list[Conversation]:
        return [
            conversation(f"{prefix}{place}", " ".join(f"w{number}" for number in range(start, start + length)))
            for place, (start, length) in enumerate(some)
        ]

    scored = cut("s", scored_spans)
    try:
        split = training_split(cut("t", spans), scored, limit=None, validation_fraction=0.3, seed=0)
    except UsageError:
        return
    rows = [training_row(c, "train") for c in split.train] + [training_row(c, "validation") for c in split.validation]
    assert {leak.kind for leak in leaks(ScoredSplit(scored), {}, rows)} <= {"twice"}


def test_real_conversations_without_near_duplicates_are_parted_as_they_were_before_these_counted(
    tweetsumm: Path,
) -> None:
    section = DataSection(dataset="tweetsumm", data_dir=str(tweetsumm))
    dataset = open_dataset(section, load_plugins())
    training, scored = (read_split(dataset, section, name) for name in ("train", "validation"))
    split = training_split(training, scored, limit=400, validation_fraction=0.1, seed=0)
    # What the measured adapters were trained on: their runs' keys depend on it.
    ids = digest([c.id for c in split.train], [c.id for c in split.validation])
    assert ids == "455c4f73097c847eb133a4765181fb6b5c1a326577133e47cca9a178e5142a93"
    assert split.left_out == split.nearly == 0
    assert exclude_scored(training, scored) == training


def test_another_seed_makes_another_split() -> None:
    pool = [conversation(f"t{number}", f"text {number}") for number in range(50)]
    one, two = (training_split(pool, [], limit=None, validation_fraction=0.1, seed=seed) for seed in (0, 1))
    assert {c.id for c in one.validation} != {c.id for c in two.validation}
    assert len(one.validation) == len(two.validation) == 5


@pytest.mark.parametrize("pool", [[], [conversation("a", "x")], [conversation("a", "x"), conversation("b", "X.")]])
def test_too_few_to_part_is_an_error(pool: list[Conversation]) -> None:
    with pytest.raises(UsageError, match="too few for training and validation"):
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
