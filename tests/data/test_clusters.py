"""Whose conversations belong together."""

from __future__ import annotations

import pytest

from liftbench.data.clusters import CLUSTER, cluster_of, units
from liftbench.types import Conversation, Scalar


def conversation(id_: str, **metadata: Scalar) -> Conversation:
    return Conversation(id=id_, turns=(), metadata=metadata)


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
    first, *others = units(rows)
    assert [label == first for label in others] == [False, True, False, False]
    assert len(set(others)) == 4


def test_a_customer_named_like_a_conversation_is_not_that_conversation() -> None:
    rows = [conversation("a", cluster="b"), conversation("b"), conversation("id b", cluster="id b")]
    assert len(set(units(rows))) == 3


def test_no_conversations_have_no_units() -> None:
    assert units([]) == []
