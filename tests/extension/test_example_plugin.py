"""The example of a third party's plugin (`tests/example_plugin`): each part by itself, then installed by pip."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from liftbench.data.helpdesk import Helpdesk
from liftbench.data.intake.desks import message_rows
from liftbench.data.intake.tables import Row
from liftbench.data.intake.tally import Tally
from liftbench.extension.loader import Plugins
from liftbench.floors.control import ControlRequest
from liftbench.measuring.launcher import WorkerCommand, WorkerEnd
from liftbench.metrics.base import MetricRequest
from liftbench.plugin_api import Conversation, CurvePoint, ModelRecord, TrainRequest, Turn, no_progress, prompt_spec
from liftbench.runs.directory import Run

EXAMPLE = Path(__file__).resolve().parents[1] / "example_plugin"


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> Iterator[Plugins]:
    """The example's plugin, registered as its entry point would."""
    monkeypatch.syspath_prepend(str(EXAMPLE))
    loaded = Plugins()
    loaded.add(importlib.import_module("my_package.register"), "mine")
    assert loaded.problems == []
    yield loaded
    for name in [name for name in sys.modules if name.split(".")[0] == "my_package"]:
        del sys.modules[name]


def make(plugins: Plugins, kind: Any, name: str) -> Any:
    return plugins.load(plugins.find(kind, name))


def test_the_example_of_a_metric_scores(plugins: Plugins) -> None:
    metric = make(plugins, "metric", "length-match")(MetricRequest())
    turns = (Turn(role="customer", text="Where is my parcel?"),)
    conversation = Conversation(id="1", turns=turns, references=("one two three four", "one"))
    assert metric.score(["one two", ""], [conversation, conversation]) == [0.5, 0.0]


def test_the_example_of_a_control_writes(plugins: Plugins) -> None:
    conversations = Helpdesk(None).read("validation")
    control = make(plugins, "control", "last-turn")(ControlRequest(training=(), seed=0))
    assert control.write(conversations) == [one.turns[-1].text for one in conversations]


def test_the_example_of_a_launcher_runs_what_it_is_told_again(plugins: Plugins, tmp_path: Path) -> None:
    def command(code: int) -> WorkerCommand:
        program = [sys.executable, "-c", f"print({code}); raise SystemExit({code})"]
        return WorkerCommand(name="x", argv=program, environment={}, folder=str(tmp_path), log=str(tmp_path / "log"))

    ended: list[WorkerEnd] = []

    def report(end: WorkerEnd) -> WorkerCommand | None:
        ended.append(end)
        return command(0) if end.code == 7 else None

    make(plugins, "launcher", "in-turn")(None).run([command(7), command(3)], report)
    assert [(end.command, end.code) for end in ended] == [(0, 7), (0, 0), (1, 3)]
    assert (tmp_path / "log").read_text().split() == ["7", "0", "3"]


def test_the_example_of_a_data_set_reads(plugins: Plugins, tmp_path: Path) -> None:
    (tmp_path / "test.tsv").write_text("7\tIt is late.\tSorry!\tThe parcel is late.\n", encoding="utf-8")
    dataset = make(plugins, "dataset", "calls")(str(tmp_path), None)
    assert dataset.splits() == ["test"]
    (conversation,) = dataset.read("test")
    assert [turn.text for turn in conversation.turns] == ["It is late.", "Sorry!"]
    assert conversation.references == ("The parcel is late.",)


