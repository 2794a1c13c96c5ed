from __future__ import annotations

import json
import multiprocessing
import re
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from liftbench.errors import LiftbenchError, PrerequisiteError, RunFailed, UsageError
from liftbench.files import write_lines
from liftbench.records.run import SCHEMA, Prediction
from liftbench.runs.directory import Run, find_run, read_runs, runs_in
from liftbench.runs.open_run import open_run, run_id, slug
from liftbench.runs.sums import SCORED, SUMMED, require_sealed, seal

from ..support.build import reseal, write_conversations, write_run


def edit(run: Run, **changes: Any) -> Run:
    path = run.folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return Run(run.folder)


def test_a_run_reads_back_what_was_written(tmp_path: Path) -> None:
    run = write_run(tmp_path / "runs")
    again = Run(run.folder)
    assert again.manifest == run.manifest
    assert [c.id for c in again.conversations] == list(again.predictions) == list(again.scores)
    assert again.summary.n == len(again.conversations)


@pytest.mark.parametrize(
    ("damage", "error", "words"),
    [
        (lambda f: (f / "manifest.json").unlink(), UsageError, "not a run directory"),
        (lambda f: (f / "manifest.json").write_text("{"), UsageError, "cannot be read"),
        (lambda f: (f / "manifest.json").write_text("{}"), UsageError, "damaged"),
        (lambda f: (f / "manifest.json").write_text("[]"), UsageError, "damaged"),
    ],
)
def test_a_broken_manifest_is_a_clear_error(
    damage: Any, error: type[LiftbenchError], words: str, tmp_path: Path
) -> None:
    run = write_run(tmp_path / "runs")
    damage(run.folder)
    with pytest.raises(error, match=words):
        Run(run.folder)
    assert runs_in(tmp_path / "runs") == []


def test_a_newer_schema_says_to_upgrade_and_hides_no_other_run(tmp_path: Path) -> None:
    newer = write_run(tmp_path / "runs")
    with pytest.raises(PrerequisiteError, match="Upgrade liftbench"):
        edit(newer, schema=SCHEMA + 1)
    assert runs_in(tmp_path / "runs") == []
    assert [one.why for one in read_runs(tmp_path / "runs")[1]] == [
        f"{newer.folder.name} was made by a newer liftbench (run schema {SCHEMA + 1}, this one reads up to {SCHEMA}). "
        "Upgrade liftbench."
    ]


@pytest.mark.parametrize(
    ("file", "part"),
    [
        ("summary.json", "summary"),
        ("scores.jsonl", "scores"),
        ("predictions.jsonl", "predictions"),
        ("conversations.jsonl", "conversations"),
        ("environment.json", "environment"),
    ],
)
def test_a_missing_or_damaged_part_is_named(file: str, part: str, tmp_path: Path) -> None:
    run = write_run(tmp_path / "runs")
    (run.folder / file).write_text('{"id": 3}\n')
    with pytest.raises(UsageError, match=f"{file}.*damaged"):
        getattr(reseal(run), part)
    (run.folder / file).unlink()
    with pytest.raises(UsageError, match=f"incomplete.*{file}"):
        getattr(Run(run.folder), part)


# ----------------------------------------------------------------------------------------- files that belong together

READ_BY = {
    "conversations.jsonl": "conversations",
    "predictions.jsonl": "text_hashes",
    "scores.jsonl": "findings",
    "summary.json": "summary",
    "training/rows.jsonl": "training_rows",
    "training/summary.json": "training",
}


@pytest.mark.parametrize("file", SUMMED)
def test_a_file_of_another_run_is_an_error_that_names_both_because_it_was_taken_for_the_runs_own(
    file: str, tmp_path: Path
) -> None:
    conversations = write_conversations(12)
    run, other = (
        write_run(tmp_path / str(n), command="train", conversations=conversations[n:], texts=[str(n)] * (12 - n))
        for n in (0, 1)
    )
    write_lines(other.folder / "training" / "rows.jsonl", (other.training_rows or [])[:1])
    (other.folder / "training" / "summary.json").write_text("{}")
    assert getattr(run, READ_BY[file])
    shutil.copy(other.folder / file, run.folder / file)
    again = Run(run.folder)
    assert again.changed == [file]
    with pytest.raises(UsageError) as caught:
        getattr(again, READ_BY[file])
    assert caught.value.what == f"{file} is not the one that run {run.id} was completed with"
    assert ("Score it again: the same `bench train` command" in caught.value.fix) == (file in SCORED)
    assert ("--fresh" in caught.value.fix) == (file not in SCORED)
    assert f"damaged ({file})" in again._repr_html_()


@pytest.mark.parametrize("file", SUMMED)
def test_a_file_that_is_gone_is_missed_even_if_a_run_need_not_have_it(file: str, tmp_path: Path) -> None:
    run = write_run(tmp_path, command="train")
    (run.folder / file).unlink()
    with pytest.raises(UsageError, match=re.escape(f"run {run.id} is incomplete: it has no {file}")):
        getattr(Run(run.folder), READ_BY[file])


