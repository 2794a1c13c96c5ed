from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liftbench.curation.allotment import allot
from liftbench.curation.partition import REPEATED, Plan, plan_partition, write_partition
from liftbench.data.jsonl import read_jsonl
from liftbench.data.similarity.duplicates import NearDuplicates
from liftbench.data.similarity.fingerprints import fingerprint
from liftbench.errors import RunFailed, UsageError
from liftbench.files import write_lines
from liftbench.progress import no_progress
from liftbench.records.conversation import Conversation, Turn

FRACTIONS = {"train": 0.8, "validation": 0.1, "test": 0.1}


def conversation(
    id_: str, text: str, reference: str | None = "Wants something.", **metadata: str | int
) -> Conversation:
    return Conversation(
        id=id_,
        turns=(Turn(role="customer", text=text),),
        references=() if reference is None else (reference,),
        metadata={**metadata},
    )


def long_text(topic: int, change: int) -> str:
    """60 words; texts of one topic are near-duplicates."""
    return " ".join(f"w{topic}x{number}" if number != change else "changed" for number in range(60))


def split(folder: Path, pool: list[Conversation], fractions: dict[str, float] = FRACTIONS, **options: object) -> Plan:
    """Split `pool`; the files go to `folder / "splits"`."""
    source, splits = folder / "all.jsonl", folder / "splits"
    splits.mkdir(exist_ok=True)
    write_lines(source, pool)
    plan = plan_partition([source], fractions, no_progress, **options)  # type: ignore[arg-type]
    write_partition(plan, [source], splits, no_progress)
    return plan


def splits_in(folder: Path) -> dict[str, list[Conversation]]:
    return {path.stem: read_jsonl(path) for path in sorted((folder / "splits").glob("*.jsonl"))}


rows = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 3), st.sampled_from(["", "", "ann", "bob", "eve"]), st.booleans()),
    min_size=1,
    max_size=40,
)


