from __future__ import annotations

import json
import multiprocessing
from pathlib import Path
from typing import Any

import pytest

from liftbench.errors import LiftbenchError, PrerequisiteError, RunFailed, UsageError
from liftbench.records.run import SCHEMA
from liftbench.runs.directory import Run, find_run, runs_in
from liftbench.runs.open_run import open_run, run_id, slug

from ..support.build import write_run


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
        getattr(Run(run.folder), part)
    (run.folder / file).unlink()
    with pytest.raises(UsageError, match=f"incomplete.*{file}"):
        getattr(Run(run.folder), part)


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
