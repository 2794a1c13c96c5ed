"""The suite gates itself: the default recipe, trained and scored for real, against the committed baselines."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from liftbench.gating.baselines import promoted_in, read_promoted

BASELINES = Path(__file__).resolve().parents[1] / "baselines"


def bench(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "liftbench", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("default") / "runs"


def test_the_untuned_model_scores_what_it_did(tweetsumm: Path, runs: Path) -> None:
    measured = bench("baseline", "--data-dir", tweetsumm, "--runs", runs)
    assert measured.returncode == 0, measured.stderr
    (run,) = runs.glob("*/manifest.json")
    rules = [f"drop({metric}, over=baseline) <= 2% significant" for metric in ("rougeL", "content-overlap")]
    given = ["--run", run.parent, "--baseline", "tweetsumm-smollm2-135m", "--rule", rules[0], "--rule", rules[1]]
    gated = bench("gate", *given, "--runs", runs, "--baselines", BASELINES)
    assert gated.returncode == 0, gated.stdout + gated.stderr


def test_the_default_recipe_holds_its_gates(tweetsumm: Path, runs: Path) -> None:
    """A quarter of an hour on two CPU cores: what `bench train` makes now is no worse than what was proven."""
    trained = bench("train", "--plugin", "qlora", "--data-dir", tweetsumm, "--runs", runs)
    assert trained.returncode == 0, trained.stderr
    gated = bench("gate", "--runs", runs, "--baselines", BASELINES)
    assert gated.returncode == 0, gated.stdout + gated.stderr


def test_the_committed_baselines_are_whole() -> None:
    assert promoted_in(BASELINES) == [
        "helpdesk-smollm2-135m",
        "helpdesk-smollm2-135m-qlora",
        "tweetsumm-smollm2-135m",
        "tweetsumm-smollm2-135m-qlora",
    ]
    for name in promoted_in(BASELINES):
        promoted = read_promoted(name, BASELINES)
        assert promoted.name == name
        assert len(promoted.samples) == promoted.measured.manifest.protocol.n
        if not name.endswith("qlora"):
            assert promoted.floors
            assert promoted.best_prompted is not None
