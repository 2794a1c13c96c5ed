"""The whole path, once, for real: the default model, helpdesk, NF4, an adapter, a verdict and a page.

One set of runs is made by the commands themselves and shared by every test here; tests that generate or train beyond
that are marked slow. The data set is the one that ships with the package, so that nobody's checkout skips this. The
figures are of few conversations and few steps: what they are is not tested, that they are right is.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from liftbench.data.cleaning import clean
from liftbench.data.helpdesk import Helpdesk
from liftbench.data.similarity.fingerprints import conversation_sha256
from liftbench.metrics.rouge import Rouge
from liftbench.records.conversation import Conversation
from liftbench.records.run import Prediction
from liftbench.runs.directory import Run, runs_in

pytestmark = pytest.mark.hub

LIMIT = 8
"""Conversations that are scored."""
USED = 17
"""Conversations that are trained on: four steps, validated after the second and the last."""
COMMON = ["helpdesk", "--limit", str(LIMIT), "--set", "generation.batch_size=4"]
TRAIN = ["--set", f"train.limit={USED}", "--set", "train.options.epochs=1", "--set", "train.options.batch_size=4"]


def bench(runs: Path, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "liftbench", *arguments, "--runs", str(runs)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=600, **options)


def ok(done: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
    assert done.returncode == 0, done.stderr
    return done


class Made:
    """The runs that the commands made."""

    def __init__(self, runs: Path) -> None:
        self.runs = runs
        baseline = json.loads(ok(bench(runs, "baseline", *COMMON, "--json")).stdout)
        trained = json.loads(ok(bench(runs, "train", "--plugin", "qlora", *COMMON, *TRAIN, "--json")).stdout)
        self.baseline = Run(Path(baseline["folder"]))
        self.trained = Run(Path(trained["folder"]))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("real") / "runs")


@pytest.fixture(scope="module")
def by_id() -> dict[str, Conversation]:
    """Helpdesk's training split."""
    return {conversation.id: conversation for conversation in Helpdesk(None).read("train")}


def texts(run: Run) -> dict[str, Prediction]:
    return {id_: replace(prediction, seconds=None, sha256="") for id_, prediction in run.predictions.items()}


def test_both_runs_are_complete_and_were_measured_alike(made: Made) -> None:
    for run in (made.baseline, made.trained):
        assert run.manifest.status == "complete"
        assert len(run.predictions) == len(run.scores) == LIMIT
        assert all(prediction.text for prediction in run.predictions.values())
    assert made.baseline.manifest.protocol == made.trained.manifest.protocol
    assert made.baseline.manifest.system.precision == "bfloat16"
    assert made.trained.manifest.system.precision == "nf4"
    sha256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
    for run in (made.baseline, made.trained):
        assert run.manifest.system.model is not None
        assert run.manifest.system.model.sha256 == sha256


def test_the_scores_are_those_of_the_texts(made: Made) -> None:
    metric = Rouge("rougeL")
    for run in (made.baseline, made.trained):
        order = [c.id for c in run.conversations]
        expected = metric.score([run.predictions[i].text for i in order], run.conversations)
        assert [run.scores[i]["rougeL"] for i in order] == expected


def test_the_adapter_is_whole_and_its_provenance_lists_what_it_was_trained_on(
    made: Made, by_id: dict[str, Conversation]
) -> None:
    adapter = made.trained.adapter
    assert adapter is not None
    assert (adapter / "adapter_model.safetensors").stat().st_size > 1_000_000
    provenance = json.loads((adapter / "provenance.json").read_text())
    assert provenance["precision"] == "nf4"
    assert provenance["trainer"] == "qlora"
    assert len(provenance["rows"]) == USED
    assert all(conversation_sha256(clean(by_id[id_])) == sha for id_, sha in provenance["rows"].items())
    assert not set(provenance["rows"]) & {one.id for one in Helpdesk(None).read("test")}
    rows = [json.loads(line) for line in (made.trained.folder / "training" / "rows.jsonl").read_text().splitlines()]
    assert {row["part"] for row in rows} == {"train", "validation"}


def test_training_learned_something_and_left_its_curve(made: Made, by_id: dict[str, Conversation]) -> None:
    summary = made.trained.training
    assert summary is not None
    losses = [point.validation_loss for point in made.trained.curve if point.validation_loss is not None]
    assert summary.best_validation_loss == pytest.approx(min(losses))
    assert losses[-1] < losses[0] or len(losses) == 1
    rows = [json.loads(line) for line in (made.trained.folder / "training" / "rows.jsonl").read_text().splitlines()]
    references = sum(len(by_id[row["id"]].references) for row in rows if row["part"] == "train")
    assert (summary.rows_trained or 0) + sum(summary.rows_reported.values()) == references
    assert (summary.peak_memory_bytes or 0) < 6 * 2**30


