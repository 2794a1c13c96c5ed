"""Whose conversations belong together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liftbench.data.similarity.clusters import CLUSTER, cluster_of
from liftbench.data.similarity.scored import ScoredSplit
from liftbench.data.sources import open_dataset, read_split
from liftbench.extension.loader import load_plugins
from liftbench.recipe.sections import DataSection
from liftbench.records.conversation import Conversation, Scalar, Turn


def labels_of(conversations: Sequence[Conversation]) -> list[str]:
    """What each conversation is resampled with."""
    return list(ScoredSplit(conversations).clusters.values())


def conversation(id_: str, text: str | None = None, /, **metadata: Scalar) -> Conversation:
    said = f"what {id_} said" if text is None else text
    return Conversation(id=id_, turns=(Turn(role="customer", text=said),), metadata=metadata)


def spoken(start: int, count: int = 60) -> str:
    return " ".join(f"w{number}" for number in range(start, start + count))


def partition(conversations: list[Conversation]) -> set[frozenset[str]]:
    """The ids that bear witness as one."""
    members: dict[str, set[str]] = {}
    for one, label in zip(conversations, labels_of(conversations), strict=True):
        members.setdefault(label, set()).add(one.id)
    return {frozenset(some) for some in members.values()}


@pytest.mark.parametrize(
    ("value", "cluster"),
    [
        ("Ngozi Okafor", "ngozi okafor"),
        ("  ngozi\tOKAFOR ", "ngozi okafor"),
        ("Ｎｇｏｚｉ Okafor", "ngozi okafor"),
        ("Straße", "strasse"),
        (7, "7"),
        (0, "0"),
        (False, "false"),
        ("", None),
        (" \n", None),
        (None, None),
    ],
)
def test_a_customer_is_one_however_the_name_is_written(value: Scalar, cluster: str | None) -> None:
    assert cluster_of(conversation("a", **{CLUSTER: value}), CLUSTER) == cluster


def test_a_customer_is_resampled_as_one_and_everything_else_by_itself() -> None:
    rows = [
        conversation("a", cluster="Ada"),
        conversation("b"),
        conversation("c", cluster=" ADA"),
        conversation("d", cluster=""),
        conversation("e", company="Ada"),
    ]
    first, *others = labels_of(rows)
    assert [label == first for label in others] == [False, True, False, False]
    assert len(set(others)) == 4


def test_a_customer_named_like_a_conversation_is_not_that_conversation() -> None:
    rows = [conversation("a", cluster="b"), conversation("b"), conversation("id b", cluster="id b")]
    assert len(set(labels_of(rows))) == 3


def test_no_conversations_have_no_units() -> None:
    assert labels_of([]) == []


@pytest.mark.parametrize(
    "text",
    [spoken(0), f"{spoken(0).upper()}!", spoken(0).replace("w30", "other"), spoken(3)],
    ids=["equal", "case", "a word", "a beginning"],
)
def test_nearly_the_same_conversation_bears_witness_once(text: str) -> None:
    rows = [conversation("a", spoken(0)), conversation("b", text), conversation("c", spoken(200))]
    assert partition(rows) == {frozenset("ab"), frozenset("c")}


def test_a_near_duplicate_joins_all_that_two_customers_said() -> None:
    rows = [
        conversation("a", cluster="Ada"),
        conversation("b", spoken(0), cluster="Ada"),
        conversation("c", spoken(1), cluster="Bo"),
        conversation("d", cluster="Bo"),
        conversation("e", cluster="Cy"),
        conversation("f", spoken(2)),
    ]
    assert partition(rows) == {frozenset("abcdf"), frozenset("e")}


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.integers(0, 12), st.sampled_from(["", "Ada", "Bo", "Cy"])), max_size=12).flatmap(
        lambda told: st.tuples(st.just(told), st.permutations(range(len(told))))
    )
)
def test_units_do_not_depend_on_the_order(drawn: tuple[list[tuple[int, str]], list[int]]) -> None:
    told, order = drawn
    rows = [conversation(str(n), spoken(15 * start), cluster=name) for n, (start, name) in enumerate(told)]
    labels = labels_of(rows)
    assert labels_of([rows[number] for number in order]) == [labels[number] for number in order]
    for one, label in zip(told, labels, strict=True):
        for other, its in zip(told, labels, strict=True):
            if one[0] == other[0] or (one[1] and one[1] == other[1]):
                assert label == its


def test_every_real_conversation_bears_witness_by_itself(tweetsumm: Path) -> None:
    section = DataSection(dataset="tweetsumm", data_dir=str(tweetsumm))
    scored = read_split(open_dataset(section, load_plugins()), section, "validation")
    assert len(set(labels_of(scored))) == len(scored)
    again = [Conversation(id=f"again {one.id}", turns=one.turns[:-1]) for one in scored[:20]]
    nearly = [one for one in again if len(one.turns) > 4]
    assert len(set(labels_of([*scored, *nearly]))) == len(scored)
