"""What `--launch` names, the command that it becomes, and how processes that end are told and ended."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from msgspec.structs import replace

from liftbench.errors import LiftbenchError, RunFailed, UsageError
from liftbench.extension.loader import load_plugins
from liftbench.files import write_lines
from liftbench.records.conversation import Conversation
from liftbench.records.training import CurvePoint
from liftbench.training import launched
from liftbench.training.launch import SHIPPED, Launch, command, parse_launch, require_launchable
from liftbench.training.launched import train_launched

from ..support.trainings import train_request
from .test_adapter import ScaleOptions, ScaleTrainer


def config(folder: Path, **values: Any) -> str:
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump({"distributed_type": "MULTI_GPU", "num_processes": 4, **values}))
    return str(path)


# ------------------------------------------------------------------------------------------------------ what it names


def test_a_number_is_that_many_processes_on_this_machine() -> None:
    assert parse_launch("3") == Launch(config=SHIPPED / "ddp.yaml", processes=3)


def test_a_shipped_configuration_takes_its_number_of_processes() -> None:
    assert parse_launch("fsdp2:8") == Launch(config=SHIPPED / "fsdp2.yaml", processes=8, sharded=True)


def test_a_configuration_says_processes_machines_and_where_they_meet(tmp_path: Path) -> None:
    several = {"num_machines": 2, "machine_rank": 1, "main_process_ip": "node1", "main_process_port": 4000}
    expected = Launch(config=tmp_path / "config.yaml", processes=4, machines=2, machine=1, address="node1", port=4000)
    assert parse_launch(config(tmp_path, **several)) == expected
    assert parse_launch(config(tmp_path, num_machines=2)).port == 29500, "machines cannot agree on a free port"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1", "names 1 processes; several are needed"),
        ("0", "several are needed"),
        ("fsdp2", "names no number of processes"),
        ("nowhere.yaml", r"neither a number of processes nor .* No such file.*\n.*\(ddp, fsdp2\)"),
    ],
)
def test_what_names_no_processes_is_refused(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parse_launch(text)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"distributed_type": "DEEPSPEED"}, "DEEPSPEED is not supported"),
        ({"distributed_type": "FSDP"}, "FSDP 1 is not supported\nSet fsdp_version: 2"),
        (
            {
                "distributed_type": "FSDP",
                "fsdp_config": {"fsdp_version": 2, "fsdp_state_dict_type": "SHARDED_STATE_DICT"},
            },
            "whole adapter",
        ),
        ({"num_processes": 3, "num_machines": 2}, "3 processes cannot be divided evenly over 2 machines"),
        ({"num_processes": None}, "names no number of processes"),
    ],
)
def test_a_configuration_that_trainers_cannot_follow_is_refused(
    tmp_path: Path, values: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        parse_launch(config(tmp_path, **values))


def test_files_that_are_no_configuration_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    for text, words in (("a: [", "is not YAML"), ("just words", "holds no keys")):
        path.write_text(text)
        with pytest.raises(UsageError, match=words):
            parse_launch(str(path))


def test_a_trainer_has_to_say_that_several_processes_may_call_it() -> None:
    with pytest.raises(UsageError, match="'scale' trains in one process\nLeave --launch out"):
        require_launchable(ScaleTrainer(), "scale")
    plugins = load_plugins()
    for name in ("lora", "qlora"):
        require_launchable(plugins.load(plugins.find("trainer", name))(), name)
    for name in ("full", "command"):
        with pytest.raises(UsageError, match=f"'{name}' trains in one process"):
            require_launchable(plugins.load(plugins.find("trainer", name))(), name)


# -------------------------------------------------------------------------------------------------------- the command


def option(argv: list[str], name: str) -> str:
    return argv[argv.index(name) + 1]


def test_accelerate_understands_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser

    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    several = config(tmp_path, num_machines=2, main_process_ip="node1", machine_rank=1, mixed_precision="bf16")
    for text, machines, sharded in (("2", 1, False), ("fsdp2:2", 1, True), (several, 2, False)):
        argv = command(parse_launch(text), tmp_path / "request.json")
        assert argv[:3] == [sys.executable, "-m", "accelerate.commands.launch"]
        understood, _, _ = _validate_launch_command(launch_command_parser().parse_args(argv[3:]))
        assert (understood.multi_gpu, understood.use_fsdp) == (not sharded, sharded)
        assert (understood.num_machines, understood.machine_rank) == (machines, int(machines > 1))
        assert (understood.mixed_precision, understood.dynamo_backend) == ("no", "no"), "the trainer decides"
        assert understood.num_cpu_threads_per_process == 3
        assert (understood.module, understood.training_script) == (True, "liftbench.training.worker")
        assert understood.training_script_args == [str(tmp_path / "request.json")]
        assert not sharded or str(understood.fsdp_version) == "2"


def test_in_a_slurm_job_srun_starts_one_on_each_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    one = command(parse_launch("2"), tmp_path / "r.json")
    assert one[0] == sys.executable, "a single machine needs no srun"
    launch = replace(parse_launch(config(tmp_path, num_machines=2)), address=None)
    argv = command(launch, tmp_path / "a folder" / "r.json")
    assert argv[:4] == ["srun", "--nodes=2", "--ntasks=2", "--ntasks-per-node=1"]
    assert argv[-3:-1] == ["bash", "-c"]
    inner = shlex.split(argv[-1])
    assert option(inner, "--machine_rank") == "$SLURM_PROCID"
    assert option(inner, "--main_process_ip") == os.uname().nodename
    assert inner[-1] == str(tmp_path / "a folder" / "r.json")


# ------------------------------------------------------------------------------------------------------- the processes

TORCHRUN = """
Failures:
[1]:
  time      : 2026-11-30_16:27:59
  host      : localhost
  rank      : 0 (local_rank: 0)
  exitcode  : {} (pid: 14898)
  error_file: <N/A>