@settings(max_examples=60)
@given(drawn=rows, seed=st.integers(0, 3))
def test_nothing_leaks_and_nothing_is_lost(
    drawn: list[tuple[int, int, str, bool]], seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("split")
    pool = [
        conversation(f"c{n}", long_text(topic, change), "About it." if told else None, cluster=cluster)
        for n, (topic, change, cluster, told) in enumerate(drawn)
    ]
    try:
        plan = split(folder, pool, seed=seed)
    except UsageError:
        # Fewer groups than splits.
        return
    splits = splits_in(folder)
    partition = plan.partition
    assert {part.name: part.conversations for part in partition.parts} == {n: len(rows) for n, rows in splits.items()}
    assert len(pool) == sum(map(len, splits.values())) + sum(partition.left_out.values()) == partition.conversations
    assert all(each in pool for rows in splits.values() for each in rows)
    place = {each.id: name for name, rows in splits.items() for each in rows}
    kept = [each for each in pool if each.id in place]
    for cluster in ("ann", "bob", "eve"):
        assert len({place[each.id] for each in kept if each.metadata["cluster"] == cluster}) <= 1
    duplicates = NearDuplicates()
    for each in kept:
        duplicates.add(fingerprint(each))
    for pair in duplicates.pairs():
        assert place[kept[pair.first].id] == place[kept[pair.second].id]
    for number, original in enumerate(duplicates.originals):
        assert place[kept[number].id] == place[kept[original].id]


@settings(max_examples=25)
@given(shuffler=st.randoms(use_true_random=False))
def test_another_order_of_the_source_is_the_same_split(
    shuffler: random.Random, tmp_path_factory: pytest.TempPathFactory
) -> None:
    pool = [conversation(f"c{n}", long_text(n, -1), cluster=f"k{n % 17}") for n in range(60)]
    shuffled = pool[:]
    shuffler.shuffle(shuffled)
    one, other = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("other")
    split(one, pool)
    split(other, shuffled)
    first, second = splits_in(one), splits_in(other)
    assert {name: {c.id for c in rows} for name, rows in first.items()} == {
        name: {c.id for c in rows} for name, rows in second.items()
    }


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_split(tmp_path: Path) -> None:
    pool = [conversation(f"c{n}", long_text(n, -1)) for n in range(50)]
    written = []
    for number, seed in enumerate([0, 0, 1]):
        folder = tmp_path / str(number)
        folder.mkdir()
        split(folder, pool, seed=seed)
        written.append([path.read_bytes() for path in sorted((folder / "splits").iterdir())])
    assert written[0] == written[1] != written[2]


def test_single_conversations_meet_the_fractions(tmp_path: Path) -> None:
    plan = split(tmp_path, [conversation(f"c{n}", long_text(n, -1)) for n in range(100)])
    assert [part.conversations for part in plan.partition.parts] == [80, 10, 10]
    assert plan.partition.miss == pytest.approx(0)


def test_a_split_of_no_share_is_not_made(tmp_path: Path) -> None:
    pool = [conversation(f"c{n}", long_text(n, -1)) for n in range(10)]
    split(tmp_path, pool, {"train": 0.5, "validation": 0.5, "test": 0})
    assert {name: len(rows) for name, rows in splits_in(tmp_path).items()} == {"train": 5, "validation": 5}


def test_a_large_cluster_goes_to_train_and_is_named(tmp_path: Path) -> None:
    pool = [conversation(f"c{n}", long_text(n, -1), cluster="acme" if n < 90 else "") for n in range(100)]
    partition = split(tmp_path, pool).partition
    assert (partition.largest.conversations, partition.largest.part, partition.largest.clusters) == (
        90,
        "train",
        ("acme",),
    )
    assert partition.miss == pytest.approx(0.1)
    assert [part.conversations for part in partition.parts] == [90, 5, 5]


def test_what_joins_two_clusters_joins_all_of_both(tmp_path: Path) -> None:
    pool = [
        conversation("a1", long_text(1, -1), cluster="a"),
        conversation("a2", long_text(2, -1), cluster="a"),
        conversation("b1", long_text(2, 30), cluster="b"),
        conversation("b2", long_text(3, -1), cluster="b"),
        *(conversation(f"c{n}", long_text(10 + n, -1)) for n in range(6)),
    ]
    partition = split(tmp_path, pool).partition
    assert partition.largest.conversations == 4
    assert partition.near == 1


@pytest.mark.parametrize(
    ("second", "left_out"),
    [
        (conversation("b", "Hello THERE"), {REPEATED: 1}),
        (conversation("b", "Hello there", "Wants something else."), {}),
        (conversation("b", "Hello there", None), {"without references": 1}),
        (conversation("b", "\u200b@115712"), {"without words after cleaning": 1}),
        (conversation("b", "Hello @115712 there"), {}),
    ],
    ids=["repeated", "other reference", "no reference", "no words", "other words"],
)
def test_what_is_left_out(second: Conversation, left_out: dict[str, int], tmp_path: Path) -> None:
    pool = [conversation("a", "Hello there"), second, *(conversation(f"c{n}", f"text {n}") for n in range(5))]
    partition = split(tmp_path, pool).partition
    assert partition.left_out == left_out
    assert partition.repeated == (("b",) if REPEATED in left_out else ())


def test_one_customer_is_one_cluster_however_written(tmp_path: Path) -> None:
    names = ["Ann Lee", " ann  lee", "ANN LEE", "bob", "  "]
    pool = [conversation(f"c{n}", long_text(n, -1), customer=names[n % 5]) for n in range(20)]
    partition = split(tmp_path, pool, cluster="customer").partition
    assert partition.clusters == 2
    assert (partition.largest.conversations, partition.largest.clusters) == (12, ("ann lee",))


@pytest.mark.parametrize("value", ["<EMAIL_1>", "Mrs <PERSON_2>"])
def test_a_field_that_was_redacted_tells_no_customers_apart(value: str, tmp_path: Path) -> None:
    pool = [conversation(f"c{n}", long_text(n, -1), customer=value) for n in range(9)]
    with pytest.raises(UsageError, match=r"'customer' was redacted[^;]*\nSplit before redacting, or .* --cluster"):
        split(tmp_path, pool, cluster="customer")


def test_the_digests_of_a_redaction_are_clusters(tmp_path: Path) -> None:
    pool = [conversation(f"c{n}", long_text(n, -1), cluster=f"<CUSTOMER_{n % 4:016x}>") for n in range(12)]
    assert split(tmp_path, pool).partition.clusters == 4


def test_a_cluster_is_compared_as_text_and_zero_is_one(tmp_path: Path) -> None:
    pool = [conversation(f"c{n}", long_text(n, -1), customer=(0, "0", 1)[n % 3]) for n in range(9)]
    partition = split(tmp_path, pool, {"train": 0.5, "test": 0.5}, cluster="customer").partition
    assert partition.clusters == 2
    assert partition.largest.conversations == 6


@pytest.mark.parametrize(
    ("fractions", "words"),
    [
        ({"train": 0.8, "validation": 0.1, "test": 0.2}, "add up to 1"),
        ({"train": 1.2, "validation": -0.1, "test": -0.1}, "add up to 1"),
        ({"train": float("nan"), "validation": 0.1, "test": 0.1}, "add up to 1"),
    ],
)
def test_fractions_that_do_not_add_up(fractions: dict[str, float], words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=words):
        split(tmp_path, [conversation("a", "Hello")], fractions)


def test_too_few_groups_and_unknown_cluster_fields_are_errors(tmp_path: Path) -> None:
    pool = [conversation(f"c{n}", long_text(n, -1), customer="ann") for n in range(9)]
    with pytest.raises(UsageError, match=r"^1 group of conversations .* is too few to split"):
        split(tmp_path, pool, cluster="customer")
    with pytest.raises(UsageError, match="Did you mean 'customer'"):
        split(tmp_path, pool, cluster="custmer")
    with pytest.raises(UsageError, match=r"^0 groups of conversations .* are too few to split"):
        split(tmp_path, [conversation("a", "Hello", None)])


def test_an_id_in_two_files_is_an_error(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_lines(tmp_path / f"{name}.jsonl", [conversation("same", name)])
    with pytest.raises(UsageError, match=r"two\.jsonl: id 'same' is in one\.jsonl too"):
        plan_partition([tmp_path / "one.jsonl", tmp_path / "two.jsonl"], FRACTIONS, no_progress)


@pytest.mark.parametrize("count", [9, 11])
def test_a_source_that_changes_between_the_passes_is_noticed(count: int, tmp_path: Path) -> None:
    source = tmp_path / "all.jsonl"
    pool = [conversation(f"c{n}", long_text(n, -1)) for n in range(11)]
    write_lines(source, pool[:10])
    plan = plan_partition([source], FRACTIONS, no_progress)
    write_lines(source, pool[:count])
    with pytest.raises(RunFailed, match="changed while it was read"):
        write_partition(plan, [source], tmp_path, no_progress)


@given(
    st.lists(st.integers(1, 40), min_size=3, max_size=60),
    st.sampled_from([(0.8, 0.1, 0.1), (0.5, 0.25, 0.25), (0.98, 0.01, 0.01)]),
)
def test_sizes_are_as_near_as_the_largest_groups_allow(sizes: list[int], fractions: tuple[float, ...]) -> None:
    falling = sorted(sizes, reverse=True)
    parts = allot(falling, fractions)
    got = [sum(size for size, part in zip(falling, parts, strict=True) if part == number) for number in range(3)]
    assert all(got)
    assert max(abs(got[n] - fractions[n] * sum(sizes)) for n in range(3)) <= 2 * falling[0]


def test_no_group_dominates_the_test_split_where_there_are_smaller_ones() -> None:
    sizes = [9, 9, 9, *[1] * 73]
    parts = allot(sizes, (0.8, 0.1, 0.1))
    assert parts[:3] == [0, 0, 0]
    assert [parts.count(part) for part in range(3)] == [56, 10, 10]


def test_real_conversations(tweetsumm: Path) -> None:
    files = [tweetsumm / "train.jsonl", tweetsumm / "validation.jsonl"]
    plan = plan_partition(files, FRACTIONS, no_progress)
    assert [part.conversations for part in plan.partition.parts] == [780, 98, 97]
    assert plan.partition.left_out == {}
