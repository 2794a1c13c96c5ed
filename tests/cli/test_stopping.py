"""Commands that are stopped in the middle: what they say, and that the same command ends as if it had not been."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from liftbench.files import write_lines
from liftbench.runs.directory import Run, runs_in

from ..support.build import write_conversations

STOPPED = """
import os, signal, sys
# Where the tests run in the background, a shell may have told its processes to ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)
from liftbench.cli.main import main

signal_ = int(sys.argv.pop(1))
def stopped_at(which, real):
    calls = []
    def wrapped(*arguments, **options):
        calls.append(1)
        if len(calls) == which:
            os.kill(os.getpid(), signal_)
        return real(*arguments, **options)
    return wrapped

if sys.argv[1] == "train":
    from transformers import Trainer
    Trainer.training_step = stopped_at(3, Trainer.training_step)
else:
    from liftbench_plugins.backends import transformers
    from liftbench_plugins.backends.transformers import TransformersBackend
    transformers.rows_of = lambda parameters: 2
    TransformersBackend.generate = stopped_at(3, TransformersBackend.generate)
main()
"""
"""A command that gets the signal of its first argument in its third batch, or in its third step of training."""

LINE = "stopped; the same command continues from here"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = write_conversations(24)
    write_lines(tmp_path / "support" / "validation.jsonl", rows[:10])
    write_lines(tmp_path / "support" / "train.jsonl", rows[10:])
    return tmp_path


def arguments(command: str, model: Path, runs: str) -> list[str]:
    settings = ["model.precision=float32", "generation.max_new_tokens=6", "generation.batch_size=2"]
    settings += ["metrics.names=['rougeL']", "metrics.headlines=['rougeL']"]
    if command == "train":
        settings += ["train.options.epochs=4", "train.options.batch_size=2"]
    given = [command, "--dataset", "support", "--split", "validation", "--model", str(model), "--runs", runs]
    return [*given, *(word for setting in settings for word in ("--set", setting))]


def stop(folder: Path, signal: str, command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", STOPPED, signal, *command], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("command", "signal", "code"), [("baseline", "2", 130), ("baseline", "9", -9), ("train", "2", 130)]
)
def test_a_stopped_command_continues_to_the_same_texts(
    command: str, signal: str, code: int, folder: Path, tiny_chat_model: Path, command_line: Callable[..., Any]
) -> None:
    done = stop(folder, signal, arguments(command, tiny_chat_model, "runs"))
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    if signal == "2":
        assert done.stderr.splitlines()[-1] == LINE
        assert "Traceback" not in done.stderr
    [half] = runs_in(folder / "runs")
    assert half.manifest.status == "running"
    again = command_line(*arguments(command, tiny_chat_model, "runs"))
    assert again.code == 0, again.err
    assert "continuing" in again.err
    assert command_line(*arguments(command, tiny_chat_model, "whole")).code == 0
    [whole] = runs_in(folder / "whole")
    resumed = Run(half.folder)
    assert resumed.manifest.status == "complete"
    assert {id_: row.text for id_, row in resumed.predictions.items()} == {
        id_: row.text for id_, row in whole.predictions.items()
    }
    assert resumed.scores == whole.scores
    if command == "train":
        name = "adapter_model.safetensors"
        assert resumed.adapter is not None
        assert whole.adapter is not None
        assert (resumed.adapter / name).read_bytes() == (whole.adapter / name).read_bytes()


def test_a_run_that_another_process_makes_is_refused_in_two_lines(
    folder: Path, tiny_chat_model: Path, command_line: Callable[..., Any]
) -> None:
    command = arguments("baseline", tiny_chat_model, "runs")
    assert command_line(*command).code == 0
    [run] = runs_in(folder / "runs")
    with FileLock(folder / "runs" / f".{run.manifest.key[:16]}.lock"):
        done = command_line(*command)
    assert (done.code, done.out) == (4, "")
    assert done.err.splitlines() == [
        "error: another process is working on this run",
        "Wait until it is done, or choose another --runs.",
    ]
    assert command_line(*command).code == 0