@pytest.mark.slow
def test_scoring_the_adapter_again_gives_the_same_texts(made: Made) -> None:
    again = json.loads(ok(bench(made.runs, "score", made.trained.id, *COMMON, "--json")).stdout)
    run = Run(Path(again["folder"]))
    assert texts(run) == texts(made.trained)
    assert run.manifest.parent == made.trained.id
    assert run.manifest.system.adapter == made.trained.manifest.system.adapter


def test_the_verdict_and_its_page(made: Made, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    done = bench(
        made.runs, "compare", made.baseline.id, made.trained.id, "--html", str(page), "--json", "--target", "0.01"
    )
    comparison = json.loads(done.stdout)
    [candidate] = comparison["candidates"]
    verdict, lift = candidate["verdict"], candidate["lifts"][0]
    assert done.returncode == (0 if verdict["outcome"] == "verified" else 1), done.stderr
    assert lift["metric"] == "rougeL"
    assert lift["n"] == LIMIT
    before, after = (
        sum(score["rougeL"] or 0 for score in run.scores.values()) / LIMIT for run in (made.baseline, made.trained)
    )
    assert lift["lift"] == pytest.approx(after / before - 1)
    # Of the difference, not of the ratio: that has no interval where the mean of so few conversations is too uncertain.
    assert lift["difference"] == pytest.approx(after - before)
    assert lift["difference_low"] < lift["difference"] < lift["difference_high"]
    html = page.read_text()
    assert "smollm2-135m+qlora" in html
    assert all(conversation.id in html for conversation in made.trained.conversations)


def test_without_arguments_the_newest_pair_is_compared(made: Made, tmp_path: Path) -> None:
    done = bench(made.runs, "compare", "--html", str(tmp_path / "x.html"))
    assert done.returncode in (0, 1), done.stderr
    assert made.baseline.id in done.stderr


def test_an_adapter_is_refused_on_another_precision_unless_told(made: Made) -> None:
    adapter = str(made.trained.adapter)
    done = bench(made.runs, "score", adapter, *COMMON, "--precision", "bfloat16")
    assert done.returncode == 2
    assert "--allow-mismatch" in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 3


@pytest.mark.slow
def test_one_conversation_is_summarized_from_standard_input(made: Made) -> None:
    talk = "Customer: My parcel has not arrived for two weeks.\nAgent: Sorry! Please send us the order number by DM.\n"
    plain = ok(bench(made.runs, "summarize", input=talk)).stdout
    tuned = ok(bench(made.runs, "summarize", "--adapter", made.trained.id, input=talk)).stdout
    assert plain.strip()
    assert tuned.strip()
    assert plain != tuned


# ----------------------------------------------------------------------------------------------------------- kill -9


def killed(command: list[str], when: Callable[[], bool]) -> None:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 300
    try:
        while not when() and time.monotonic() < deadline:
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
    finally:
        process.kill()
        process.wait()


def lines(runs: Path, name: str) -> int:
    return sum(path.read_bytes().count(b"\n") for path in runs.glob(f"2*/{name}"))


@pytest.mark.slow
def test_kill_9_while_scoring_then_resume_gives_the_same_predictions(tmp_path: Path) -> None:
    # More than the default model generates at once (64 rows), and short: a kill finds the first batch done only.
    limit = 80
    arguments = ["baseline", "helpdesk", "--limit", str(limit), "--set", "generation.max_new_tokens=8", "--no-cache"]
    runs = tmp_path / "runs"
    killed(
        [sys.executable, "-m", "liftbench", *arguments, "--runs", str(runs)],
        lambda: 0 < lines(runs, "predictions.jsonl") < limit,
    )
    [half] = runs_in(runs)
    assert half.manifest.status == "running"
    assert "continuing" in ok(bench(runs, *arguments)).stderr
    assert lines(runs, "predictions.jsonl") == limit
    whole = json.loads(ok(bench(tmp_path / "whole", *arguments, "--json")).stdout)
    assert texts(Run(half.folder)) == texts(Run(Path(whole["folder"])))


@pytest.mark.slow
def test_kill_9_while_training_then_resume_gives_the_same_adapter(made: Made, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    arguments = ["train", "--plugin", "qlora", *COMMON, *TRAIN, "--no-score"]
    killed(
        [sys.executable, "-m", "liftbench", *arguments, "--runs", str(runs)],
        lambda: any(runs.glob("2*/training/checkpoints/*")),
    )
    [half] = runs_in(runs)
    assert half.manifest.status == "running"
    ok(bench(runs, *arguments))
    whole, resumed = made.trained.adapter, Run(half.folder).adapter
    assert whole is not None
    assert resumed is not None
    name = "adapter_model.safetensors"
    assert (resumed / name).read_bytes() == (whole / name).read_bytes()
    assert Run(half.folder).manifest.status == "trained"
