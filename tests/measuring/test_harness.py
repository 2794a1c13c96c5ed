"""The harness with a tiny backend plugin of its own: what is generated, scored, resumed and refused."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from liftbench.data.cleaning import clean
from liftbench.data.jsonl import each_in_jsonl
from liftbench.errors import LiftbenchError, PrerequisiteError, RunFailed, UsageError
from liftbench.extension.loader import Plugins, load_plugins
from liftbench.extension.registry import Registry
from liftbench.files import write_atomic, write_lines
from liftbench.measuring import harness
from liftbench.measuring.plan import batch_plan, prepare, sample_ids
from liftbench.measuring.systems import Loadable
from liftbench.measuring.texts import read_texts
from liftbench.plugin_api import (
    BackendRequest,
    Conversation,
    Generation,
    Metric,
    OutOfMemory,
    Prompt,
    Turn,
    hookimpl,
)
from liftbench.progress import no_progress
from liftbench.prompts.spec import prompt_spec
from liftbench.recipe.resolve import ResolvedRecipe
from liftbench.recipe.sections import METRICS
from liftbench.records.system import ModelRecord, System
from liftbench.runs.differences import protocol_differences
from liftbench.runs.directory import Run
from liftbench.runs.open_run import open_run
from liftbench.runs.sums import seal
from liftbench.workflow.setup import resolve_recipe

from ..support.stand_in import StandIn


class EchoBackend(StandIn):
    """Repeats the first words of the last line; the text says how large the batch was."""

    opened: ClassVar[int] = 0
    batches: ClassVar[list[int]] = []
    largest: ClassVar[int] = 1000
    fail_after: ClassVar[int] = 10**9

    def __init__(self, request: BackendRequest) -> None:
        super().__init__(request)
        type(self).opened += 1

    def generate(self, prompts: Sequence[Prompt], max_new_tokens: int) -> list[Generation]:
        if len(prompts) > self.largest:
            raise OutOfMemory("too large")
        if len(self.batches) >= self.fail_after:
            raise KeyboardInterrupt
        self.batches.append(len(prompts))
        texts = [f" {prompt.text.splitlines()[2]} in a batch of {len(prompts)}\n" for prompt in prompts]
        return [Generation(text=text, new_tokens=min(9, max_new_tokens), finish_reason="stop") for text in texts]


class NanMetric(Metric):
    name = "nan"
    signature = "nan"

    def score(self, texts: Sequence[str], conversations: Sequence[Conversation]) -> list[float | None]:
        del conversations
        return [float("nan") if number % 2 else 1.0 for number, _ in enumerate(texts)]


class ShortMetric(NanMetric):
    name = "short"

    def score(self, texts: Sequence[str], conversations: Sequence[Conversation]) -> list[float | None]:
        del conversations
        return [1.0] * (len(texts) - 1)


class TestPlugin:
    @hookimpl
    def bench_register(self, registry: Registry) -> None:
        registry.backend("echo", target=f"{__name__}:EchoBackend")
        registry.metric("nan", target=f"{__name__}:NanMetric")
        registry.metric("short", target=f"{__name__}:ShortMetric")


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> Plugins:
    for name, value in (("opened", 0), ("batches", []), ("largest", 1000), ("fail_after", 10**9)):
        monkeypatch.setattr(EchoBackend, name, value)
    loaded = load_plugins()
    loaded.add(TestPlugin(), "test")
    return loaded


@pytest.fixture
def folder(tmp_path: Path, conversations: list[Conversation]) -> Path:
    path = tmp_path / "support"
    path.mkdir()
    write_lines(path / "validation.jsonl", conversations)
    return path


def recipe(folder: Path, *settings: str) -> ResolvedRecipe:
    given = {"dataset": str(folder)}
    return resolve_recipe(None, given, [], ["model.backend=echo", "generation.batch_size=5", *settings])


SUBJECT = Loadable(
    system=System(
        kind="model",
        name="echo",
        model=ModelRecord(reference="echo", sha256="0" * 64, source="test"),
        precision="float32",
        backend="echo",
        prompt=prompt_spec("Summarize.\n\n{conversation}", "", "plain"),
    ),
    model=Path(),
)


def run_once(resolved: ResolvedRecipe, plugins: Plugins, runs: Path, *, fresh: bool = False) -> Run:
    measurement = prepare(resolved, plugins)
    system = replace(SUBJECT.system, backend=resolved.recipe.model.backend)
    manifest = harness.new_manifest("baseline", system, measurement, resolved, argv=["bench", "baseline"])
    scored = [measurement.conversations[id_] for id_ in measurement.scored]
    with open_run(manifest, scored, runs, fresh=fresh) as run:
        return harness.measure(run, measurement, replace(SUBJECT, system=system), plugins, no_progress)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_run_holds_all_that_a_report_needs(
    folder: Path, plugins: Plugins, tmp_path: Path, conversations: list[Conversation]
) -> None:
    run = run_once(recipe(folder), plugins, tmp_path / "runs").require_complete()
    assert run.conversations == [clean(conversation) for conversation in conversations]
    assert set(run.predictions) == set(run.scores) == {c.id for c in conversations}
    assert list(run.scores) == [c.id for c in conversations]
    assert [m.name for m in run.summary.metrics] == list(METRICS)
    assert run.summary.new_tokens == 9 * 12
    for metric in run.summary.metrics:
        assert metric.mean is not None
        assert metric.low is not None
        assert metric.high is not None
        values = [row[metric.name] for row in run.scores.values()]
        assert metric.mean == pytest.approx(sum(value or 0 for value in values) / len(values))
        assert metric.low <= metric.mean <= metric.high
    assert run.manifest.plan
    assert sorted(id_ for batch in run.manifest.plan for id_ in batch) == sorted(c.id for c in conversations)
    assert run.environment.packages["liftbench"]


def test_decoding_rules_are_part_of_the_protocol_and_of_the_key_only_where_they_are_set(
    folder: Path, plugins: Plugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match=r"the backend echo does not follow generation\.min_words"):
        run_once(recipe(folder, "generation.min_words=9"), plugins, tmp_path / "runs")
    monkeypatch.setattr(EchoBackend, "rules", frozenset({"min_words"}))
    free = run_once(recipe(folder), plugins, tmp_path / "runs").manifest
    bound = run_once(recipe(folder, "generation.min_words=9"), plugins, tmp_path / "runs").manifest
    assert free.key != bound.key
    assert "decoding" not in msgspec.to_builtins(free.protocol)
    found = protocol_differences(free.protocol, bound.protocol)
    assert [(one.key, one.candidate) for one in found] == [("decoding", "greedy|min-words:9")]


def test_batches_are_of_like_length_and_cover_everything_once(conversations: list[Conversation]) -> None:
    plan = batch_plan(conversations, 5)
    assert sorted(map(len, plan)) == [2, 5, 5]
    length = {c.id: len(" ".join(t.text for t in c.turns)) for c in conversations}
    spans = sorted((min(length[i] for i in batch), max(length[i] for i in batch)) for batch in plan)
    assert all(before[1] <= after[0] + 20 for before, after in pairwise(spans))
    assert plan == batch_plan(list(reversed(conversations)), 5)


@pytest.mark.parametrize("limit", [1, 4, 5, 7, 12])
def test_a_limited_run_generates_its_conversations_and_no_others(
    limit: int, folder: Path, plugins: Plugins, tmp_path: Path, conversations: list[Conversation]
) -> None:
    part = run_once(recipe(folder, f"data.limit={limit}"), plugins, tmp_path)
    assert len(part.predictions) == part.manifest.protocol.n == sum(EchoBackend.batches) == limit
    assert [c.id for c in part.conversations] == list(part.scores)
    # The plan is one of the whole split, the sample's batches first.
    planned = [id_ for batch in part.manifest.plan for id_ in batch]
    assert sorted(planned) == sorted(c.id for c in conversations)
    assert set(planned[:limit]) == set(part.scores)
    assert EchoBackend.batches == [len(batch) for batch in part.manifest.plan[: len(EchoBackend.batches)]]


def test_a_limit_that_reaches_all_is_no_limit(folder: Path, plugins: Plugins) -> None:
    whole, limited = (prepare(recipe(folder, *more), plugins) for more in ([], ["data.limit=12"]))
    assert (limited.scored, limited.plan, limited.protocol) == (whole.scored, whole.plan, whole.protocol)


def test_the_batch_size_does_not_choose_the_conversations(folder: Path, plugins: Plugins) -> None:
    sizes = (f"generation.batch_size={size}" for size in (1, 2, 5, 12))
    chosen = {tuple(prepare(recipe(folder, "data.limit=4", size), plugins).scored) for size in sizes}
    assert len(chosen) == 1


@given(st.sets(st.text(max_size=5), max_size=40), st.integers(1, 45), st.integers(1, 45), st.randoms())
def test_a_smaller_sample_is_a_part_of_a_larger_one_in_any_order(
    ids: set[str], one: int, other: int, order: random.Random
) -> None:
    small, large = sorted((one, other))
    shuffled = order.sample(sorted(ids), len(ids))
    assert sample_ids(shuffled, small) == sample_ids(sorted(ids), small) <= sample_ids(ids, large) <= ids
    assert len(sample_ids(ids, small)) == min(small, len(ids))
    assert sample_ids(ids, None) == ids
    # What is added to a split takes the place of others, and changes none of them for a third one.
    assert sample_ids([*ids, "a new one"], small) <= sample_ids(ids, small) | {"a new one"}


def test_a_sample_of_real_conversations_has_every_length(tweetsumm: Path) -> None:
    rows = [clean(row) for row in each_in_jsonl(tweetsumm / "validation.jsonl", references_needed=True)]
    by_length = sorted(rows, key=lambda row: len(" ".join(turn.text for turn in row.turns)))
    thirds = [{row.id for row in by_length[start : start + 36]} for start in (0, 36, 72)]
    chosen = sample_ids([row.id for row in rows], 36)
    # Of 36 from three thirds of 36: 12 of each, with a standard deviation of 2.3 (hypergeometric).
    assert all(5 <= len(chosen & third) <= 19 for third in thirds)


@pytest.mark.parametrize("after", [0, 1])
def test_a_killed_limited_run_resumes_to_the_same_predictions(
    after: int, folder: Path, plugins: Plugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited = recipe(folder, "data.limit=8")
    whole = run_once(limited, plugins, tmp_path / "whole")
    EchoBackend.batches.clear()
    monkeypatch.setattr(EchoBackend, "fail_after", after)
    with pytest.raises(KeyboardInterrupt):
        run_once(limited, plugins, tmp_path / "killed")
    monkeypatch.setattr(EchoBackend, "fail_after", 10**9)
    resumed = run_once(limited, plugins, tmp_path / "killed")
    assert {i: p.text for i, p in resumed.predictions.items()} == {i: p.text for i, p in whole.predictions.items()}
    assert sum(EchoBackend.batches) == 8


def test_a_limit_chooses_the_same_conversations_for_every_seed(folder: Path, plugins: Plugins) -> None:
    chosen = {tuple(prepare(recipe(folder, "data.limit=3", f"seed={s}"), plugins).scored) for s in range(5)}
    assert len(chosen) == 1


@pytest.mark.parametrize("after", [0, 1, 2])
@pytest.mark.parametrize("torn", [b"", b'{"id": "c0', b'{"id":"c00"'])
def test_a_killed_run_resumes_to_the_same_predictions_and_scores_nothing_twice(
    after: int, torn: bytes, folder: Path, plugins: Plugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run_once(recipe(folder), plugins, tmp_path / "whole")
    EchoBackend.batches.clear()
    monkeypatch.setattr(EchoBackend, "fail_after", after)
    with pytest.raises(KeyboardInterrupt):
        run_once(recipe(folder), plugins, tmp_path / "killed")
    [killed] = (tmp_path / "killed").glob("2*")
    if (killed / "predictions.jsonl").exists():
        with (killed / "predictions.jsonl").open("ab") as file:
            file.write(torn)
    with pytest.raises(UsageError, match="not finished"):
        Run(killed).require_complete()
    monkeypatch.setattr(EchoBackend, "fail_after", 10**9)
    resumed = run_once(recipe(folder), plugins, tmp_path / "killed")
    assert resumed.folder == killed
    rows = lines(killed / "predictions.jsonl")
    assert len(rows) == len({row["id"] for row in rows}) == 12
    assert {i: replace(p, seconds=None, sha256="") for i, p in resumed.predictions.items()} == {
        i: replace(p, seconds=None, sha256="") for i, p in whole.predictions.items()
    }
    assert resumed.scores == whole.scores
    assert sum(EchoBackend.batches) == 12


def test_a_batch_that_was_cut_in_the_middle_is_generated_whole_again(
    folder: Path, plugins: Plugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EchoBackend, "fail_after", 2)
    with pytest.raises(KeyboardInterrupt):
        run_once(recipe(folder), plugins, tmp_path)
    [killed] = tmp_path.glob("2*")
    path = killed / "predictions.jsonl"
    rows = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(rows[:-2]))
    monkeypatch.setattr(EchoBackend, "fail_after", 10**9)
    resumed = run_once(recipe(folder), plugins, tmp_path)
    sizes = {id_: len(batch) for batch in resumed.manifest.plan for id_ in batch}
    assert all(p.text.endswith(f"of {sizes[i]}") for i, p in resumed.predictions.items())
    assert set(rows[:-2]) <= set(path.read_bytes().splitlines(keepends=True))
    assert [row["id"] for row in lines(path)] == list(resumed.scores), "in the order of the split"
    assert all(prediction.seconds is not None for prediction in resumed.predictions.values())


def test_a_backend_of_independent_texts_gets_what_is_missing_in_batches_of_its_own_size(
    folder: Path, plugins: Plugins, tmp_path: Path, conversations: list[Conversation], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EchoBackend, "independent", True)
    monkeypatch.setattr(EchoBackend, "most_rows", 5)
    monkeypatch.setattr(EchoBackend, "fail_after", 1)
    resolved = recipe(folder, "generation.batch_size=2")
    with pytest.raises(KeyboardInterrupt):
        run_once(resolved, plugins, tmp_path / "runs")
    monkeypatch.setattr(EchoBackend, "fail_after", 10**9)
    run = run_once(resolved, plugins, tmp_path / "runs")
    # Planned batches of two are joined to five; after the interruption only what is missing is generated.
    total = len(conversations)
    assert EchoBackend.batches == [5] * (total // 5) + [total % 5] * (total % 5 > 0)
    assert [len(batch) for batch in run.manifest.plan] == [2] * (total // 2) + [1] * (total % 2)
    assert sorted(run.predictions) == sorted(one.id for one in conversations)


def test_a_text_that_was_edited_under_a_running_run_stops_it_because_it_was_scored_as_generated(
    folder: Path, plugins: Plugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EchoBackend, "fail_after", 1)
    with pytest.raises(KeyboardInterrupt):
        run_once(recipe(folder), plugins, tmp_path)
    monkeypatch.setattr(EchoBackend, "fail_after", 10**9)
    [killed] = tmp_path.glob("2*")
    path = killed / "predictions.jsonl"
    before = path.read_bytes()
    path.write_bytes(before.replace(b"in a batch", b"in a better batch", 1))
    with pytest.raises(UsageError, match=f"predictions.jsonl of run {killed.name} was edited"):
        run_once(recipe(folder), plugins, tmp_path)
    assert Run(killed).manifest.status == "running"
    path.write_bytes(before)
    run_once(recipe(folder), plugins, tmp_path).require_complete()


def test_predictions_of_another_run_are_not_continued(folder: Path, plugins: Plugins, tmp_path: Path) -> None:
    whole = run_once(recipe(folder), plugins, tmp_path / "one")
    resolved = recipe(folder, "generation.max_new_tokens=5")
    other = run_once(resolved, plugins, tmp_path / "other")
    write_atomic(other.folder / "manifest.json", replace(other.manifest, status="running", finished=None, sums={}))
    shutil.copy(whole.folder / "predictions.jsonl", other.folder / "predictions.jsonl")
    with pytest.raises(UsageError, match=r"predictions\.jsonl"):
        run_once(resolved, plugins, tmp_path / "other")


def test_texts_that_an_older_version_sealed_are_continued(folder: Path, plugins: Plugins, tmp_path: Path) -> None:
    run = run_once(recipe(folder), plugins, tmp_path)
    # As they were: bound to the run's id, with their seconds, in the order of the batches.
    old = [seal(replace(row, seconds=2.0, sha256=""), run.id) for row in reversed(list(run.predictions.values()))]
    write_lines(run.folder / "predictions.jsonl", old[:7])
    (run.folder / "timing.jsonl").unlink()
    write_atomic(run.folder / "manifest.json", replace(run.manifest, status="running", finished=None, sums={}))
    continued = run_once(recipe(folder), plugins, tmp_path)
    assert continued.id == run.id
    assert [row.text for row in continued.predictions.values()] == [row.text for row in run.predictions.values()]
    assert sum(row.seconds == 2.0 for row in continued.predictions.values()) == 7
    assert continued.summary.seconds is not None
    assert continued.summary.seconds >= 14


def test_a_time_that_a_kill_has_cut_is_left_out(folder: Path, plugins: Plugins, tmp_path: Path) -> None:
    run = run_once(recipe(folder), plugins, tmp_path)
    times = (run.folder / "timing.jsonl").read_bytes().splitlines(keepends=True)
    assert len(times) == 12
    (run.folder / "timing.jsonl").write_bytes(b"".join([*times[:5], times[5][:9], *times[6:]]))
    known = [row.seconds for row in Run(run.folder).predictions.values()]
    assert known.count(None) == 2, "the cut line, and the one that continues it"


@pytest.mark.parametrize("file", ["scores.jsonl", "summary.json"])
def test_scores_of_another_run_are_made_again_from_the_runs_own_texts(
    file: str, folder: Path, plugins: Plugins, tmp_path: Path
) -> None:
    first = run_once(recipe(folder), plugins, tmp_path / "one")
    other = run_once(recipe(folder, "generation.batch_size=12"), plugins, tmp_path / "other")
    scores, generated = first.scores, len(EchoBackend.batches)
    shutil.copy(other.folder / file, first.folder / file)
    assert Run(first.folder).changed == [file]
    again = run_once(recipe(folder), plugins, tmp_path / "one")
    assert (again.folder, again.changed, again.scores) == (first.folder, [], scores)
    assert len(EchoBackend.batches) == generated


@pytest.mark.parametrize("file", ["predictions.jsonl", "conversations.jsonl"])
def test_what_cannot_be_made_again_is_not_sealed_anew(
    file: str, folder: Path, plugins: Plugins, tmp_path: Path
) -> None:
    first = run_once(recipe(folder), plugins, tmp_path)
    path = first.folder / file
    path.write_bytes(path.read_bytes().replace(b"wrong", b"right"))
    for settings in ([], names("words", "rougeL")):
        with pytest.raises(UsageError, match=f"{file} is not the one that run {first.id} was completed with"):
            run_once(recipe(folder, *settings), plugins, tmp_path)
    assert Run(first.folder).manifest == first.manifest


@pytest.mark.parametrize("written", ["scores.jsonl", "summary.json"])
def test_a_run_that_is_killed_while_it_is_scored_by_other_metrics_is_not_complete(
    written: str, folder: Path, plugins: Plugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """New scores lay under the old signatures, with the status `complete`."""
    first = run_once(recipe(folder), plugins, tmp_path)
    real = {"scores.jsonl": write_lines, "summary.json": write_atomic}

    def killed(path: Path, value: Any) -> None:
        real[path.name](path, value)
        if path.name == written:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(harness, "write_lines", killed)
        patch.setattr(harness, "write_atomic", killed)
        with pytest.raises(KeyboardInterrupt):
            run_once(recipe(folder, *names("words", "rougeL")), plugins, tmp_path)
    with pytest.raises(UsageError, match="not finished"):
        Run(first.folder).require_complete()
    # Either command completes it, from the texts that are there.
    generated = len(EchoBackend.batches)
    again = run_once(recipe(folder), plugins, tmp_path)
    assert (again.folder, again.scores, again.changed) == (first.folder, first.scores, [])
    assert again.manifest.protocol == first.manifest.protocol
    assert len(EchoBackend.batches) == generated


def test_a_complete_run_is_not_measured_again_but_fresh_is(folder: Path, plugins: Plugins, tmp_path: Path) -> None:
    first = run_once(recipe(folder), plugins, tmp_path)
    again = run_once(recipe(folder), plugins, tmp_path)
    assert (again.folder, EchoBackend.opened) == (first.folder, 1)
    other = run_once(recipe(folder), plugins, tmp_path, fresh=True)
    assert (other.folder != first.folder, EchoBackend.opened) == (True, 2)


def names(*metrics: str) -> list[str]:
    """Settings for these metrics, ROUGE-L the headline."""
    return [f"metrics.names={list(metrics)!r}", "metrics.headlines=['rougeL']"]


@pytest.mark.parametrize(
    "settings",
    [["generation.max_new_tokens=7"], ["data.limit=3"], ["generation.batch_size=4"]],
)
def test_another_protocol_is_another_run(settings: list[str], folder: Path, plugins: Plugins, tmp_path: Path) -> None:
    first = run_once(recipe(folder), plugins, tmp_path)
    assert run_once(recipe(folder, *settings), plugins, tmp_path).folder != first.folder


def test_other_metrics_score_the_texts_that_are_there(folder: Path, plugins: Plugins, tmp_path: Path) -> None:
    first = run_once(recipe(folder), plugins, tmp_path)
    texts = (first.folder / "predictions.jsonl").read_bytes()
    generated = len(EchoBackend.batches)
    again = run_once(recipe(folder, *names("words", "rougeL")), plugins, tmp_path)
    assert (again.folder, len(EchoBackend.batches)) == (first.folder, generated)
    assert (again.folder / "predictions.jsonl").read_bytes() == texts
    assert again.manifest.status == "complete"
    assert [row.name for row in again.summary.metrics] == list(again.manifest.protocol.metrics) == ["words", "rougeL"]
    assert {name for scores in again.scores.values() for name in scores} == {"words", "rougeL"}


def test_a_batch_that_does_not_fit_is_split_and_the_run_says_so(
    folder: Path, plugins: Plugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EchoBackend, "largest", 2)
    run = run_once(recipe(folder), plugins, tmp_path)
    assert max(EchoBackend.batches) == 2
    assert len(run.predictions) == 12
    assert any("split" in note for note in run.manifest.notes)


def test_one_conversation_that_does_not_fit_fails_the_run_and_keeps_it(
    folder: Path, plugins: Plugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EchoBackend, "largest", 0)
    with pytest.raises(RunFailed, match="max_input_tokens"):
        run_once(recipe(folder), plugins, tmp_path)
    assert len(list(tmp_path.glob("2*"))) == 1


def test_a_value_that_is_not_finite_counts_as_unscored(folder: Path, plugins: Plugins, tmp_path: Path) -> None:
    run = run_once(recipe(folder, *names("nan", "rougeL")), plugins, tmp_path)
    [nan, _] = run.summary.metrics
    assert (nan.n, nan.n_unscored, nan.mean) == (6, 6, 1.0)
    assert list(run.scores.values())[1]["nan"] is None


def test_a_metric_that_loses_a_text_fails_the_run(folder: Path, plugins: Plugins, tmp_path: Path) -> None:
    with pytest.raises(RunFailed, match="11 values for 12 texts"):
        run_once(recipe(folder, *names("short", "rougeL")), plugins, tmp_path)


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        (["data.split=tset"], UsageError, "unknown split 'tset'"),
        (["data.dataset=tweetsum"], UsageError, "Did you mean 'tweetsumm'"),
        (["metrics.extra=['rougel']"], UsageError, "unknown metric plugin 'rougel'\nDid you mean 'rougeL'"),
        (["model.backend=transfomers"], UsageError, "Did you mean 'transformers'"),
        (["generation.max_input_tokens=4000", "generation.max_new_tokens=200"], UsageError, "4096"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    settings: list[str], error: type[LiftbenchError], words: str, folder: Path, plugins: Plugins, tmp_path: Path
) -> None:
    with pytest.raises(error, match=words):
        run_once(recipe(folder, *settings), plugins, tmp_path)


def test_a_declared_slice_that_nothing_scored_has_is_refused_before_anything_is_loaded(
    folder: Path, plugins: Plugins, conversations: list[Conversation]
) -> None:
    rows = [replace(conversation, metadata={"channel": "chat"}) for conversation in conversations]
    write_lines(folder / "validation.jsonl", rows)
    assert prepare(recipe(folder, "guards.slices=['turns', 'channel']"), plugins).scored
    with pytest.raises(UsageError, match=r"unknown field to slice by 'chanel'\nDid you mean 'channel'"):
        prepare(recipe(folder, "guards.slices=['turns', 'chanel']"), plugins)


@pytest.mark.parametrize("text", ["Клиент жалуется на заказ.", "客户抱怨订单。"])
def test_a_script_that_rouge_cannot_see_is_refused_before_anything_is_loaded(
    text: str, plugins: Plugins, tmp_path: Path, folder: Path
) -> None:
    blind = Conversation(id="r1", turns=(Turn(role="customer", text=text),), references=(text,))
    write_lines(folder / "validation.jsonl", [blind])
    with pytest.raises(PrerequisiteError, match=r"rouge.*r1") as caught:
        run_once(recipe(folder), plugins, tmp_path)
    assert len(str(caught.value).splitlines()) <= 3
    assert EchoBackend.opened == 0


def test_words_that_rouge_splits_are_a_note_and_a_share_of_the_run(
    plugins: Plugins, tmp_path: Path, folder: Path, conversations: list[Conversation]
) -> None:
    measured = run_once(recipe(folder), plugins, tmp_path / "english")
    assert not any("lose letters" in note for note in measured.manifest.notes)
    czech = [replace(one, references=("Zákazník si stěžuje, že zásilka nedorazila.",)) for one in conversations]
    write_lines(folder / "validation.jsonl", czech)
    for _ in range(2):
        measured = run_once(recipe(folder), plugins, tmp_path / "czech")
    [note] = [note for note in measured.manifest.notes if "lose letters" in note]
    assert note.startswith("ROUGE-")
    assert f"{4 * len(czech)} of the {6 * len(czech)} words of the references (67%)" in note
    shares = {row.name: row.misread for row in measured.summary.metrics}
    assert shares["rougeL"] == pytest.approx(4 / 6)


# ----------------------------------------------------------------------------------------------- texts made elsewhere


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda rows: rows[:-2], "lacks 2 of 12"),
        (lambda rows: [*rows, rows[0]], "line 13.*twice"),
        (lambda rows: [*rows, {"id": "zz", "text": "x"}], "line 13.*'zz'"),
        (lambda rows: [{"id": "c00"}, *rows[1:]], "line 1.*text"),
        (lambda rows: ["nonsense", *rows[1:]], "line 1"),
    ],
)
def test_a_file_of_texts_must_fit_the_split(
    change: Any, words: str, folder: Path, plugins: Plugins, tmp_path: Path, conversations: list[Conversation]
) -> None:
    measurement = prepare(recipe(folder), plugins)
    rows = change([{"id": c.id, "text": c.references[0]} for c in conversations])
    path = tmp_path / "texts.jsonl"
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    with pytest.raises(UsageError, match=words):
        read_texts(path, measurement)


def test_texts_are_scored_as_they_are(
    folder: Path, plugins: Plugins, tmp_path: Path, conversations: list[Conversation]
) -> None:
    resolved = recipe(folder)
    measurement = prepare(resolved, plugins)
    texts = {c.id: f"  {c.references[0]}\n" for c in conversations} | {"c01": ""}
    system = System(kind="predictions", name="mine", file_sha256="0" * 64, generation_verified=False)
    manifest = harness.new_manifest("score", system, measurement, resolved, argv=[])
    with open_run(manifest, conversations, tmp_path / "runs", fresh=False) as opened:
        run = harness.measure_texts(opened, measurement, texts, plugins)
    assert run.predictions["c00"].text == conversations[0].references[0]
    assert run.predictions["c00"].finish_reason == "unknown"
    assert run.scores["c00"]["rougeL"] == 1.0
    assert run.scores["c01"]["rougeL"] == 0.0
    assert (run.summary.empty, run.summary.new_tokens) == (1, None)
    assert EchoBackend.opened == 0
