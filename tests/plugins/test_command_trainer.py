"""The trainer `command` runs a program, records its curve and takes its adapter, or says what went wrong."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from liftbench.errors import RunFailed
from liftbench.prompts.render import end_token, render
from liftbench.prompts.spec import prompt_spec
from liftbench.records.conversation import Conversation
from liftbench.records.training import CurvePoint
from liftbench.training.trainer import TrainResult
from liftbench_plugins.trainers.command import CommandOptions, CommandTrainer

from ..support.trainings import train_request

PROGRAM = Path(__file__).resolve().parents[1] / "support" / "external_trainer.py"


@pytest.fixture
def train(tiny_chat_model: Path, conversations: list[Conversation], tmp_path: Path) -> Callable[..., TrainResult]:
    def run(*argv: str, record: Callable[[CurvePoint], None] = lambda _: None, **options: Any) -> TrainResult:
        chosen = msgspec.convert({"argv": argv, **options}, CommandOptions)
        request = train_request(tiny_chat_model, conversations, tmp_path / "training", chosen, record)
        return CommandTrainer().train(msgspec.structs.replace(request, train=request.train[:5]))

    return run


def python(code: str) -> tuple[str, str, str]:
    return sys.executable, "-c", code


def test_a_program_in_an_interpreter_of_its_own_leaves_an_adapter_that_is_scored(
    train: Callable[..., TrainResult], tiny_chat_model: Path, conversations: list[Conversation], tmp_path: Path
) -> None:
    from transformers import AutoTokenizer

    from liftbench_plugins.backends.adapter import attach
    from liftbench_plugins.loading import load_model

    points: list[CurvePoint] = []
    result = train(sys.executable, str(PROGRAM), record=points.append, precision="float32")
    assert [point.step for point in points] == [1, 2, 3, 4, 5]
    assert (points[-1].loss or 9) < (points[0].loss or 0)
    assert (result.precision, result.summary.steps, result.summary.tokens) == ("float32", 5, None)
    assert result.summary.trainable_parameters > 0
    config = json.loads((result.adapter / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "tiny"
    attach(load_model(tiny_chat_model, "float32"), result.adapter)
    assert "training begins" in (tmp_path / "training" / "command" / "output.log").read_text()

    tokenizer = AutoTokenizer.from_pretrained(tiny_chat_model)
    prompt = prompt_spec("Sum up:\n{conversation}", "", "chat")
    rows = (tmp_path / "training" / "command" / "train.jsonl").read_text().splitlines()
    for line, conversation in zip(rows, conversations[:5], strict=True):
        row = json.loads(line)
        assert row["prompt_ids"] == render(prompt, conversation, tokenizer, 300).token_ids
        assert row["references"] == list(conversation.references)
    asked = json.loads((tmp_path / "training" / "command" / "request.json").read_text())
    assert asked["end_token"] == end_token(prompt, tokenizer)


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("/no/such/program",), "cannot run /no/such/program: No such file"),
        (python("import sys; print('out of memory'); sys.exit(3)"), r"ended with status 3:\n  out of memory\nMend it"),
        (python("raise SystemExit(1)"), "ended with status 1: it printed nothing"),
        (
            python("pass"),
            "without an adapter: neither its weights nor those of a whole model are in .*",
        ),
    ],
)
def test_a_program_that_fails_is_told_with_its_last_words(
    train: Callable[..., TrainResult], argv: tuple[str, ...], words: str
) -> None:
    with pytest.raises(RunFailed, match=words):
        train(*argv)


def test_a_whole_model_is_taken_as_well_as_an_adapter(train: Callable[..., TrainResult], tiny_chat_model: Path) -> None:
    from liftbench.models.adapters import is_whole_model
    from liftbench_plugins.loading import load_model, load_tokenizer

    result = train(sys.executable, str(PROGRAM), "--whole", "{request}", precision="float32")
    assert is_whole_model(result.adapter)
    base, found = (load_model(folder, "float32") for folder in (tiny_chat_model, result.adapter))
    assert result.summary.trainable_parameters == base.num_parameters()
    assert all((one != other).any() for one, other in zip(base.parameters(), found.parameters(), strict=True))
    assert load_tokenizer(result.adapter)("My parcel") == load_tokenizer(tiny_chat_model)("My parcel")


def test_a_whole_model_of_another_shape_is_refused(train: Callable[..., TrainResult]) -> None:
    code = (
        "import json, sys, pathlib; asked = json.load(open(sys.argv[1])); to = pathlib.Path(asked['adapter']); "
        "to.mkdir(); (to / 'model.safetensors').touch(); "
        "config = json.loads((pathlib.Path(asked['model']) / 'config.json').read_text()); "
        "(to / 'config.json').write_text(json.dumps(config | {'hidden_size': 99}))"
    )
    with pytest.raises(RunFailed, match=r"left another model than .*: its hidden_size is 99, not 64"):
        train(*python(code))


def test_an_adapter_of_another_base_is_refused(train: Callable[..., TrainResult]) -> None:
    code = (
        "import json, sys, pathlib; to = pathlib.Path(json.load(open(sys.argv[1]))['adapter']); to.mkdir(); "
        "(to / 'adapter_model.safetensors').touch(); "
        "(to / 'adapter_config.json').write_text(json.dumps({'base_model_name_or_path': 'other/model'}))"
    )
    with pytest.raises(RunFailed, match="trained an adapter for other/model"):
        train(*python(code))


def test_lines_that_are_no_points_are_output(train: Callable[..., TrainResult], tmp_path: Path) -> None:
    points: list[CurvePoint] = []
    code = "print('[1]'); print('{\"step\": \"x\"}'); print('{\"step\": 4, \"loss\": 0.5}'); print('{')"
    with pytest.raises(RunFailed, match="without an adapter"):
        train(*python(code), record=points.append)
    assert [(point.step, point.loss) for point in points] == [(4, 0.5)]
    assert (tmp_path / "training" / "command" / "output.log").read_text() == '[1]\n{"step": "x"}\n{\n'


def test_an_interruption_ends_the_program_and_what_it_started(
    train: Callable[..., TrainResult], tmp_path: Path
) -> None:
    place = str(tmp_path / "child")
    child = (
        "import os, time, pathlib; "
        f"pathlib.Path('{place}.new').write_text(str(os.getpid())); os.rename('{place}.new', {place!r}); time.sleep(99)"
    )
    code = (
        f"import subprocess, sys, time, pathlib; subprocess.Popen([sys.executable, '-c', {child!r}])\n"
        f"while not pathlib.Path({place!r}).is_file(): time.sleep(0.05)\n"
        "print('{\"step\": 1}', flush=True); time.sleep(99)"
    )

    def interrupt(_: CurvePoint) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(*python(code), record=interrupt)
    number = int(Path(place).read_text())
    for _ in range(100):
        if not lives(number):
            return
        time.sleep(0.05)
    os.kill(number, signal.SIGKILL)
    pytest.fail("the program's child lives on")


def lives(process: int) -> bool:
    try:
        return "Z (zombie)" not in Path(f"/proc/{process}/status").read_text()
    except FileNotFoundError:
        return False


def test_the_request_takes_its_place_among_the_arguments(train: Callable[..., TrainResult]) -> None:
    code = "import sys; print(sys.argv[1:]); sys.exit(1)"
    with pytest.raises(RunFailed, match=r"\['--config=/.*/request.json', '--quick'\]"):
        train(*python(code), "--config={request}", "--quick")
