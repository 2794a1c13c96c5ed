"""Several processes judge many candidates: the comparison is that of one process."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from liftbench.errors import RunFailed
from liftbench.judging import processes
from liftbench.judging.compare import compare
from liftbench.judging.processes import spread
from liftbench.metrics.rouge import Rouge

from ..support.build import tuned_texts, write_conversations, write_run


@pytest.fixture
def several(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever was loaded here, and however few texts there are, three processes work."""
    monkeypatch.setattr(processes, "LARGE", 0)
    monkeypatch.setattr(processes, "can_fork", lambda: True)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2}, raising=False)


@pytest.mark.usefixtures("several")
def test_results_are_in_the_order_of_the_items_whoever_made_them() -> None:
    found = spread(lambda item: (item * item, os.getpid()), range(7), 1)
    assert [square for square, _ in found] == [0, 1, 4, 9, 16, 25, 36]
    assert found[0][1] == os.getpid()
    assert os.getpid() not in {process for _, process in found[1:]}


@pytest.mark.usefixtures("several")
def test_a_process_that_is_killed_is_an_error_in_two_lines() -> None:
    here = os.getpid()
    with pytest.raises(RunFailed, match="a process of the comparison was killed"):
        spread(lambda item: os.kill(os.getpid(), 9) if item and os.getpid() != here else item, range(4), 1)
    assert spread(str, [1, 2, 3], 1) == ["1", "2", "3"], "the next work is not that of before"


@pytest.mark.usefixtures("several")
def test_an_error_in_another_process_is_raised_here() -> None:
    with pytest.raises(ZeroDivisionError):
        spread(lambda item: 1 // (item - 2), range(4), 1)


def test_a_comparison_by_several_processes_is_that_of_one(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    rows = write_conversations()
    baseline, *candidates = (
        write_run(
            tmp_path,
            command="train" if number else "baseline",
            created=f"2026-01-05T1{number}:00:00Z",
            texts=[text.replace("Agent", f"Agent {number}") for text in tuned_texts(rows)] if number else None,
            seed=number,
        )
        for number in range(5)
    )
    alone = compare(baseline, candidates, metrics=[Rouge("rougeL")])
    request.getfixturevalue("several")
    together = compare(baseline, candidates, metrics=[Rouge("rougeL")])
    assert msgspec.to_builtins(together) == msgspec.to_builtins(alone)
    assert any(one.kind == "length" for one in alone.candidates[3].alternatives)
