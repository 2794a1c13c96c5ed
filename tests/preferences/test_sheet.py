"""The sample and the sheet: drawn by hash alone, blind, and undone by its key."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from liftbench.data.jsonl import read_jsonl
from liftbench.preferences.sheet import draw_conversations
from liftbench.records.conversation import Conversation
from liftbench.text.sentences import split_sentences

from ..support.build import write_conversations
from ..support.sheets import build_sheet

IDS = st.lists(st.text(min_size=1, max_size=6), unique=True, max_size=30)


@given(IDS, st.integers(1, 40), st.integers(), st.randoms(use_true_random=False))
def test_the_sample_depends_on_seed_and_ids_alone(ids: list[str], n: int, seed: int, chance: random.Random) -> None:
    conversations = [Conversation(id=id_, turns=()) for id_ in ids]
    drawn = draw_conversations(conversations, n, seed)
    assert len(drawn) == min(n, len(ids))
    shuffled = chance.sample(conversations, len(conversations))
    assert draw_conversations(shuffled, n, seed) == drawn
    # What is not drawn can be taken away, and a larger sample holds the smaller one.
    assert draw_conversations(drawn, n, seed) == drawn
    assert draw_conversations(conversations, n + 3, seed)[: len(drawn)] == drawn


def test_another_seed_draws_others() -> None:
    conversations = write_conversations(36)
    first, second = (draw_conversations(conversations, 12, seed) for seed in (0, 1))
    assert {one.id for one in first} != {one.id for one in second}


def test_sides_are_by_chance_and_the_key_says_whose_they_are() -> None:
    conversations = write_conversations(200)
    ours = [f"Ours of {one.id}. Indeed." for one in conversations]
    sheet, key = build_sheet(conversations, candidate=ours, other=[f"Theirs of {one.id}." for one in conversations])
    assert 70 < Counter(item.left for item in key.items)["candidate"] < 130
    for pair, item in zip(sheet.pairs, key.items, strict=True):
        assert pair.id == item.id
        assert (pair.left == f"Ours of {item.conversation}. Indeed.") == (item.left == "candidate")
        assert (item.left_sentences, item.right_sentences) == ((2, 1) if item.left == "candidate" else (1, 2))


def test_a_pair_has_its_id_on_every_sheet_unless_a_text_changes() -> None:
    conversations = write_conversations(6)
    _, key = build_sheet(conversations)
    _, smaller = build_sheet(conversations[:3], seed=5)
    _, changed = build_sheet(conversations, candidate=[f"Another one {one.id}" for one in conversations])
    ids = {item.conversation: item.id for item in key.items}
    assert {item.conversation: item.id for item in smaller.items}.items() <= ids.items()
    assert {item.id for item in changed.items}.isdisjoint(ids.values())
    assert len({key.sheet, smaller.sheet, changed.sheet}) == 3


def test_identical_summaries_are_not_shown() -> None:
    conversations = write_conversations(3)
    sheet, key = build_sheet(
        conversations,
        candidate=["The same.", "A  parcel\nis late.", "No"],
        other=["The same.", "A parcel is late.", ""],
    )
    assert [one.conversation for one in key.identical] == ["c000", "c001"]
    assert [item.conversation for item in key.items] == ["c002"]
    assert len(sheet.pairs) == 1


def test_what_a_judge_sees_names_no_system_and_no_conversation() -> None:
    sheet, key = build_sheet()
    seen = repr(sheet)
    for word in (key.candidate, key.other, *(item.conversation for item in key.items)):
        assert word not in seen


def test_real_summaries_keep_every_word(tweetsumm: Path) -> None:
    path = next(iter(sorted(tweetsumm.rglob("*validation*.jsonl"))), None) or next(
        iter(sorted(tweetsumm.rglob("*.jsonl")))
    )
    conversations = [one for one in read_jsonl(path) if len(one.references) > 1][:60]
    sheet, key = build_sheet(
        conversations,
        candidate=[one.references[0] for one in conversations],
        other=[one.references[1] for one in conversations],
    )
    assert len(sheet.pairs) + len(key.identical) == len(conversations) > 20
    for pair in sheet.pairs:
        assert " ".join(pair.left_sentences).split() == pair.left.split()
        assert pair.right_sentences == split_sentences(pair.right)
