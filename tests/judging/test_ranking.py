"""The ranking of trainings: who is clearly better than whom, how seldom chance says so, and what must not matter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from liftbench.files import write_atomic
from liftbench.judging.compare import compare
from liftbench.judging.evidence import Selection
from liftbench.judging.lifts import SEEDS_TO_RESAMPLE
from liftbench.judging.ranking import Ranking, rank_trainings
from liftbench.records.run import Direction, Manifest
from liftbench.records.system import AdapterRecord
from liftbench.records.training import TrainingSummary
from liftbench.runs.directory import Run
from liftbench.runs.measured import MeasuredRun
from liftbench.statistics.bootstrap import Bootstrap
from liftbench.statistics.lift import FEWEST

from ..support.build import TRAINING, reseal, write_run

HIGHER: dict[str, Direction] = {"rougeL": "higher"}
N = 40


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return write_run(tmp_path_factory.mktemp("one"), command="train").manifest


class Scored:
    """A measured run of which only scores and training are known."""

    def __init__(
        self,
        manifest: Manifest,
        id_: str,
        scores: Mapping[str, Sequence[float | None]] | Sequence[float | None],
        seed: int = 0,
        training: TrainingSummary | None = None,
    ) -> None:
        columns = scores if isinstance(scores, Mapping) else {"rougeL": scores}
        assert manifest.system.adapter
        adapter: AdapterRecord = replace(manifest.system.adapter, seed=seed)
        self.id = id_
        self.manifest = replace(manifest, id=id_, system=replace(manifest.system, adapter=adapter))
        self.scores = {
            f"c{place:04}": dict(zip(columns, row, strict=True))
            for place, row in enumerate(zip(*columns.values(), strict=True))
        }
        self.training = training


Make = Callable[..., list[MeasuredRun]]


@pytest.fixture(scope="module")
def make(manifest: Manifest) -> Make:
    """A training from the scores of its seeds, or of its only one."""

    def training(name: str, *seeds: Any, **more: Any) -> list[MeasuredRun]:
        runs = [Scored(manifest, f"{name}{seed}", scores, seed, **more) for seed, scores in enumerate(seeds)]
        return cast("list[MeasuredRun]", runs)

    return training


def rank(
    *trainings: list[MeasuredRun],
    directions: dict[str, Direction] | None = None,
    clusters: dict[str, str] | None = None,
    resamples: int = 400,
) -> Ranking:
    found = rank_trainings(
        trainings, directions or HIGHER, Bootstrap(seed=1, clusters=clusters or {}, resamples=resamples)
    )
    assert found is not None
    return found


def noise(seed: int, mean: float = 0.3, spread: float = 0.05, n: int = N) -> list[float]:
    return [float(value) for value in np.random.default_rng(seed).normal(mean, spread, n)]


def test_one_training_has_no_rank(make: Make) -> None:
    assert rank_trainings([make("a", noise(1), noise(2))], HIGHER, Bootstrap(seed=0)) is None


def test_the_clearly_better_is_named_and_who_is_not_told_apart_shares_a_group(make: Make) -> None:
    best, *near = (noise(seed, mean) for seed, mean in ((1, 0.5), (2, 0.3), (3, 0.301)))
    found = rank(make("near", near[0]), make("best", best), make("like", near[1]))
    first, *others = found.rivals
    assert first.id == "best0"
    assert all(found.is_better("best0", other.id) and not found.is_better(other.id, "best0") for other in others)
    assert (first.highest_place, first.lowest_place) == (1, 1)
    assert [(one.highest_place, one.lowest_place) for one in others] == [(2, 3), (2, 3)]
    assert [one.groups for one in found.rivals] == [[0], [1], [1]]
    assert found.better_on("best0", "near0") == ["rougeL"]
    for row in found.differences:
        assert row.low is not None
        assert row.high is not None
        assert row.difference is not None
        assert row.low <= row.difference <= row.high
        assert row.p is not None
        assert row.p_holm is not None
        assert row.p <= row.p_holm


def test_lower_is_better_where_the_metric_says_so(make: Make) -> None:
    found = rank(make("much", noise(1, 0.9)), make("little", noise(2, 0.1)), directions={"rougeL": "lower"})
    assert [one.id for one in found.rivals] == ["little0", "much0"]
    assert found.is_better("little0", "much0")


def test_it_takes_every_headline(make: Make) -> None:
    both: dict[str, Direction] = {"rougeL": "higher", "content-overlap": "higher"}
    same = noise(3)
    found = rank(
        make("a", {"rougeL": noise(1, 0.5), "content-overlap": same}),
        make("b", {"rougeL": noise(2, 0.3), "content-overlap": same}),
        directions=both,
    )
    assert found.better_on("a0", "b0") == ["rougeL"]
    assert not found.is_better("a0", "b0")
    assert [one.groups for one in found.rivals] == [[0], [0]]


@pytest.mark.parametrize("seeds", [1, 3, SEEDS_TO_RESAMPLE])
def test_rivals_with_equal_scores_are_never_told_apart(make: Make, seeds: int) -> None:
    columns = [noise(seed) for seed in range(seeds)]
    found = rank(make("b", *columns), make("a", *columns[::-1]))
    assert [row.p_holm for row in found.differences] == [pytest.approx(1)]
    assert [one.groups for one in found.rivals] == [[0], [0]]
    assert {(one.highest_place, one.lowest_place) for one in found.rivals} == {(1, 2)}


def test_a_missing_score_proves_nothing(make: Make) -> None:
    found = rank(make("a", noise(1, 0.5)), make("b", [None, *noise(2, 0.1)[1:]]), make("c", noise(3, 0.1)))
    last = found.rivals[-1]
    assert (last.id, last.scores[0].mean, last.highest_place, last.lowest_place) == ("b0", None, 1, 3)
    assert found.comparisons == 1
    assert {row.better for row in found.differences if "b0" in (row.first, row.second)} == {None}


@pytest.mark.parametrize("n", [1, 4, FEWEST - 1])
def test_few_conversations_make_nobody_better(make: Make, n: int) -> None:
    found = rank(make("a", noise(1, 0.9, n=n)), make("b", noise(2, 0.1, n=n)))
    assert not found.is_better("a0", "b0")
    assert str(FEWEST) in found.method


def test_conversations_of_one_customer_count_once(make: Make) -> None:
    few = np.repeat(np.random.default_rng(0).normal(0, 0.1, 8), 10)
    one = (0.3 + few).tolist()
    trainings = make("a", (np.array(one) + 0.04 + few).tolist()), make("b", one)
    clusters = {f"c{place:04}": f"customer {place // 10}" for place in range(80)}
    assert rank(*trainings, clusters=clusters).units == 8
    alone, together = (rank(*trainings, clusters=some).differences[0] for some in ({}, clusters))
    assert alone.p is not None
    assert together.p is not None
    assert together.p > 5 * alone.p
    assert alone.low is not None
    assert together.low is not None
    assert together.low < alone.low


# --------------------------------------------------------------------------------------------------------------- seeds


def test_of_few_seeds_each_must_be_better(make: Make) -> None:
    low, high = (noise(seed, mean) for seed, mean in ((1, 0.3), (2, 0.5)))
    assert rank(make("a", high, noise(3, 0.5)), make("b", low, noise(4, 0.3))).is_better("a0", "b0")
    mixed = rank(make("a", high, noise(3, 0.3)), make("b", low, noise(4, 0.3)))
    assert not mixed.is_better("a0", "b0")
    [score, _] = (one.scores[0] for one in mixed.rivals)
    assert score.mean == pytest.approx(sum(filter(None, score.seeds)) / 2)
    assert score.low is not None
    assert score.high is not None
    assert score.low < min(filter(None, score.seeds))
    assert score.high > max(filter(None, score.seeds))


def test_seeds_that_scatter_make_a_training_unclear_and_alike_ones_do_not(make: Make) -> None:
    baseline = make("b", *(noise(seed, 0.30) for seed in range(5)))
    steady = rank(make("a", *(noise(10 + seed, 0.36) for seed in range(5))), baseline)
    scattered = rank(
        make("a", *(noise(10 + seed, mean) for seed, mean in enumerate((0.1, 0.2, 0.36, 0.52, 0.62)))), baseline
    )
    assert steady.is_better("a0", "b0")
    assert not scattered.is_better("a0", "b0")
    widths = [row.high - row.low for found in (steady, scattered) for row in found.differences if row.low and row.high]
    assert widths[1] > 3 * widths[0]


def test_a_run_beside_the_seeds_of_a_training_is_a_rival(make: Make) -> None:
    found = rank(make("a", *(noise(seed, 0.5) for seed in range(6))), make("b", noise(9, 0.3)))
    assert [(one.id, one.seeds) for one in found.rivals] == [("a0", [*range(6)]), ("b0", [0])]
    assert found.is_better("a0", "b0")


# ---------------------------------------------------------------------------------------------------------- properties


columns = st.lists(st.tuples(st.integers(0, 5), st.sampled_from([0.25, 0.3, 0.3, 0.42])), min_size=2, max_size=5)


@given(columns, st.randoms(use_true_random=False))
@settings(max_examples=12, deadline=None)
def test_the_order_given_does_not_matter(make: Make, drawn: list[tuple[int, float]], order: Any) -> None:
    trainings = [make(f"r{place}-", noise(seed, mean)) for place, (seed, mean) in enumerate(drawn)]
    shuffled = list(trainings)
    order.shuffle(shuffled)
    assert rank(*shuffled, resamples=200) == rank(*trainings, resamples=200)


@given(columns)
@settings(max_examples=12, deadline=None)
def test_claims_contradict_neither_each_other_nor_the_places(make: Make, drawn: list[tuple[int, float]]) -> None:
    found = rank(*(make(f"r{place}-", noise(seed, mean)) for place, (seed, mean) in enumerate(drawn)), resamples=200)
    for place, one in enumerate(found.rivals, start=1):
        assert one.highest_place <= place <= one.lowest_place
    for one, other in combinations(found.rivals, 2):
        assert not found.is_better(other.id, one.id)
        assert bool({*one.groups} & {*other.groups}) is not found.is_better(one.id, other.id)
        if found.is_better(one.id, other.id):
            assert one.scores[0].mean is not None
            assert other.scores[0].mean is not None
            assert one.scores[0].mean > other.scores[0].mean


@given(st.integers(0, 30))
@settings(max_examples=10, deadline=None)
def test_an_exchange_of_names_turns_the_difference(make: Make, seed: int) -> None:
    one, other = noise(seed), noise(seed + 100)
    [there] = rank(make("a", one), make("b", other)).differences
    [back] = rank(make("b", one), make("a", other)).differences
    # The same rival is first in both, under another name.
    assert (there.first, there.second) == (back.second, back.first)
    assert (there.difference, there.low, there.high) == pytest.approx((back.difference, back.low, back.high))
    assert (there.p, there.p_holm) == (back.p, back.p_holm)


def test_chance_alone_seldom_makes_a_claim(make: Make) -> None:
    """Five rivals of equal worth on two headlines are 20 comparisons, and many experiments err without correction."""
    both: dict[str, Direction] = {"rougeL": "higher", "content-overlap": "higher"}
    experiments = 60
    any_claim = uncorrected = 0
    for experiment in range(experiments):
        generator = np.random.default_rng(experiment)
        hard = generator.normal(0.3, 0.1, (2, N))  # conversations that are hard for everybody
        found = rank(
            *(
                make(f"r{rival}-", dict(zip(both, (hard + generator.normal(0, 0.05, (2, N))).tolist(), strict=True)))
                for rival in range(5)
            ),
            directions=both,
            resamples=200,
        )
        assert found.comparisons == 20
        any_claim += any(row.better for row in found.differences)
        uncorrected += any(row.p is not None and row.p <= 0.05 for row in found.differences)
    # 5% of 60 are 3; more than 8 would come about by chance less than once in 200 times.
    assert any_claim <= 8
    assert uncorrected >= 15


# ------------------------------------------------------------------------------------------------------- costs, compare


def test_costs_are_those_of_the_trainings(make: Make) -> None:
    found = rank(
        make("a", noise(1, 0.5), noise(2, 0.5), training=TRAINING),
        make("b", noise(3), training=replace(TRAINING, seconds=300.0, tokens=None, device=None)),
        make("c", noise(4, 0.1)),
    )
    first, second, third = (one.cost for one in found.rivals)
    assert first
    assert second
    assert (first.seconds, first.tokens_per_second, first.device) == (600, pytest.approx(160_000 / 600), "cpu")
    assert (first.trainable_parameters, first.peak_memory_bytes) == (4_884_480, 4 * 2**30)
    assert (second.seconds, second.tokens_per_second, second.device) == (300, None, None)
    assert third is None


def test_a_comparison_ranks_its_candidates_with_outcomes_and_choices(tmp_path: Path) -> None:
    baseline = write_run(tmp_path, scores={"rougeL": noise(0, 0.2, 0.01, 36)})
    runs = [
        write_run(
            tmp_path,
            command="train" if place else "score",
            created=f"2026-01-0{place + 6}T10:00:00Z",
            scores={"rougeL": noise(place, 0.3 + place / 10, 0.01, 36)},
        )
        for place in range(2)
    ]
    for run, rate in zip(runs, (0.001, 0.002), strict=True):
        recipe = run.manifest.recipe | {"train": {"options": {"learning_rate": rate}, "plugin": "qlora"}}
        write_atomic(run.folder / "manifest.json", replace(run.manifest, recipe=recipe))
    found = compare(baseline, [reseal(run) for run in runs], selection=Selection(trainings={runs[0].id: TRAINING}))
    assert found.ranking is not None
    assert [one.id for one in found.ranking.rivals] == [runs[1].id, runs[0].id]
    outcomes = {result.run: result.verdict.outcome for result in found.candidates}
    assert {one.id: one.outcome for one in found.ranking.rivals} == outcomes
    assert found.ranking.is_better(runs[1].id, runs[0].id)
    assert [one.choices for one in found.ranking.rivals] == [
        {"train.options.learning_rate": 0.002},
        {"train.options.learning_rate": 0.001},
    ]
    assert all(one.cost for one in found.ranking.rivals)
    assert compare(baseline, [Run(runs[0].folder)]).ranking is None