def test_the_example_of_a_desk_reads(plugins: Plugins) -> None:
    desk = make(plugins, "desk", "acme")
    entries = [
        {"writtenBy": {"kind": "contact"}, "plain": "Hi", "writtenAt": 1, "kind": "question"},
        {"writtenBy": {"kind": "operator"}, "plain": "He again", "writtenAt": 2, "kind": "reply", "audience": "team"},
        {"writtenBy": {"kind": "operator"}, "html": "Hello", "writtenAt": 3, "kind": "reply"},
        {"writtenBy": {"kind": "operator"}, "plain": "closed", "writtenAt": 4, "kind": "status"},
    ]
    row = Row(number=1, values={"caseNumber": 7, "entries": entries})
    said = list(message_rows([row], desk.recognize([row]), Tally()))
    assert [one.fault for one in said] == [None, None, None, "not a message (kind: status)"]
    found = [(one.values["speaker"], one.values["text"], one.values["internal"]) for one in said[:3]]
    assert found == [("customer", "Hi", False), ("agent", "He again", True), ("agent", "Hello", False)]


def test_the_example_of_a_trainer_learns(plugins: Plugins, tiny_chat_model: Path, tmp_path: Path) -> None:
    spec = plugins.find("trainer", "plain-lora")
    conversations = tuple(Helpdesk(None).read("train")[:2])
    points: list[CurvePoint] = []
    request = TrainRequest(
        model=tiny_chat_model,
        model_record=ModelRecord(reference="tiny", sha256="0" * 64, source="test"),
        train=conversations * 6,
        validation=conversations,
        prompt=prompt_spec("{conversation}\n\nSummarize.", "", "chat"),
        max_input_tokens=400,
        max_new_tokens=40,
        options=plugins.options(spec, {"learning_rate": 0.02}),
        seed=0,
        folder=tmp_path,
        record=points.append,
        progress=no_progress,
    )
    result = make(plugins, "trainer", "plain-lora")().train(request)
    assert {"adapter_config.json", "adapter_model.safetensors"} <= {path.name for path in result.adapter.iterdir()}
    first, last = points[0].loss, points[-2].loss  # of the same conversation
    assert first is not None
    assert last is not None
    assert last < first


def test_the_example_of_a_report_section_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(EXAMPLE))
    loaded = Plugins()
    loaded.add(importlib.import_module("my_package.costs"), "costs")

    class Comparison:
        candidates = ("one", "two")

    assert loaded.sections(Comparison()) == [("Costs", "2 adapters, 3.20 EUR of GPU time")]
    del sys.modules["my_package.costs"], sys.modules["my_package"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that pip installed the example into, as it is: nothing from the network, nothing into this Python."""
    source, target = tmp_path_factory.mktemp("source") / "example", tmp_path_factory.mktemp("installed")
    shutil.copytree(EXAMPLE, source)
    quiet = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check"]
    subprocess.run([sys.executable, "-m", "pip", "install", *quiet, "--target", str(target), str(source)], check=True)
    return target


def test_the_installed_example_trains_and_is_scored_by_the_commands(
    installed: Path, tiny_chat_model: Path, tmp_path: Path
) -> None:
    for split, number in (("train", 20), ("validation", 4)):
        calls = [
            f"{split}{n}\tOrder {n}{split[0]} is late.\tIt comes on day {n}.\tOrder {n}{split[0]} comes on day {n}.\n"
            for n in range(number)
        ]
        (tmp_path / f"{split}.tsv").write_text("".join(calls), encoding="utf-8")
    found = os.pathsep.join(filter(None, (str(installed), os.environ.get("PYTHONPATH"))))
    command = [sys.executable, "-m", "liftbench", "train", "--plugin", "plain-lora", "--model", str(tiny_chat_model)]
    command += ["--dataset", "calls", "--data-dir", str(tmp_path), "--metric", "length-match", "--json"]
    command += [
        "--runs",
        str(tmp_path / "runs"),
        "--set",
        "train.options.rank=4",
        "--set",
        "generation.max_new_tokens=8",
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": found}, timeout=300
    )
    assert done.returncode == 0, done.stderr
    run = Run(Path(json.loads(done.stdout)["folder"])).require_complete()
    assert run.training is not None
    assert (run.training.trainer, run.training.steps) == ("plain-lora", 18)
    assert "length-match" in {metric.name for metric in run.summary.metrics}
    assert run.manifest.protocol.dataset == "calls"
