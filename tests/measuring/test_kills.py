"""kill -9 at any moment: the next process continues the run, makes no text a second time, and ends with the same."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

import liftbench
from liftbench.files import write_lines
from liftbench.records.conversation import Conversation, Turn
from liftbench.runs.directory import Run

CONVERSATIONS = 120


@pytest.fixture
def data(tmp_path: Path) -> Path:
    chance = random.Random(0)
    rows = [
        Conversation(
            id=f"c{number:03}",
            turns=(Turn(role="customer", text=f"Number {number:03} {'is wrong ' * chance.randrange(1, 30)}"),),
            references=(f"Number {number} is wrong.",),
        )
        for number in range(CONVERSATIONS)
    ]
    write_lines(tmp_path / "data" / "validation.jsonl", rows)
    return tmp_path / "data"


def start(data: Path, runs: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.support.killable", str(data), str(runs), str(runs.with_suffix(".log"))]
    return subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def batches(runs: Path) -> list[list[str]]:
    """What was generated so far."""
    path = runs.with_suffix(".log")
    return [json.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []


def kept(runs: Path) -> list[bytes]:
    """The whole lines of the predictions so far."""
    files = list(runs.glob("2*/predictions.jsonl"))
    assert len(files) <= 1
    return [line for file in files for line in file.read_bytes().splitlines(True) if line.endswith(b"\n")]


def only(runs: Path) -> Run:
    [run] = map(liftbench.load_run, runs.glob("2*"))
    return run.require_complete()


def kill_when(process: subprocess.Popen[bytes], runs: Path, more: int, wait: float) -> bool:
    """Kill a process some time after it has made this many more texts; whether it was still at work then."""
    wanted = min(len(kept(runs)) + more, CONVERSATIONS)
    while process.poll() is None and len(kept(runs)) < wanted:
        time.sleep(0.001)
    time.sleep(wait)
    process.kill()
    return process.wait() == -9


def kill_often(data: Path, runs: Path, times: int, chance: random.Random) -> None:
    """Kill a measurement this many times: while it starts, generates, writes, between batches and while it scores."""
    for number in range(times):
        process = start(data, runs)
        before = kept(runs)
        generated = len(batches(runs))
        # The last kill comes when all texts are there.
        more = CONVERSATIONS if number == times - 1 else chance.randrange(2 * CONVERSATIONS // times)
        assert kill_when(process, runs, more, wait=chance.choice([0.0, chance.uniform(0, 0.05)]))
        after = kept(runs)
        # They may have been put in the order of the split.
        assert set(before) <= set(after), "what was there has stayed"
        assert len(after) == len(set(after))
        done = {json.loads(line)["text"].partition(" in a batch")[0] for line in before}
        for batch in batches(runs)[generated:]:
            assert not done.issuperset(batch), "a batch was generated again whose texts were all there"


@pytest.mark.parametrize("times", [4, pytest.param(25, marks=pytest.mark.slow)])
def test_a_run_that_is_killed_at_random_moments_ends_with_the_same_predictions(
    times: int, data: Path, tmp_path: Path
) -> None:
    whole, runs = tmp_path / "whole", tmp_path / "runs"
    assert start(data, whole).wait() == 0
    kill_often(data, runs, times, random.Random(times))
    assert start(data, runs).wait() == 0
    for name in ("predictions.jsonl", "scores.jsonl"):
        assert (only(runs).folder / name).read_bytes() == (only(whole).folder / name).read_bytes(), name
    assert len(kept(runs)) == CONVERSATIONS
    # Only a batch that was under way at a kill is generated once more.
    assert len(batches(whole)) <= len(batches(runs)) <= len(batches(whole)) + times