Root Cause (first observed failure):
[0]:
  time      : 2026-11-30_16:27:59
  host      : localhost
  rank      : 1 (local_rank: 1)
  exitcode  : {} (pid: 14899)
"""


@pytest.fixture
def run(
    tiny_chat_model: Path, conversations: list[Conversation], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """Runs a program in place of `accelerate launch`; `{request}` in its code is the file of the request."""

    def begin(code: str, record: Callable[[CurvePoint], None] = lambda _: None) -> Any:
        def program(_: Launch, request: Path) -> list[str]:
            return [sys.executable, "-u", "-c", code.replace("{request}", str(request))]

        monkeypatch.setattr(launched, "command", program)
        plugins = load_plugins()
        request = train_request(tiny_chat_model, conversations, tmp_path / "training", ScaleOptions(), record)
        request.folder.mkdir(exist_ok=True)
        try:
            return train_launched(
                plugins.find("trainer", "lora"), request, parse_launch("2"), tmp_path / "request.json"
            )
        finally:
            assert not (tmp_path / "request.json").exists(), "it holds conversations"

    return begin


def failure(rank: int, kind: str, what: str, fix: str = "") -> str:
    return f'{{"type":"Failure","rank":{rank},"kind":"{kind}","what":"{what}","fix":"{fix}"}}'


@pytest.mark.parametrize(
    ("printed", "kind", "words"),
    [
        ([failure(0, "UsageError", "wrong", "Mend it.")], UsageError, "^wrong\nMend it.$"),
        # The loss of a connection follows from the kill.
        (
            [failure(0, "bug", "RuntimeError: connection closed"), TORCHRUN.format("1", "-9")],
            RunFailed,
            r"process 1 of 2 was killed by SIGKILL \(.*memory.*\)\nThe same command continues",
        ),
        ([TORCHRUN.format("-15", "-11")], RunFailed, "process 1 of 2 was killed by SIGSEGV\n"),
        # A program that was told to end has not failed by itself.
        ([failure(1, "bug", "ValueError: x"), TORCHRUN.format("-15", "1")], RunFailed, "process 1 of 2 failed: Val"),
        (["nothing useful"], RunFailed, "the 2 processes ended without an adapter\nWhat they printed is in .*.log"),
    ],
)
def test_the_error_is_what_came_first_and_not_what_followed(
    run: Callable[..., Any], printed: list[str], kind: type[LiftbenchError], words: str, tmp_path: Path
) -> None:
    with pytest.raises(kind, match=words):
        run("\n".join(f"print({text!r})" for text in printed) + "\nraise SystemExit(1)")
    assert not (tmp_path / "training" / "launch.log").read_text().startswith("{")


def test_points_steps_and_result_come_back_and_everything_else_goes_to_the_log(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    points: list[CurvePoint] = []
    summary = '{"trainer":"lora","conversations":9,"validation_conversations":3,"trainable_parameters":1,"seconds":1.0}'
    lines = [
        "a library's words",
        '{"type":"Point","point":{"step":1,"epoch":0.5,"loss":2.0}}',
        '{"type":"Step","done":1,"total":2,"text":"loss 2.00"}',
        '{"type":"Unknown"}',
        f'{{"type":"Result","adapter":"/a","precision":"bfloat16","summary":{summary}}}',
    ]
    code = "import pathlib; assert 'train' in pathlib.Path('{request}').read_text()\n"
    result = run(code + "\n".join(f"print({line!r})" for line in lines), points.append)
    assert points == [CurvePoint(step=1, epoch=0.5, loss=2.0)]
    assert (result.adapter, result.precision, result.summary.processes) == (Path("/a"), "bfloat16", 2)
    assert (tmp_path / "training" / "launch.log").read_text() == 'a library\'s words\n{"type":"Unknown"}\n'


STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("here", flush=True)
time.sleep(99)
"""
PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE, start_new_session=True)
child.stdout.readline()
open(PLACE, "w").write(str(child.pid))
print('{"type":"Point","point":{"step":1,"epoch":0.5,"loss":2.0}}')
time.sleep(99)
"""


def test_ctrl_c_ends_all_processes_even_those_that_do_not_want_to(
    run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: CurvePoint) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(launched, "SECONDS_TO_END", 0.5)
    place = tmp_path / "child"
    with pytest.raises(KeyboardInterrupt):
        run(PARENT.replace("STUBBORN", repr(STUBBORN)).replace("PLACE", repr(str(place))), interrupt)
    with suppress(psutil.NoSuchProcess):
        # A dead process stays in the table where nobody asks for its status.
        assert psutil.Process(int(place.read_text())).status() == psutil.STATUS_ZOMBIE


# ------------------------------------------------------------------------------------------------ on the command line


@pytest.fixture
def train_line(
    tiny_chat_model: Path, conversations: list[Conversation], tmp_path: Path, command_line: Callable[..., Any]
) -> Callable[..., Any]:
    write_lines(tmp_path / "support" / "validation.jsonl", conversations[:3])
    write_lines(tmp_path / "support" / "train.jsonl", conversations[3:])

    def run(*arguments: str) -> Any:
        return command_line(
            "train", "--dataset", "support", "--split", "validation", "--model", str(tiny_chat_model), *arguments
        )

    return run


def test_a_dry_run_prints_the_command_and_what_the_machines_need(
    train_line: Callable[..., Any], tmp_path: Path
) -> None:
    several = config(tmp_path, num_machines=2, main_process_ip="node1", machine_rank=1)
    told = train_line("--launch", several, "--dry-run")
    assert told.code == 0, told.err
    words = "4 processes on 2 machines, the first of them found at node1:29500; machine 1 has the ranks 2 to 3."
    assert words in told.out
    [line] = [line for line in told.out.splitlines() if "accelerate.commands.launch" in line]
    argv = shlex.split(line)
    assert (option(argv, "--machine_rank"), option(argv, "--main_process_ip")) == ("1", "node1")
    preview = json.loads(train_line("--launch", several, "--dry-run", "--json").out)["launch"]
    assert preview["command"] == argv
    assert preview["request"] == argv[-1]
    assert Path(argv[-1]).parent == tmp_path / "reports" / "runs"
    assert not (tmp_path / "reports").exists(), "a dry run writes nothing"
    assert "launch" not in json.loads(train_line("--dry-run", "--json").out)

    begun = train_line("--launch", several)
    assert (begun.code, begun.out) == (2, "")
    assert "this is machine 1" in begun.err
    assert not (tmp_path / "reports").exists(), "the run belongs to machine 0"


def test_another_trainer_than_one_for_several_processes_is_refused_before_anything_begins(
    train_line: Callable[..., Any],
) -> None:
    done = train_line("--plugin", "command", "--set", "train.options={argv=['true']}", "--launch", "2")
    assert (done.code, done.out) == (2, "")
    assert "the trainer 'command' trains in one process" in done.err
