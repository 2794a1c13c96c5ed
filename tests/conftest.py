"""Fixtures that several test modules share."""

from __future__ import annotations

import gc
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, settings
from msgspec.structs import replace

from liftbench.cli.main import main
from liftbench.data.cleaning import clean
from liftbench.data.jsonl import read_jsonl
from liftbench.files import write_lines
from liftbench.records.conversation import Conversation, Turn

from .support.browser import Browser, start_browser
from .support.scripted import Bench, World
from .support.tiny import build_tiny_llama

# Properties are about results: how long an example takes depends on what else the machine does.
settings.register_profile("liftbench", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("liftbench")

TWEETSUMM = Path(__file__).resolve().parents[2] / "shared" / "data" / "tweetsumm"

LONGEST = ("test_end_to_end.py", "test_launched_trainings.py", "test_trainer_resume.py", "test_sweep.py")
"""The files whose tests take longest, those marked slow left aside; the longest first."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the longest files: as the last, one would keep one worker of xdist busy while the others wait."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(LONGEST)))


def pytest_configure() -> None:
    """Fixtures of a session run before those of a test, and must not read the user's cache either."""
    os.environ["LIFTBENCH_GENERATION_CACHE"] = "off"


def pytest_collection_finish() -> None:
    """Leave out of garbage collections what was imported to read the tests: three quarters of a million objects.

    A collection takes a second with them, and each model that is closed and each trial of a sweep asks for one.
    """
    gc.collect()
    gc.freeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a GPU where there is none."""
    if item.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("there is no GPU here")


@pytest.fixture(autouse=True)
def own_training_pace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep what tests train out of the user's notes on this machine's pace."""
    monkeypatch.setattr("liftbench.training.pace.notes_path", lambda: tmp_path / "cache" / "training-pace.json")


@pytest.fixture(autouse=True)
def no_generation_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep tests, and what they start, from reading or writing the user's cache of generations."""
    monkeypatch.setenv("LIFTBENCH_GENERATION_CACHE", "off")


@pytest.fixture(scope="session")
def tweetsumm() -> Path:
    """The folder of real TweetSumm conversations, where it is present."""
    if not TWEETSUMM.is_dir():
        pytest.skip("the TweetSumm files are not beside this checkout (../shared/data/tweetsumm)")
    return TWEETSUMM


@pytest.fixture(scope="session")
def tiny_chat_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a random LLaMA with a chat template."""
    return build_tiny_llama(tmp_path_factory.mktemp("tiny-chat"))


@pytest.fixture(scope="session")
def tiny_base_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a random LLaMA without a chat template."""
    return build_tiny_llama(tmp_path_factory.mktemp("tiny-base"), chat=False)


@pytest.fixture(scope="session")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Measures what is written for helpdesk's test split, under the default recipe's metrics, with the controls."""
    return Bench(tmp_path_factory.mktemp("scripted"))


@pytest.fixture(scope="session")
def scripted_tweetsumm(tweetsumm: Path, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """The same for TweetSumm's validation split; the first human summary of each conversation is left out.

    So it can be the candidate's, and two others are left by which people are measured. The baseline is a weak one: over
    it people reach the target.
    """
    test = [
        replace(one, references=one.references[1:])
        for one in map(clean, read_jsonl(tweetsumm / "validation.jsonl"))
        if len(one.references) > 2
    ]
    return Bench(
        tmp_path_factory.mktemp("tweetsumm"), test, list(map(clean, read_jsonl(tweetsumm / "train.jsonl"))), words=12
    )


@pytest.fixture(scope="session")
def world(scripted: Bench) -> World:
    """A baseline and an adapter as good as people, both promoted."""
    return World(scripted)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, one for all tests of a process; it is started by the first that needs it."""
    with start_browser() as started:
        yield started


class Outcome(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def command_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., Outcome]:
    """Runs `bench …` in this process, in an empty folder, 200 columns wide."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["bench", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return Outcome(int(ended.value.code or 0), captured.out, captured.err)

    return run


@pytest.fixture
def project_line(command_line: Callable[..., Outcome], world: World, tmp_path: Path) -> Callable[..., Outcome]:
    """`bench …` in a project with the promoted baselines and two runs: the untuned model's and a good adapter's."""
    shutil.copytree(world.folder, tmp_path / "baselines")
    for run in (world.baseline, world.good):
        shutil.copytree(run.folder, tmp_path / "reports" / "runs" / run.id)
    return command_line


@pytest.fixture
def conversations() -> list[Conversation]:
    """Twelve short conversations of unlike lengths, with one to three references."""
    things = [
        "order",
        "refund",
        "parcel",
        "login",
        "invoice",
        "flight",
        "router",
        "card",
        "seat",
        "charger",
        "app",
        "bill",
    ]
    return [
        Conversation(
            id=f"c{number:02}",
            turns=(
                Turn(role="customer", text=f"My {thing} is wrong, " + "please help me now " * (number + 1)),
                Turn(role="agent", text=f"Sorry about the {thing}. Send us a message with number {number}."),
                *((Turn(role="customer", text="Done, thanks."),) if number % 2 else ()),
            ),
            references=tuple(
                f"Customer complains about the {thing}. Agent asks for a message, take {take}."
                for take in range(number % 3 + 1)
            ),
            metadata={"company": "alpha" if number % 2 else "beta"},
        )
        for number, thing in enumerate(things)
    ]


@pytest.fixture
def tiny_command_line(
    command_line: Callable[..., Outcome],
    monkeypatch: pytest.MonkeyPatch,
    tiny_chat_model: Path,
    tmp_path: Path,
    conversations: list[Conversation],
) -> Callable[..., Outcome]:
    """The same with the tiny model, and four conversations to score and the others to train on, where it names none."""
    write_lines(tmp_path / "support" / "validation.jsonl", conversations[:4])
    write_lines(tmp_path / "support" / "train.jsonl", conversations[4:])
    monkeypatch.setenv("LIFTBENCH_MODEL", str(tiny_chat_model))
    monkeypatch.setenv("LIFTBENCH_DATASET", str(tmp_path / "support"))
    return command_line
