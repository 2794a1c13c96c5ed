"""The memory that a run reports is what its own process held."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from liftbench.runs import environment

CHILD = "from liftbench.runs.environment import peak_memory; print(peak_memory())"


@pytest.mark.skipif(not environment.STATUS.is_file(), reason="this system has no /proc/self/status")
def test_the_peak_does_not_include_what_the_parent_held() -> None:
    held = b"x" * 400_000_000
    done = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, check=True)
    assert 0 < int(done.stdout) < len(held)


def test_the_peak_is_at_least_what_is_held_now_and_was_held_before() -> None:
    before = psutil.Process().memory_info().rss
    held = b"x" * 50_000_000
    del held
    # The system counts pages in batches.
    assert environment.peak_memory() > 0.99 * before + 45_000_000


@pytest.mark.parametrize("status", [None, "Name:\tpython\n"])
def test_a_system_without_the_file_or_the_line_counts_otherwise(
    status: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "status"
    if status is not None:
        path.write_text(status)
    monkeypatch.setattr(environment, "STATUS", path)
    assert environment.peak_memory() > 10_000_000
