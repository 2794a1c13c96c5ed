"""Which runs are seeds of one training, and which of them are judged together."""

from __future__ import annotations

from copy import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from liftbench.records.system import AdapterRecord, Exported, System
from liftbench.runs.directory import Run
from liftbench.runs.seed_groups import count_looks, group_by_training, near_trainings, other_seeds

from ..support.build import write_run


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return write_run(tmp_path_factory.mktemp("families"), command="train")


def like(run: Run, id_: str, **fields: Any) -> Run:
    """The same run under another id, of the family `f`, with fields of its manifest changed; ids are ages."""
    other = copy(run)
    other.manifest = replace(run.manifest, **({"id": id_, "created": id_, "family": "f"} | fields))
    return other


def ids(runs: list[Run]) -> list[str]:
    return [run.id for run in runs]


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"seed": 1}, True),
        ({"seed": 0}, False),
        ({"seed": 1, "family": "g"}, False),
        ({"seed": 1, "family": ""}, False),
        ({"seed": 1, "status": "trained"}, False),
        ({"seed": 1, "status": "running"}, False),
        ({"seed": 1, "target": 0.1, "headlines": ("rouge1",)}, True),
    ],
)
def test_siblings_are_complete_other_seeds_of_the_family(fields: dict[str, Any], found: bool, trained: Run) -> None:
    candidate, other = like(trained, "1", seed=0), like(trained, "2", **fields)
    assert ids(other_seeds(candidate, [candidate, other])) == (["2"] if found else [])


def test_siblings_were_measured_alike(trained: Run) -> None:
    candidate, protocol = like(trained, "1"), trained.manifest.protocol
    relabelled = like(trained, "2", seed=1, protocol=replace(protocol, dataset="a copy of it"))
    fewer_metrics = like(trained, "3", seed=2, protocol=replace(protocol, metrics={"rougeL": "another"}))
    assert ids(other_seeds(candidate, [relabelled, fewer_metrics])) == ["2"]


def test_one_sibling_a_seed_the_newest_by_seed(trained: Run) -> None:
    runs = [like(trained, id_, seed=seed) for id_, seed in (("5", 2), ("4", 1), ("3", 1), ("2", 2), ("1", 0))]
    assert ids(other_seeds(like(trained, "0"), runs)) == ["4", "5"]


def test_a_run_without_a_family_has_no_siblings(trained: Run) -> None:
    runs = [like(trained, id_, family="", seed=int(id_)) for id_ in "12"]
    assert other_seeds(runs[0], runs) == []


@pytest.mark.parametrize(
    ("given_", "groups"),
    [
        # Each run as family, seed and age, which is its id.
        ([("f", 0, "1")], ["1"]),
        ([("f", 1, "1"), ("f", 0, "2")], ["21"]),
        ([("f", 0, "1"), ("g", 0, "2"), ("f", 1, "3")], ["13", "2"]),
        ([("", 0, "1"), ("", 1, "2")], ["1", "2"]),
        # A seed trained twice: the newest stands for it, the other one is judged alone.
        ([("f", 0, "1"), ("f", 1, "2"), ("f", 0, "3")], ["1", "32"]),
        ([("f", 0, "3"), ("f", 1, "2"), ("f", 0, "1")], ["32", "1"]),
    ],
)
def test_candidates_are_grouped_by_family(given_: list[tuple[str, int, str]], groups: list[str], trained: Run) -> None:
    runs = [like(trained, id_, family=family, seed=seed) for family, seed, id_ in given_]
    assert ["".join(ids(group)) for group in group_by_training(runs)] == groups


def test_an_export_does_not_take_the_place_of_an_adapter_among_adapters(trained: Run) -> None:
    exported = Exported(form="merged", dtype="bfloat16", of_sha256="a" * 64)
    merged = replace(trained.manifest.system, adapter=AdapterRecord(sha256="b" * 64, exported=exported))
    adapters = [like(trained, str(seed), seed=seed) for seed in range(3)]
    export = like(trained, "9", seed=0, system=merged)
    assert [ids(group) for group in group_by_training([*adapters, export])] == [["0", "1", "2"], ["9"]]
    # The only run of its seed is judged with the others: the best of three seeds alone would flatter it.
    assert [ids(group) for group in group_by_training([*adapters[1:], export])] == [["9", "1", "2"]]


@given(members=st.lists(st.tuples(st.sampled_from(["", "f", "g"]), st.integers(0, 3)), max_size=8))
def test_every_candidate_is_in_one_group_and_no_seed_twice(members: list[tuple[str, int]], trained: Run) -> None:
    runs = [like(trained, str(at), family=family, seed=seed) for at, (family, seed) in enumerate(members)]
    groups = group_by_training(runs)
    assert sorted(run.id for group in groups for run in group) == ids(runs)
    for group in groups:
        seeds = [run.manifest.seed for run in group]
        assert seeds == sorted(set(seeds))
        assert len({run.manifest.family for run in group}) == 1
        assert len(group) == 1 or group[0].manifest.family
    largest = {run.manifest.family: 0 for run in runs if run.manifest.family}
    for group in groups:
        family = group[0].manifest.family
        largest = largest | ({family: max(largest[family], len(group))} if family else {})
    # All seeds of a family are together.
    assert largest == {family: len({seed for name, seed in members if name == family}) for family in largest}


def trained_with(run: Run, id_: str, rate: object, **fields: Any) -> Run:
    recipe = run.manifest.recipe | {"train": {"plugin": "qlora", "seed": id_, "options": {"learning_rate": rate}}}
    return like(run, id_, recipe=recipe, **fields)


@pytest.mark.parametrize(
    ("rate", "family", "found"),
    [
        (1e-3 * (1 + 1e-10), "g", True),
        (1.0001e-3, "g", True),
        (1.1e-3, "g", False),
        (1e-3 * (1 + 1e-10), "f", False),
        ("1e-3", "g", False),
    ],
)
def test_an_option_changed_in_the_tenth_digit_does_not_hide_a_training(
    rate: object, family: str, found: bool, trained: Run
) -> None:
    candidate, other = trained_with(trained, "1", 1e-3), trained_with(trained, "2", rate, family=family)
    assert ids(near_trainings(candidate, [candidate, other])) == (["2"] if found else [])


def test_looks_are_complete_candidates_that_were_measured_alike_each_training_once(trained: Run) -> None:
    baseline = like(trained, "0", command="baseline", family="")
    alike = [like(trained, "1", seed=0), like(trained, "2", seed=1), like(trained, "3", family="g")]
    others = [like(trained, "4", family="h", status="trained"), baseline]
    assert count_looks(baseline, [*alike, *others]) == 2
    assert count_looks(baseline, []) == 1


def test_an_export_has_exports_of_its_form_as_other_seeds_where_there_are_any(trained: Run) -> None:
    def exported(id_: str, seed: int) -> Run:
        adapter = AdapterRecord(
            sha256="e", seed=seed, exported=Exported(form="merged", dtype="bfloat16", of_sha256="a")
        )
        return like(trained, id_, seed=seed, system=replace(trained.manifest.system, adapter=adapter))

    adapters = [like(trained, str(seed), seed=seed, system=with_seed(trained, seed)) for seed in range(3)]
    merged = [exported("8", 0), exported("9", 1)]
    runs = [*adapters, *merged]
    assert ids(other_seeds(merged[0], runs)) == ["9", "2"]
    assert ids(other_seeds(adapters[2], runs)) == ["0", "1"]


def with_seed(run: Run, seed: int) -> System:
    return replace(run.manifest.system, adapter=AdapterRecord(sha256="a", seed=seed))
