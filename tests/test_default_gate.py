"""The suite gates itself: a shipped recipe, trained and scored for real, against the committed baselines.

Trained is helpdesk's recipe, whose data ship with the package, in a few minutes on two CPU cores: one is enough to
notice that trainings got worse, and the default recipe takes more than half an hour. The untuned model is measured on
every data set that is there.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from liftbench.gating.baselines import promoted_in, read_promoted

from .conftest import TWEETSUMM

BASELINES = Path(__file__).resolve().parents[1] / "baselines"

NEEDS_TWEETSUMM = pytest.mark.skipif(
    not TWEETSUMM.is_dir(), reason="the TweetSumm files are not beside this checkout (../shared/data/tweetsumm)"
)
RECIPES: dict[str, tuple[str | Path, ...]] = {"smollm2-135m": ("--data-dir", TWEETSUMM), "helpdesk": ()}
"""Recipe → further options that its data set needs."""


def bench(*arguments: str | Path) -> None:
    """Run a command that has to succeed."""
    command = [sys.executable, "-m", "liftbench", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.hub
@pytest.mark.parametrize(
    ("recipe", "baseline"),
    [
        pytest.param("smollm2-135m", "tweetsumm-smollm2-135m", marks=NEEDS_TWEETSUMM),
        ("helpdesk", "helpdesk-smollm2-135m"),
    ],
)
def test_the_untuned_model_scores_what_it_did(recipe: str, baseline: str, tmp_path: Path) -> None:
    """Some 90 seconds each."""
    bench("baseline", recipe, *RECIPES[recipe], "--runs", tmp_path)
    (run,) = tmp_path.glob("*/manifest.json")
    rules = [f"--rule=drop({metric}, over=baseline) <= 2% significant" for metric in ("rougeL", "content-overlap")]
    bench("gate", "--run", run.parent, "--baseline", baseline, *rules, "--runs", tmp_path, "--baselines", BASELINES)


@pytest.mark.slow
@pytest.mark.hub
def test_a_shipped_recipe_holds_its_gates(tmp_path: Path) -> None:
    """What `bench train` makes now is no worse than what was proven."""
    bench("train", "helpdesk", "--plugin", "qlora", "--runs", tmp_path)
    bench("gate", "helpdesk", "--runs", tmp_path, "--baselines", BASELINES)


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
