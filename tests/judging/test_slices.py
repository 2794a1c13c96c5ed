"""Slices: how the data are cut, and that a part that got worse is named however good the mean is."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from liftbench.data.cleaning import clean
from liftbench.data.helpdesk import Helpdesk
from liftbench.data.jsonl import each_in_jsonl
from liftbench.data.similarity.scored import ScoredSplit
from liftbench.data.slicing import NOT_GIVEN, Slice, count_units, pool_small, require_fields, slices
from liftbench.errors import UsageError
from liftbench.judging.slices import SliceResult, slice_results
from liftbench.records.conversation import Conversation, Scalar, Turn
from liftbench.records.run import Direction
from liftbench.statistics.bootstrap import Bootstrap
from liftbench.statistics.lift import FEWEST


def conversation(number: int, **metadata: Scalar) -> Conversation:
    return Conversation(id=f"c{number:04}", turns=(Turn(role="customer", text="Hi"),), metadata=metadata)


def having(*values: Scalar) -> list[Conversation]:
    """A conversation for each value of the field `field`."""
    return [conversation(number, field=value) for number, value in enumerate(values)]


def having_turns(*counts: int, customers: int | None = None) -> list[Conversation]:
    """A conversation for each number of turns, the customers one after the other, again and again."""
    turn = Turn(role="customer", text="Hi")
    return [
        Conversation(
            id=f"c{number:04}",
            turns=(turn,) * count,
            metadata={} if customers is None else {"cluster": f"customer {number % customers}"},
        )
        for number, count in enumerate(counts)
    ]


def cut(rows: Sequence[Conversation], *fields: str) -> list[Slice]:
    return slices(rows, fields, {row.id: customer(row) for row in rows})


def customer(row: Conversation) -> str:
    return str(row.metadata.get("cluster", row.id))


def sizes(found: Sequence[Slice]) -> list[tuple[str, int]]:
    return [(part.label, len(part.ids)) for part in found]


# ------------------------------------------------------------------------------------------------------ ordered fields


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        # From 90 on three parts, below two, under 60 none.
        (list(range(1, 91)), [("up to 30", 30), ("31 to 60", 30), ("61 or more", 30)]),
        (list(range(1, 90)), [("up to 44", 44), ("45 or more", 45)]),
        (list(range(1, 61)), [("up to 30", 30), ("31 or more", 30)]),
        (list(range(1, 60)), []),
        # Equal values stay together, and a single value has no range.
        ([2] * 40 + [3] * 60, [("2", 40), ("3", 60)]),
        ([2] * 40 + [3] * 40 + [4] * 40, [("2", 40), ("3", 40), ("4", 40)]),
        ([2] * 40 + [3] * 30 + [4] * 15 + [9] * 15, [("2", 40), ("3", 30), ("4 or more", 30)]),
        # Three parts wherever there can be three, even where like ones are too small.
        ([1] * 30 + [2] * 10 + [3] * 20 + [4] * 40, [("1", 30), ("2 to 3", 30), ("4", 40)]),
        ([1] * 20 + [2] * 25 + [3] * 30 + [4] * 50, [("up to 2", 45), ("3", 30), ("4", 50)]),
        # Where a third would be too small, there are halves, as even as the values allow.
        ([1] * 20 + [2] * 30 + [3] * 50, [("up to 2", 50), ("3", 50)]),
        ([1] * 50 + [2] * 30 + [3] * 20, [("1", 50), ("2 or more", 50)]),
        ([1] * 36 + [2] * 18 + [3] * 46, [("up to 2", 54), ("3", 46)]),
        ([1] * 29 + [2] * 21 + [3] * 21 + [4] * 29, [("up to 2", 50), ("3 or more", 50)]),
        ([1] * 80 + [2] * 20, []),
        ([1] * 29 + [2] * 42 + [3] * 29, []),
        # Nothing to tell apart.
        ([3] * 200, []),
        ([3], []),
    ],
)
def test_what_is_measured_is_cut_into_parts_of_like_size(counts: list[int], expected: list[tuple[str, int]]) -> None:
    assert sizes(cut(having_turns(*counts), "turns")) == expected


@pytest.mark.parametrize(
    ("counts", "customers", "expected"),
    [
        # 250 conversations, and yet too few customers for parts that could be judged.
        (list(range(1, 11)) * 25, 25, []),
        ([1, 2] * 125, 25, []),
        # Each of 40 customers has conversations of every length, or of the short ones alone.
        ([count for count in (1, 2, 3) for _ in range(40)], 40, [("1", 40), ("2", 40), ("3", 40)]),
        ([1] * 200 + [2] * 20, 40, []),
    ],
)
def test_parts_have_customers_enough_and_not_conversations_alone(
    counts: list[int], customers: int, expected: list[tuple[str, int]]
) -> None:
    assert sizes(cut(having_turns(*counts, customers=customers), "turns")) == expected


def test_a_cut_goes_to_where_both_sides_have_customers_enough() -> None:
    # Whose conversations are longer has more of them: the more even halves would leave 17 customers to the right.
    rows = [
        replace(having_turns(1 + customer)[0], id=f"c{customer:02}-{number}", metadata={"cluster": f"k{customer:02}"})
        for customer in range(60)
        for number in range(1 if customer < 30 else 10)
    ]
    assert sizes(cut(rows, "turns")) == [("up to 30", 30), ("31 or more", 300)]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        # Few values are a slice each, so that none hides among others, however rare.
        ([0] * 15 + [1] * 45, [("0", 15), ("1", 45)]),
        ([1] + [5] * 99, [("1", 1), ("5", 99)]),
        ([10, 9, 9, 2, 2, 2], [("2", 3), ("9", 2), ("10", 1)]),
        ([-1.5] * 30 + [0.25] * 15 + [1e6] * 15, [("-1.5", 30), ("0.25", 15), ("1000000", 15)]),
        ([3, 3.0] * 30 + [4] * 60, [("3", 60), ("4", 60)]),
        ([0.3] * 30 + [0.1 + 0.2] * 30, [("0.3", 30), ("0.30000000000000004", 30)]),
        (list(range(6)), [(str(value), 1) for value in range(6)]),
        # More are cut, in parts that can be judged or, where there are none, in two that say that they cannot.
        (list(range(1, 91)), [("up to 30", 30), ("31 to 60", 30), ("61 or more", 30)]),
        (list(range(1, 61)), [("up to 30", 30), ("31 or more", 30)]),
        (list(range(1, 60)), [("up to 29", 29), ("30 or more", 30)]),
        (list(range(7)), [("up to 2", 3), ("3 or more", 4)]),
        ([*range(6), *[9] * 100], [("up to 5", 6), ("9", 100)]),
        # Nothing to tell apart.
        ([3] * 200, []),
        ([3], []),
    ],
)
def test_numbers_of_the_metadata_are_never_passed_over(values: list[Scalar], expected: list[tuple[str, int]]) -> None:
    assert sizes(cut(having(*values), "field")) == expected


def test_many_numbers_of_few_customers_are_cut_in_two() -> None:
    rows = [conversation(number, field=number, cluster=f"customer {number % 25}") for number in range(250)]
    assert sizes(cut(rows, "field")) == [("up to 124", 125), ("125 or more", 125)]


def test_a_part_holds_the_values_that_its_label_says() -> None:
    rows = having(*range(1, 91))
    low, middle, high = cut(rows, "field")
    assert low.ids == tuple(row.id for row in rows[:30])
    assert middle.ids == tuple(row.id for row in rows[30:60])
    assert high.ids == tuple(row.id for row in rows[60:])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([*[1] * 30, *[2] * 30, None, math.nan, math.inf], [("1", 30), ("2", 30), (NOT_GIVEN, 3)]),
        ([*range(90), None], [("up to 29", 30), ("30 to 59", 30), ("60 or more", 30), (NOT_GIVEN, 1)]),
        ([*[1] * 30, *[None] * 30], [("1", 30), (NOT_GIVEN, 30)]),
    ],
)
def test_numbers_that_are_missing_are_a_slice_of_their_own(
    values: list[Scalar], expected: list[tuple[str, int]]
) -> None:
    assert sizes(cut(having(*values), "field")) == expected


# -------------------------------------------------------------------------------------------------- categorical fields


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["b", "a", "b", "c", "a"], [("a", 2), ("b", 2), ("c", 1)]),
        ([True, False, True, None], [("yes", 2), ("no", 1), (NOT_GIVEN, 1)]),
        ([" Acme", "Acme ", "", " ", None, "Bolt"], [("Acme", 2), ("Bolt", 1), (NOT_GIVEN, 3)]),
        # One text among the numbers, and they are names.
        ([1, 2, 2, "many"], [("2", 2), ("1", 1), ("many", 1)]),
        ([2, 2.0, True, "2"], [("2", 3), ("yes", 1)]),
        (["not given", "a", "a", None], [("a", 2), (NOT_GIVEN, 2)]),
        ([False, False], []),
        (["a"], []),
    ],
)
def test_every_other_value_is_a_slice_however_small(values: list[Scalar], expected: list[tuple[str, int]]) -> None:
    assert sizes(cut(having(*values), "field")) == expected


# --------------------------------------------------------------------------------------------------------------- fields


def test_turns_length_and_references_are_counted_of_the_conversation() -> None:
    rows = [
        Conversation(
            id=f"c{number:02}",
            turns=(Turn(role="customer", text="So it goes."),) * (1 + number % 2),
            references=("One.",) * (1 + number // 30),
            metadata={"turns": "many", "length": "long", "references": "none"},
        )
        for number in range(60)
    ]
    found = cut(rows, "turns", "length", "references")
    assert [(part.field, *size) for part, size in zip(found, sizes(found), strict=True)] == [
        ("turns", "1", 30),
        ("turns", "2", 30),
        ("length", "3", 30),
        ("length", "6", 30),
        ("references", "1", 30),
        ("references", "2", 30),
    ]


def test_a_field_that_is_named_twice_is_cut_once() -> None:
    assert len(cut(having("a", "b"), "field", "field")) == 2


def test_without_fields_or_conversations_there_are_no_slices() -> None:
    assert cut(having("a", "b")) == []
    assert cut([], "turns", "length", "references") == []


@pytest.mark.parametrize("rows", [[], having("a", "b"), [conversation(1, chanel=None), conversation(2, chanel=" ")]])
def test_a_field_that_no_conversation_has_is_an_error_that_names_the_others(rows: list[Conversation]) -> None:
    words = r"unknown field to slice by 'chanel'\n.*references.*"
    with pytest.raises(UsageError, match=words):
        cut(rows, "turns", "chanel")
    with pytest.raises(UsageError, match=words):
        require_fields(rows, ["turns", "chanel"])


def test_the_error_suggests_what_may_have_been_meant() -> None:
    with pytest.raises(UsageError, match="Did you mean 'channel'"):
        cut([conversation(1, channel="chat")], "chanel")


def test_a_field_that_one_conversation_has_is_known() -> None:
    require_fields([conversation(1, channel=None), conversation(2, channel="chat")], ["channel", "turns"])


missing = st.sampled_from([None, math.nan, math.inf])
names = st.one_of(st.none(), st.booleans(), st.sampled_from(["a", "b", " a", ""]), st.integers(0, 2))
fields = st.one_of(
    st.lists(missing | st.integers(-3, 12), max_size=130).map(lambda values: [1, *values]),
    st.lists(missing | st.floats(allow_nan=False, allow_infinity=False), max_size=130).map(
        lambda values: [0.5, *values]
    ),
    st.lists(names, max_size=12).map(lambda values: ["a", *values]),
)
"""Values of a field that one conversation at least has."""


@given(fields)
@settings(max_examples=150)
def test_the_slices_of_a_field_hold_each_conversation_once(values: list[Scalar]) -> None:
    rows = having(*values)
    found = cut(rows, "field")
    assert len(found) != 1
    held = Counter(id_ for part in found for id_ in part.ids)
    assert held == (Counter(row.id for row in rows) if found else Counter())
    assert len({part.label for part in found}) == len(found)


@given(st.lists(st.integers(1, 12), min_size=1, max_size=200), st.integers(1, 120))
@settings(max_examples=150)
def test_what_is_measured_is_cut_wherever_both_sides_are_large_enough(counts: list[int], customers: int) -> None:
    rows = having_turns(*counts, customers=customers)
    found = cut(rows, "turns")
    row_of = {row.id: row for row in rows}
    parts = [[row_of[id_] for id_ in part.ids] for part in found]
    assert all(large_enough(part) for part in parts)
    lengths = [[len(row.turns) for row in part] for part in parts]
    assert all(max(one) < min(next_) for one, next_ in pairwise(lengths))
    assert bool(parts) == any(
        large_enough(row for row in rows if len(row.turns) <= longest)
        and large_enough(row for row in rows if len(row.turns) > longest)
        for longest in counts
    )


def large_enough(rows: Iterable[Conversation]) -> bool:
    return len({customer(row) for row in rows}) >= FEWEST


@given(st.lists(st.integers(0, 12), min_size=1, max_size=80))
@settings(max_examples=100)
def test_numbers_of_the_metadata_that_differ_are_always_cut(values: list[int]) -> None:
    assert (len(cut(having(*values), "field")) > 1) == (len(set(values)) > 1)


@given(fields, st.randoms(use_true_random=False))
@settings(max_examples=50)
def test_the_order_of_conversations_does_not_matter(values: list[Scalar], order: random.Random) -> None:
    rows = having(*values)
    shuffled = order.sample(rows, len(rows))
    assert cut(rows, "field") == cut(shuffled, "field")


def test_real_data_are_cut_into_parts_that_can_be_judged(tweetsumm: Path) -> None:
    rows = [clean(row) for row in each_in_jsonl(tweetsumm / "validation.jsonl", references_needed=True)]
    found = cut(rows, "turns", "length", "references")
    assert Counter(part.field for part in found) == {"turns": 3, "length": 3, "references": 2}
    assert min(len(part.ids) for part in found) >= FEWEST


def test_helpdesk_has_a_slice_for_each_channel_and_none_for_references() -> None:
    rows = [clean(row) for row in Helpdesk(None).read("test")]
    assert [part.label for part in cut(rows, "channel")] == ["chat", "phone", "email", "tweet"]
    assert cut(rows, "references") == []


# ------------------------------------------------------------------------------------------------------------ comparing

Column = Sequence[float | None]


def compared(
    baseline: Mapping[str, Column],
    candidate: Mapping[str, Column],
    *,
    parts: Sequence[int],
    metrics: Mapping[str, Direction] | None = None,
    clusters: Sequence[str] | None = None,
) -> list[SliceResult]:
    """Results on slices of the given sizes, labelled `0`, `1`, …, over columns of scores."""
    ids = [f"c{number:04}" for number in range(sum(parts))]
    starts = [sum(parts[:place]) for place in range(len(parts))]
    found = [
        Slice(field="field", label=str(place), ids=tuple(ids[start : start + size]))
        for place, (start, size) in enumerate(zip(starts, parts, strict=True))
    ]
    old, new = (
        {id_: {metric: column[at] for metric, column in columns.items()} for at, id_ in enumerate(ids)}
        for columns in (baseline, candidate)
    )
    return slice_results(
        found,
        old,
        new,
        metrics or dict.fromkeys(baseline, "higher"),
        Bootstrap(seed=0, clusters=dict(zip(ids, clusters or ids, strict=True))),
    )


def noisy(mean: float, n: int, seed: int) -> list[float]:
    generator = random.Random(seed)
    return [mean + generator.gauss(0, 0.05) for _ in range(n)]


def test_a_slice_that_got_worse_is_named_while_the_mean_improves() -> None:
    before = noisy(0.2, 120, 1)
    after = [*noisy(0.5, 80, 2), *noisy(0.1, 40, 3)]
    assert sum(after) > 1.4 * sum(before)
    better, worse = compared({"m": before}, {"m": after}, parts=[80, 40])
    assert (better.state, worse.state) == ("not worse", "worse")
    assert worse.n == 40
    assert worse.baseline == pytest.approx(sum(before[80:]) / 40)
    assert worse.candidate == pytest.approx(sum(after[80:]) / 40)
    assert worse.difference == pytest.approx((sum(after[80:]) - sum(before[80:])) / 40)
    assert worse.low is not None
    assert worse.high is not None
    assert worse.difference is not None
    assert worse.low < worse.difference < worse.high < 0
    assert worse.p is not None
    assert worse.p < 0.05


def test_where_lower_is_better_more_is_worse_and_figures_keep_their_sign() -> None:
    before, more, fewer = noisy(1.0, 40, 1), noisy(1.3, 40, 2), noisy(0.7, 40, 3)
    metrics: dict[str, Direction] = {"m": "lower"}
    (worse,) = compared({"m": before}, {"m": more}, parts=[40], metrics=metrics)
    (better,) = compared({"m": before}, {"m": fewer}, parts=[40], metrics=metrics)
    assert (worse.state, better.state) == ("worse", "not worse")
    assert worse.difference == pytest.approx(0.3, abs=0.05)
    assert better.difference == pytest.approx(-0.3, abs=0.05)


def test_a_metric_that_only_describes_is_left_out() -> None:
    before, after = noisy(0.2, 40, 1), noisy(0.1, 40, 2)
    metrics: dict[str, Direction] = {"words": "neither", "m": "higher"}
    found = compared({"words": before, "m": before}, {"words": after, "m": after}, parts=[40], metrics=metrics)
    assert [one.metric for one in found] == ["m"]


def test_slices_come_before_metrics() -> None:
    column = noisy(0.2, 80, 1)
    found = compared({"a": column, "b": column}, {"a": column, "b": column}, parts=[40, 40])
    assert [(one.label, one.metric) for one in found] == [("0", "a"), ("0", "b"), ("1", "a"), ("1", "b")]


def test_equal_systems_are_nowhere_worse() -> None:
    column = noisy(0.2, 80, 1)
    found = compared({"m": column}, {"m": column}, parts=[40, 40])
    assert [(one.state, one.difference, one.p) for one in found] == [("not worse", 0, 1)] * 2


def test_what_one_slice_alone_would_show_is_corrected_for_all() -> None:
    generator = random.Random(5)
    before = [0.0] * 400
    after = [*(generator.gauss(-0.36, 1) for _ in range(40)), *(generator.gauss(0.5, 1) for _ in range(360))]
    (alone,) = compared({"m": before[:40]}, {"m": after[:40]}, parts=[40])
    first, *others = compared({"m": before}, {"m": after}, parts=[40] * 10)
    assert alone.p is not None
    assert first.p is not None
    assert 0.05 / 10 < alone.p < 0.05
    assert first.p == pytest.approx(10 * alone.p)
    assert (alone.state, first.state) == ("worse", "not worse")
    assert {one.state for one in others} == {"not worse"}


def test_few_conversations_are_not_judged_show_their_figures_and_burden_no_others() -> None:
    before = noisy(0.2, 40 + 29, 1)
    after = noisy(0.1, 40 + 29, 2)
    (alone,) = compared({"m": before[:40]}, {"m": after[:40]}, parts=[40])
    large, small = compared({"m": before}, {"m": after}, parts=[40, 29])
    assert large == alone
    assert (small.label, small.pooled, small.state, small.p, small.n) == ("1", 1, "not judged", None, 29)
    assert small.difference == pytest.approx(-0.1, abs=0.05)
    assert small.high is not None
    assert small.high < 0


def test_small_slices_are_judged_together() -> None:
    sizes = [40, *[3] * 20]
    before = noisy(0.2, 100, 1)
    better, worse = [*noisy(0.3, 100, 2)], [*noisy(0.3, 40, 2), *noisy(0.1, 60, 3)]
    large, pool = compared({"m": before}, {"m": better}, parts=sizes)
    assert [(one.label, one.pooled, one.n, one.state) for one in (large, pool)] == [
        ("0", 0, 40, "not worse"),
        ("20 others", 20, 60, "not worse"),
    ]
    large, pool = compared({"m": before}, {"m": worse}, parts=sizes)
    assert (large.state, pool.state) == ("not worse", "worse")
    assert pool.difference == pytest.approx((sum(worse[40:]) - sum(before[40:])) / 60)


def test_one_bad_company_among_many_good_ones_does_not_make_the_pool_worse() -> None:
    before = noisy(0.2, 63, 1)
    after = [*noisy(0.0, 3, 2), *noisy(0.4, 60, 3)]
    (pool,) = compared({"m": before}, {"m": after}, parts=[3] * 21)
    assert (pool.pooled, pool.state) == (21, "not worse")


def test_small_slices_that_are_few_even_together_are_not_judged() -> None:
    column = noisy(0.2, 40 + 29, 1)
    _, pool = compared({"m": column}, {"m": [value - 0.1 for value in column]}, parts=[40, 20, 9])
    assert (pool.label, pool.pooled, pool.n, pool.state, pool.p) == ("2 others", 2, 29, "not judged", None)


def test_slices_of_different_fields_are_not_pooled_with_each_other() -> None:
    ids = [f"c{number:02}" for number in range(20)]
    found = [Slice(field=field, label=label, ids=tuple(ids)) for field in "ab" for label in "xy"]
    pooled = pool_small(found, {})
    assert [(one.field, one.label, one.pooled) for one in pooled] == [("a", "2 others", 2), ("b", "2 others", 2)]


@given(st.lists(st.integers(1, 2 * FEWEST), min_size=1, max_size=12), st.integers(1, 4))
@settings(max_examples=100)
def test_pooling_keeps_every_conversation_and_leaves_at_most_one_small_slice(sizes: list[int], each: int) -> None:
    ids = [f"c{number:04}" for number in range(sum(sizes))]
    clusters = {id_: f"k{number // each}" for number, id_ in enumerate(ids)}
    ends = list(accumulate(sizes))
    found = [
        Slice(field="f", label=str(place), ids=tuple(ids[end - size : end]))
        for place, (end, size) in enumerate(zip(ends, sizes, strict=True))
    ]
    pooled = pool_small(found, clusters)
    assert sorted(id_ for one in pooled for id_ in one.ids) == ids
    small = [one for one in found if count_units(one.ids, clusters) < FEWEST]
    assert sum(one.pooled for one in pooled) == len(small)
    assert [one for one in pooled if not one.pooled] == [one for one in found if one not in small]
    assert len([one for one in pooled if count_units(one.ids, clusters) < FEWEST]) <= 1
    assert pool_small(pooled, clusters)[:-1] == pooled[:-1]


def test_a_single_conversation_has_a_difference_and_no_interval() -> None:
    (one,) = compared({"m": [0.2]}, {"m": [0.5]}, parts=[1])
    assert (one.difference, one.low, one.high, one.state) == (pytest.approx(0.3), None, None, "not judged")


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("side", ["baseline", "candidate"])
def test_a_missing_score_leaves_its_slice_undecided_and_no_other(value: float | None, side: str) -> None:
    column = noisy(0.2, 80, 1)
    sound, broken = {"m": column}, {"m": [*column[:-1], value]}
    pair = (broken, sound) if side == "baseline" else (sound, broken)
    whole, lacking = compared(*pair, parts=[40, 40])
    assert whole.state == "not worse"
    assert (lacking.state, lacking.n) == ("undecided", 40)
    assert {lacking.baseline, lacking.candidate, lacking.difference, lacking.low, lacking.high, lacking.p} == {None}


def test_a_conversation_that_a_run_lacks_leaves_its_slice_undecided() -> None:
    ids = tuple(f"c{number}" for number in range(40))
    scores = {id_: {"m": 0.2} for id_ in ids}
    part = Slice(field="field", label="a", ids=ids)
    clusters = {id_: id_ for id_ in ids}
    fewer = dict(list(scores.items())[1:])
    (lacking,) = slice_results([part], scores, fewer, {"m": "higher"}, Bootstrap(seed=0, clusters=clusters))
    (other_metric,) = slice_results([part], scores, scores, {"n": "higher"}, Bootstrap(seed=0, clusters=clusters))
    assert (lacking.state, other_metric.state) == ("undecided", "undecided")


def test_a_cluster_bears_witness_once() -> None:
    before, after = noisy(0.2, 60, 1), noisy(0.1, 60, 2)
    columns = {"m": before}, {"m": after}
    (many,) = compared(*columns, parts=[60], clusters=[f"customer {number // 2}" for number in range(60)])
    (few,) = compared(*columns, parts=[60], clusters=[f"customer {number // 3}" for number in range(60)])
    assert (many.state, few.state, few.p) == ("worse", "not judged", None)
    assert many.difference == few.difference


def test_a_rare_value_of_a_flag_on_which_the_candidate_fails_is_named() -> None:
    rows = having(*[0] * 15, *[1] * 45)
    before = {row.id: {"m": 0.3} for row in rows}
    after = {row.id: {"m": 0.0 if row.metadata["field"] == 0 else 0.6} for row in rows}
    found = slice_results(
        cut(rows, "field"), before, after, {"m": "higher"}, Bootstrap(seed=0, clusters={row.id: row.id for row in rows})
    )
    assert [(one.label, one.state) for one in found] == [("1", "not worse"), ("0", "not judged")]


def test_no_slices_have_no_results() -> None:
    assert slice_results([], {}, {}, {"m": "higher"}, Bootstrap(seed=0, clusters={})) == []


def test_chance_alone_makes_a_slice_worse_in_few_experiments() -> None:
    # Ten slices of noise: in at most 5% of experiments any of them is named. Of 40 at 5%, 6 or more would be named in
    # one of 70 repetitions (binomial); the seeds here are fixed.
    named = 0
    for experiment in range(40):
        generator = random.Random(experiment)
        before, after = ([generator.gauss(0, 1) for _ in range(300)] for _ in range(2))
        named += any(one.state == "worse" for one in compared({"m": before}, {"m": after}, parts=[30] * 10))
    assert named < 6


def test_slices_of_real_data_are_compared_with_their_clusters() -> None:
    rows = [clean(row) for row in Helpdesk(None).read("test")]
    scores = {row.id: {"m": len(row.references[0]) / 100} for row in rows}
    better = {id_: {"m": score["m"] + 1} for id_, score in scores.items()}
    clusters = ScoredSplit(rows).clusters
    found = slice_results(
        slices(rows, ["channel"], clusters), scores, better, {"m": "higher"}, Bootstrap(seed=0, clusters=clusters)
    )
    channels = Counter(str(row.metadata["channel"]) for row in rows)
    assert {channel for channel, n in channels.items() if n < FEWEST} == {"phone", "email", "tweet"}
    assert [(one.label, one.n, one.state) for one in found] == [
        ("chat", channels["chat"], "not worse"),
        ("3 others", len(rows) - channels["chat"], "not worse"),
    ]
    assert [one.difference for one in found] == pytest.approx([1] * 2)


def test_a_long_tail_of_companies_is_judged(tweetsumm: Path) -> None:
    rows = [clean(row) for row in each_in_jsonl(tweetsumm / "train.jsonl", references_needed=True)]
    # A tweet to a company mostly begins with its handle.
    rows = [replace(row, metadata={"company": row.turns[0].text.split()[0]}) for row in rows]
    companies = Counter(row.metadata["company"] for row in rows)
    small = [n for n in companies.values() if n < FEWEST]
    assert len(small) > 20
    scores = {row.id: {"m": 0.2 + len(row.turns) / 100} for row in rows}
    found = slice_results(
        slices(rows, ["company"], {row.id: row.id for row in rows}), scores, scores, {"m": "higher"}, Bootstrap(seed=0)
    )
    assert {one.state for one in found} == {"not worse"}
    assert (found[-1].pooled, found[-1].n) == (len(small), sum(small))
