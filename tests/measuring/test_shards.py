"""Shards of a run: together they are the run that one process makes, and nothing else is joined."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import liftbench
from liftbench.errors import UsageError
from liftbench.files import write_lines
from liftbench.measuring.shards import parse_shard
from liftbench.records.conversation import Conversation
from liftbench.runs.directory import Run

from ..conftest import Outcome

Bench = Callable[..., Outcome]


@pytest.fixture
def options(tmp_path: Path, conversations: list[Conversation], tiny_chat_model: Path) -> tuple[str, ...]:
    folder = tmp_path / "support"
    folder.mkdir()
    write_lines(folder / "validation.jsonl", conversations)
    small = ("--set", "generation.batch_size=2", "--set", "generation.max_new_tokens=6")
    return ("--dataset", str(folder), "--model", str(tiny_chat_model), *small)


def only(folder: Path) -> Run:
    [run] = map(liftbench.load_run, folder.glob("2*"))
    return run


def content(run: Run) -> dict[str, Any]:
    """All that a run says of its texts and scores, byte for byte, but for times and its name."""
    summary = json.loads((run.folder / "summary.json").read_text())
    return {
        **{name: (run.folder / f"{name}.jsonl").read_bytes() for name in ("predictions", "scores", "conversations")},
        "summary": {key: value for key, value in summary.items() if key != "seconds"},
        "key": run.manifest.key,
        "protocol": run.manifest.protocol,
        "system": run.manifest.system,
    }


@pytest.mark.parametrize("count", [1, 3])
def test_merged_shards_are_the_run_of_one_process(
    count: int, options: tuple[str, ...], command_line: Bench, tmp_path: Path
) -> None:
    assert command_line("baseline", *options, "--runs", str(tmp_path / "whole")).code == 0
    parts = str(tmp_path / "parts")
    for number in random.Random(0).sample(range(1, count + 1), count):
        made = command_line("baseline", *options, "--runs", parts, "--shard", f"{number}/{count}")
        assert made.code == 0, made.err
        assert f"shard {number}/{count}: {12 // count} texts" in made.err
    merged = command_line("merge", "--runs", parts, "--json")
    assert merged.code == 0, merged.err
    joined = liftbench.load_run(json.loads(merged.out)["run"], runs=parts)
    whole = only(tmp_path / "whole")
    assert content(joined) == content(whole)
    assert f"merged from {count} shard" in " ".join(joined.manifest.notes)
    records = json.loads((joined.folder / "shards.json").read_text())
    assert [record["shard"] for record in records] == [f"{number}/{count}" for number in range(1, count + 1)]
    assert sum(record["texts"] for record in records) == 12
    assert sum(record["seconds"] for record in records) == pytest.approx(joined.summary.seconds)
    assert all(record["environment"]["threads"] for record in records)
    # The merged run is complete: neither a merge nor the plain command makes anything again.
    assert "already measured" in command_line("merge", "--runs", parts).err
    assert "already measured" in command_line("baseline", *options, "--runs", parts).err
    assert "already made: shard 1/" in command_line("baseline", *options, "--runs", parts, "--shard", f"1/{count}").err


def test_shards_whose_texts_come_from_the_cache_in_part_are_the_run_of_one_process(
    options: tuple[str, ...], command_line: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command_line("baseline", *options, "--runs", str(tmp_path / "whole")).code == 0
    monkeypatch.setenv("LIFTBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("LIFTBENCH_GENERATION_CACHE", "16")
    parts = str(tmp_path / "parts")
    # The cache then has every second batch but one.
    command_line("baseline", *options, "--runs", str(tmp_path / "first"), "--shard", "2/2")
    next((tmp_path / "cache").rglob("*.entry")).unlink()
    for name, *shard in ((parts, "--shard", "1/2"), (parts, "--shard", "2/2")):
        assert command_line("baseline", *options, "--runs", name, *shard).code == 0
    assert command_line("merge", "--runs", parts).code == 0
    [merged] = [run for run in map(liftbench.load_run, Path(parts).glob("2*")) if run.manifest.status == "complete"]
    assert content(merged) == content(only(tmp_path / "whole"))
    assert "came from the cache" in " ".join(merged.manifest.notes)
    assert merged.summary.seconds is None
    # One process whose cache lacks batches in the middle leaves the same bytes.
    for entry in sorted((tmp_path / "cache").rglob("*.entry"))[::2]:
        entry.unlink()
    assert command_line("baseline", *options, "--runs", str(tmp_path / "again")).code == 0
    assert content(only(tmp_path / "again")) == content(only(tmp_path / "whole"))


@pytest.mark.parametrize("named", [False, True])
def test_what_a_stopped_process_left_of_a_shard_does_not_hinder_a_merge(
    named: bool, halves: tuple[Path, dict[str, Run]], command_line: Bench
) -> None:
    runs, shards = halves
    whole = shards["2/2"]
    left = runs / f"{whole.id}-2"
    shutil.copytree(whole.folder, left)
    manifest = json.loads((left / "manifest.json").read_text())
    later = {"id": left.name, "status": "running", "created": "2099-01-01T00:00:00.000000Z", "sums": {}}
    (left / "manifest.json").write_text(json.dumps(manifest | later))
    (left / "predictions.jsonl").unlink()
    names = [left.name, *(run.id for run in shards.values())] if named else []
    merged = command_line("merge", *names, "--runs", str(runs), "--json")
    assert merged.code == 0, merged.err
    told = command_line("merge", left.name, shards["1/2"].id, "--runs", str(runs))
    assert (told.code, "is not finished" in told.err) == (2, True)


def test_shards_of_several_machines_are_joined_by_name(
    options: tuple[str, ...], command_line: Bench, tmp_path: Path
) -> None:
    for number in (1, 2):
        command_line("baseline", *options, "--runs", str(tmp_path / f"m{number}"), "--shard", f"{number}/2")
    shards = [only(tmp_path / f"m{number}") for number in (1, 2)]
    runs = tmp_path / "runs"
    for shard in shards:
        shutil.copytree(shard.folder, runs / shard.folder.name)
    assert command_line("merge", *(shard.id for shard in shards), "--runs", str(runs)).code == 0
    listed = command_line("runs", "--runs", str(runs), "--status", "shard")
    assert all(shard.id in listed.out for shard in shards)


@pytest.fixture
def halves(options: tuple[str, ...], command_line: Bench, tmp_path: Path) -> tuple[Path, dict[str, Run]]:
    runs = tmp_path / "runs"
    for number in (1, 2):
        assert command_line("baseline", *options, "--runs", str(runs), "--shard", f"{number}/2").code == 0
    return runs, {run.manifest.shard: run for run in map(liftbench.load_run, runs.glob("2*"))}


def test_what_is_no_whole_run_is_not_merged(
    halves: tuple[Path, dict[str, Run]], options: tuple[str, ...], command_line: Bench
) -> None:
    runs, shards = halves
    place = ("--runs", str(runs))
    first, second = shards["1/2"].id, shards["2/2"].id

    def refused(*names: str) -> str:
        told = command_line("merge", *names, *place)
        assert told.code == 2
        return told.err

    assert "1 shard of 2 are missing: 2/2" in refused(first)
    assert "shard 1/2 is given twice" in refused(first, first)
    command_line("baseline", *options, *place, "--shard", "1/3")
    third = next(run.id for run in map(liftbench.load_run, runs.glob("2*")) if run.manifest.shard == "1/3")
    assert "these are shards of 2 and 3" in refused(first, third)
    command_line("baseline", *options, *place, "--shard", "2/2", "--set", "generation.max_new_tokens=5")
    other = next(
        run.id for run in map(liftbench.load_run, runs.glob("2*")) if run.manifest.protocol.max_new_tokens == 5
    )
    assert "is a shard of another run" in refused(first, other)
    for name in ("compare", "gate", "promote"):
        told = command_line(name, first, *(("x",) if name == "promote" else ()), *place)
        assert told.code != 0
        assert "Traceback" not in told.err
    assert "is shard 1/2 of a run, and has no scores" in command_line("compare", first, second, *place).err
    environment = shards["2/2"].folder / "environment.json"
    before = environment.read_text()
    value = json.loads(before)
    environment.write_text(json.dumps(value | {"packages": value["packages"] | {"torch": "0.0"}}))
    assert "was made with another version of torch" in refused(first, second)
    environment.write_text(before)
    path = shards["2/2"].folder / "predictions.jsonl"
    path.write_text(path.read_text().replace('"new_tokens":', '"new_tokens":1', 1))
    assert "is not the one that run" in refused(first, second)


def test_a_shard_that_is_not_finished_is_not_merged(halves: tuple[Path, dict[str, Run]], command_line: Bench) -> None:
    runs, shards = halves
    manifest = shards["2/2"].folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"status": "shard"', '"status": "running"'))
    told = command_line("merge", *(run.id for run in shards.values()), "--runs", str(runs))
    assert (told.code, "is not finished" in told.err) == (2, True)


@pytest.mark.parametrize("text", ["", "2", "0/2", "3/2", "1/0", "a/b", "1/2/3", "-1/2", "1 / 2"])
def test_what_names_no_shard_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="write it as i/n"):
        parse_shard(text)


def test_there_are_no_more_shards_than_batches(options: tuple[str, ...], command_line: Bench, tmp_path: Path) -> None:
    told = command_line("baseline", *options, "--runs", str(tmp_path / "runs"), "--shard", "1/7")
    assert (told.code, "there are 7 shards and only 6 batches" in told.err) == (2, True)
    told = command_line("merge", "--runs", str(tmp_path / "runs"))
    assert (told.code, "there is no shard to merge" in told.err) == (2, True)


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_ends_with_the_same_texts(
    options: tuple[str, ...], command_line: Bench, tmp_path: Path
) -> None:
    assert command_line("baseline", *options, "--runs", str(tmp_path / "whole")).code == 0
    runs = tmp_path / "runs"
    chance = random.Random(3)
    command = [sys.executable, "-m", "liftbench", "baseline", *options, "--runs", str(runs)]
    kills = 0
    for _ in range(40):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ)
        try:
            process.wait(timeout=chance.uniform(0.5, 8))
            break
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
            time.sleep(0.05)
    assert command_line("baseline", *options, "--runs", str(runs)).code == 0
    assert content(only(runs)) == content(only(tmp_path / "whole"))
    rows = (only(runs).folder / "predictions.jsonl").read_text().splitlines()
    assert len(rows) == 12
    assert kills
