"""Slices: how the data are cut, and that a part that got worse is named however good the mean is."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liftbench.data.cleaning import clean
from liftbench.data.clusters import units
from liftbench.data.helpdesk import Helpdesk
from liftbench.data.jsonl import each_in_jsonl
from liftbench.errors import UsageError
from liftbench.slices import FEWEST, NOT_GIVEN, Slice, slice_results, slices
from liftbench.types import Conversation, Direction, Scalar, SliceResult, Turn


def conversation(number: int, **metadata: Scalar) -> Conversation:
    return Conversation(id=f"c{number:04}", turns=(Turn(role="customer", text="Hi"),), metadata=metadata)


def having(*values: Scalar) -> list[Conversation]:
    """A conversation for each value of the field `field`."""
    return [conversation(number, field=value) for number, value in enumerate(values)]


def sizes(found: Sequence[Slice]) -> list[tuple[str, int]]:
    return [(part.label, len(part.ids)) for part in found]


# ------------------------------------------------------------------------------------------------------ ordered fields


@pytest.mark.parametrize(
    ("values", "expected"),
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
        # Where a third would be too small, there are halves, as even as the values allow.
        ([1] * 20 + [2] * 30 + [3] * 50, [("up to 2", 50), ("3", 50)]),
        ([1] * 50 + [2] * 30 + [3] * 20, [("1", 50), ("2 or more", 50)]),
        ([1] * 36 + [2] * 18 + [3] * 46, [("up to 2", 54), ("3", 46)]),
        ([1] * 80 + [2] * 20, []),
        ([1] * 29 + [2] * 42 + [3] * 29, []),
        ([1] * 29 + [2] * 21 + [3] * 21 + [4] * 29, [("up to 2", 50), ("3 or more", 50)]),
        # Nothing to tell apart.
        ([3] * 200, []),
        ([3], []),
        # Any numbers.
        ([-1.5] * 30 + [0.25] * 15 + [1e6] * 15, [("-1.5", 30), ("0.25 or more", 30)]),
        ([3, 3.0] * 30 + [4] * 60, [("3", 60), ("4", 60)]),
        ([0.3] * 30 + [0.1 + 0.2] * 30, [("0.3", 30), ("0.30000000000000004", 30)]),
    ],
)
def test_numbers_are_cut_into_parts_of_like_size(values: list[Scalar], expected: list[tuple[str, int]]) -> None:
    assert sizes(slices(having(*values), ["field"])) == expected


def test_a_part_holds_the_values_that_its_label_says() -> None:
    rows = having(*range(1, 91))
    low, middle, high = slices(rows, ["field"])
    assert low.ids == tuple(row.id for row in rows[:30])
    assert middle.ids == tuple(row.id for row in rows[30:60])
    assert high.ids == tuple(row.id for row in rows[60:])


def test_numbers_that_are_missing_are_a_slice_of_their_own() -> None:
    values: list[Scalar] = [*[1] * 30, *[2] * 30, None, math.nan, math.inf]
    assert sizes(slices(having(*values), ["field"])) == [("1", 30), ("2", 30), (NOT_GIVEN, 3)]
    # Without two parts of numbers the numbers tell nothing apart.
    assert slices(having(*[1] * 30, *[None] * 30), ["field"]) == []


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
    assert sizes(slices(having(*values), ["field"])) == expected


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
    found = slices(rows, ["turns", "length", "references"])
    assert [(part.field, *size) for part, size in zip(found, sizes(found), strict=True)] == [
        ("turns", "1", 30),
        ("turns", "2", 30),
        ("length", "3", 30),
        ("length", "6", 30),
        ("references", "1", 30),
        ("references", "2", 30),
    ]


def test_a_field_that_is_named_twice_is_cut_once() -> None:
    assert len(slices(having("a", "b"), ["field", "field"])) == 2


def test_without_fields_or_conversations_there_are_no_slices() -> None:
    assert slices(having("a", "b"), []) == []
    assert slices([], ["turns", "length", "references"]) == []


@pytest.mark.parametrize("rows", [[], having("a", "b"), [conversation(1, chanel=None), conversation(2, chanel=" ")]])
def test_a_field_that_no_conversation_has_is_an_error_that_names_the_others(rows: list[Conversation]) -> None:
    with pytest.raises(UsageError, match=r"unknown field to slice by 'chanel'.* Known: .*length.*references.*turns"):
        slices(rows, ["turns", "chanel"])


def test_the_error_suggests_what_may_have_been_meant() -> None:
    with pytest.raises(UsageError, match="did you mean 'channel'"):
        slices([conversation(1, channel="chat")], ["chanel"])


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
    found = slices(rows, ["field"])
    assert len(found) != 1
    held = Counter(id_ for part in found for id_ in part.ids)
    assert held == (Counter(row.id for row in rows) if found else Counter())
    assert len({part.label for part in found}) == len(found)


@given(st.lists(st.integers(0, 12), min_size=1, max_size=200))
@settings(max_examples=150)
def test_numbers_are_cut_wherever_both_sides_are_large_enough(values: list[int]) -> None:
    found = slices(having(*values), ["field"])
    value_of = {row.id: row.metadata["field"] for row in having(*values)}
    parts = [[value for id_ in part.ids if isinstance(value := value_of[id_], int)] for part in found]
    assert all(len(part) >= FEWEST for part in parts)
    assert all(max(one) < min(next_) for one, next_ in pairwise(parts))
    cuts = [sum(value <= cut for value in values) for cut in set(values)]
    assert bool(parts) == any(FEWEST <= cut <= len(values) - FEWEST for cut in cuts)


@given(fields, st.randoms(use_true_random=False))
@settings(max_examples=50)
def test_the_order_of_conversations_does_not_matter(values: list[Scalar], order: random.Random) -> None:
    rows = having(*values)
    shuffled = order.sample(rows, len(rows))
    assert slices(rows, ["field"]) == slices(shuffled, ["field"])


def test_real_data_are_cut_into_parts_that_can_be_judged(tweetsumm: Path) -> None:
    rows = [clean(row) for row in each_in_jsonl(tweetsumm / "validation.jsonl", references_needed=True)]
    found = slices(rows, ["turns", "length", "references"])
    assert Counter(part.field for part in found) == {"turns": 3, "length": 3, "references": 2}
    assert min(len(part.ids) for part in found) >= FEWEST


def test_helpdesk_has_a_slice_for_each_channel_and_none_for_references() -> None:
    rows = [clean(row) for row in Helpdesk(None).read("test")]
    assert [part.label for part in slices(rows, ["channel"])] == ["chat", "phone", "email", "tweet"]
    assert slices(rows, ["references"]) == []


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
        seed=0,
        clusters=dict(zip(ids, clusters or ids, strict=True)),
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


def test_few_conversations_are_undecided_show_their_figures_and_burden_no_others() -> None:
    before = noisy(0.2, 40 + 29, 1)
    after = noisy(0.1, 40 + 29, 2)
    (alone,) = compared({"m": before[:40]}, {"m": after[:40]}, parts=[40])
    large, small = compared({"m": before}, {"m": after}, parts=[40, 29])
    assert large == alone
    assert (small.state, small.p, small.n) == ("undecided", None, 29)
    assert small.difference == pytest.approx(-0.1, abs=0.05)
    assert small.high is not None
    assert small.high < 0


def test_a_single_conversation_has_a_difference_and_no_interval() -> None:
    (one,) = compared({"m": [0.2]}, {"m": [0.5]}, parts=[1])
    assert (one.difference, one.low, one.high, one.state) == (pytest.approx(0.3), None, None, "undecided")


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
    (lacking,) = slice_results([part], scores, fewer, {"m": "higher"}, seed=0, clusters=clusters)
    (other_metric,) = slice_results([part], scores, scores, {"n": "higher"}, seed=0, clusters=clusters)
    assert (lacking.state, other_metric.state) == ("undecided", "undecided")


def test_a_cluster_bears_witness_once() -> None:
    before, after = noisy(0.2, 60, 1), noisy(0.1, 60, 2)
    columns = {"m": before}, {"m": after}
    (many,) = compared(*columns, parts=[60], clusters=[f"customer {number // 2}" for number in range(60)])
    (few,) = compared(*columns, parts=[60], clusters=[f"customer {number // 3}" for number in range(60)])
    assert (many.state, few.state, few.p) == ("worse", "undecided", None)
    assert many.difference == few.difference


def test_no_slices_have_no_results() -> None:
    assert slice_results([], {}, {}, {"m": "higher"}, seed=0, clusters={}) == []


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
    clusters = dict(zip(scores, units(rows), strict=True))
    found = slice_results(slices(rows, ["channel"]), scores, better, {"m": "higher"}, seed=0, clusters=clusters)
    assert {one.label: one.state for one in found} == {
        "chat": "not worse",
        "phone": "undecided",
        "email": "undecided",
        "tweet": "undecided",
    }
    assert [one.difference for one in found] == pytest.approx([1] * 4)