def test_rows_that_were_added_later_are_not_the_runs_own(tmp_path: Path) -> None:
    run = write_run(tmp_path, command="score")
    assert run.training_rows is None
    write_lines(run.folder / "training" / "rows.jsonl", [])
    assert Run(run.folder).changed == ["training/rows.jsonl"]


def test_a_complete_run_without_sums_is_damaged(tmp_path: Path) -> None:
    assert edit(write_run(tmp_path), sums={}).changed == ["conversations.jsonl", "predictions.jsonl", *SCORED]


@given(place=st.integers(0), byte=st.integers(0, 255), file=st.sampled_from(SUMMED))
@settings(max_examples=25)
def test_any_other_byte_is_noticed(tmp_path_factory: pytest.TempPathFactory, place: int, byte: int, file: str) -> None:
    run = write_run(tmp_path_factory.mktemp("runs"), command="train", conversations=write_conversations(3))
    data = bytearray((run.folder / file).read_bytes())
    before, data[place % len(data)] = bytes(data), byte
    (run.folder / file).write_bytes(data)
    assert run.changed == ([] if bytes(data) == before else [file])


@pytest.mark.parametrize(
    "change",
    [{"text": "Better words."}, {"new_tokens": 3}, {"finish_reason": "stop"}, {"turns_dropped": 0}, {"sha256": ""}],
)
def test_an_edited_prediction_is_not_the_one_that_was_generated(change: dict[str, Any]) -> None:
    row = Prediction(id="c1", text="Words.", new_tokens=2, finish_reason="length", turns_dropped=2, seconds=0.1 + 0.2)
    sealed = seal(row, "run-1")
    require_sealed([msgspec.json.decode(msgspec.json.encode(sealed), type=Prediction)], "run-1")
    with pytest.raises(UsageError, match=r"predictions\.jsonl of run run-1 was edited: the line of c1"):
        require_sealed([replace(sealed, **change)], "run-1")
    with pytest.raises(UsageError, match="run-2 was edited"):
        require_sealed([sealed], "run-2")


@pytest.mark.parametrize(("status", "words"), [("running", "not finished"), ("trained", "trained but not scored")])
def test_an_incomplete_run_says_what_continues_it(status: str, words: str, tmp_path: Path) -> None:
    run = edit(write_run(tmp_path / "runs"), status=status)
    with pytest.raises(UsageError, match=f"{words}\n.* to continue it"):
        run.require_complete()


def test_a_run_is_found_by_folder_id_or_part_of_it(tmp_path: Path) -> None:
    place = tmp_path / "runs"
    run = write_run(place)
    for name in (str(run.folder), run.id, run.id[-8:]):
        assert find_run(name, place).id == run.id
    with pytest.raises(UsageError, match="unknown run"):
        find_run("nothing-like-it", place)
    with pytest.raises(UsageError, match="not a run directory"):
        find_run(str(tmp_path), place)


# --------------------------------------------------------------------------------------------------------- kills, locks


def test_the_same_key_is_continued_and_fresh_starts_over(tmp_path: Path) -> None:
    manifest = write_run(tmp_path / "other").manifest
    with open_run(manifest, [], tmp_path, fresh=False) as first:
        first.note("one", "one", "two")
    with open_run(manifest, [], tmp_path, fresh=False) as second:
        assert second.folder == first.folder
        assert second.manifest.notes[-2:] == ["one", "two"]
    with open_run(manifest, [], tmp_path, fresh=True) as third:
        assert third.folder != first.folder
        assert third.manifest.id == third.folder.name
    with open_run(manifest, [], tmp_path, fresh=False) as fourth:
        assert fourth.folder == third.folder


def _hold(manifest: Any, folder: Path, held: Any, release: Any) -> None:
    with open_run(manifest, [], folder, fresh=False):
        held.set()
        release.wait(30)


def test_two_processes_never_make_one_run(tmp_path: Path) -> None:
    manifest = write_run(tmp_path / "other").manifest
    context = multiprocessing.get_context("spawn")
    held, release = context.Event(), context.Event()
    process = context.Process(target=_hold, args=(manifest, tmp_path / "runs", held, release))
    process.start()
    try:
        assert held.wait(30)
        with pytest.raises(RunFailed, match="another process"), open_run(manifest, [], tmp_path / "runs", fresh=False):
            pass
    finally:
        release.set()
        process.join(30)
    with open_run(manifest, [], tmp_path / "runs", fresh=False):
        pass


# ---------------------------------------------------------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("text", "expected"),
    [("SmolLM2 135M+qlora", "smollm2-135m+qlora"), ("../../etc", "etc"), ("Ünïcode", "n-code"), ("", "x"), ("…", "x")],
)
def test_slugs_are_safe_in_a_path(text: str, expected: str) -> None:
    assert slug(text) == expected


def test_a_run_id_sorts_by_time_and_names_system_and_data() -> None:
    assert run_id("a+b", "tweetsumm", "0123456789", "2026-01-02T03:04:05Z") == "20260102T030405Z-a+b-tweetsumm-01234567"
