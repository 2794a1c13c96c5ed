"""Asking a trainer what a training would take: the process of its own, its answer, its errors, its end."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from liftbench.errors import RunFailed, UsageError
from liftbench.plugin_api import Conversation, Trainer, TrainingEstimate, TrainRequest, TrainResult
from liftbench.progress import no_progress
from liftbench.training import estimate

from ..support.trainings import train_request

ESTIMATE = TrainingEstimate(
    steps=3,
    target_tokens=40,
    tokens=200,
    evaluations=1,
    seconds=90.0,
    peak_memory_bytes=2 * 10**9,
    weights_bytes=10**9,
    available_bytes=8 * 10**9,
    device="cpu",
    micro_batch=1,
    peaks={1: 2 * 10**9},
    proposed_micro_batch=1,
    passes=4,
    calibration_seconds=20.0,
)


class Silent(Trainer):
    """Has no estimate."""

    precision = "float32"

    def train(self, request: TrainRequest) -> TrainResult:
        raise AssertionError(f"nobody asked for a training in {request.folder}")


class Answering(Silent):
    """Does what its option says, in the process that it is asked in."""

    def estimate(self, request: TrainRequest) -> TrainingEstimate | None:
        (request.folder / "left").touch()
        match request.options:
            case "refuse":
                raise UsageError("the layers are missing", "Name others.")
            case "exit":
                os._exit(3)
            case "die":
                os.kill(os.getpid(), signal.SIGKILL)
            case parent:
                assert os.getpid() != parent
        print("a library's chatter")
        request.progress(1, 2, "half")
        return ESTIMATE


@pytest.fixture
def request_with(conversations: list[Conversation], tmp_path: Path) -> Any:
    return lambda options: train_request(tmp_path, conversations, tmp_path, options, record=estimate._drop)


def test_an_answer_comes_from_another_process_with_its_progress(
    request_with: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    told: list[tuple[int, int, str]] = []
    answer = estimate.ask(Answering(), request_with(os.getpid()), lambda *step: told.append(step))
    assert answer == ESTIMATE
    assert told == [(1, 2, "half")]
    printed = capfd.readouterr()
    assert "chatter" not in printed.out, "standard output is the command's"
    assert "chatter" in printed.err


def test_a_trainer_that_cannot_say_says_nothing(request_with: Any) -> None:
    assert estimate.ask(Silent(), request_with(None), no_progress) is None


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ("refuse", UsageError, "the layers are missing\nName others"),
        ("exit", RunFailed, "failed with status 3"),
        ("die", RunFailed, "main memory was full\nLower .*micro_batch"),
    ],
)
def test_a_trainer_that_fails_is_told(request_with: Any, options: str, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        estimate.ask(Answering(), request_with(options), no_progress)
