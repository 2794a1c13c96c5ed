"""Launchers: shards that workers make anywhere are the run of one process, whatever becomes of the workers."""

from __future__ import annotations

import functools
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pytest
from msgspec.structs import replace

import liftbench
from liftbench.errors import UsageError
from liftbench.files import write_lines
from liftbench.measuring.launcher import Report, WorkerCommand, WorkerEnd
from liftbench.measuring.shard_progress import ShardFolders, show_shards
from liftbench.records.conversation import Conversation
from liftbench.runs.directory import Run
from liftbench.workflow import launch_shards
from liftbench.workflow.launch_shards import passed_on, worker_arguments
from liftbench_plugins.launchers.local import LocalLauncher, visible_gpus

from ..conftest import Outcome

Bench = Callable[..., Outcome]

RAY = "the extra ray is not installed"


def require_submitit() -> None:
    """Skip without it. Not by importing it, which closes the log handlers of this process; the plugin prevents that."""
    if find_spec("submitit") is None:
        pytest.skip("the extra slurm is not installed")


TEXTS = 384


@pytest.fixture
def options(
    tmp_path: Path, conversations: list[Conversation], tiny_chat_model: Path, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """Twelve batches, with one thread wherever they run. Each shard takes more than one turn of 64 texts."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("RAY_TMPDIR", "/tmp")  # a long path cannot be that of a socket
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    many = [replace(one, id=f"{one.id}-{copy}") for copy in range(TEXTS // 12) for one in conversations]
    write_lines(tmp_path / "support" / "validation.jsonl", many)
    settings = {"generation.batch_size": 32, "generation.max_new_tokens": 300, "model.precision": "float32"}
    sets = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    return ["baseline", "--dataset", str(tmp_path / "support"), "--model", str(tiny_chat_model), *sets]


@pytest.fixture
def whole(options: list[str], command_line: Bench, tmp_path: Path) -> Run:
    """What one process makes."""
    assert command_line(*options, "--runs", str(tmp_path / "whole")).code == 0
    return complete(tmp_path / "whole")


def complete(runs: Path) -> Run:
    [run] = [run for run in map(liftbench.load_run, runs.glob("2*")) if run.manifest.status == "complete"]
    return run


def require_same(run: Run, whole: Run) -> None:
    for name in ("predictions.jsonl", "scores.jsonl", "conversations.jsonl"):
        assert (run.folder / name).read_bytes() == (whole.folder / name).read_bytes(), name
    assert run.manifest.key == whole.manifest.key


def texts(runs: Path) -> list[bytes]:
    """The whole lines of all predictions in a folder of runs."""
    lines = [line for path in runs.glob("2*/predictions.jsonl") for line in path.read_bytes().splitlines(keepends=True)]
    return [line for line in lines if line.endswith(b"\n")]


def workers(runs: Path) -> list[psutil.Process]:
    """The processes that make shards in a folder of runs."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = process.info["cmdline"] or []
        if "liftbench.cli.worker" in line and str(runs) in line:
            found.append(process)
    return found


def wait_until(condition: Callable[[], object], seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it has not happened"
        time.sleep(0.01)


class Killer(threading.Thread):
    """Kills a worker (or the process that it belongs to) as soon as it has made its first text."""

    def __init__(self, runs: Path, *, parent: bool = False) -> None:
        super().__init__(daemon=True)
        self._runs = runs
        self._parent = parent
        self.before: list[bytes] = []
        """The texts at that time."""

    def run(self) -> None:
        wait_until(lambda: texts(self._runs))
        manifest = next(self._runs.glob("2*/predictions.jsonl")).parent / "manifest.json"
        shard = json.loads(manifest.read_text())["shard"]
        [process] = [one for one in workers(self._runs) if shard in one.cmdline()]
        victim = process.parent() if self._parent else process
        assert victim is not None
        self.before = texts(self._runs)
        victim.kill()


@pytest.mark.parametrize(
    "launcher",
    [
        ["--workers", "3"],
        pytest.param(
            ["--launcher", "submitit", "--launcher-option", "cluster=local", "--launcher-option", "time=0:10:00"],
            id="submitit",
        ),
    ],
)
def test_a_launched_run_is_that_of_one_process(
    launcher: list[str], options: list[str], whole: Run, command_line: Bench, tmp_path: Path
) -> None:
    if "submitit" in launcher:
        require_submitit()
    runs = tmp_path / "runs"
    made = command_line(*options, "--runs", str(runs), *launcher, "--json")
    assert made.code == 0, made.err
    run = complete(runs)
    assert json.loads(made.out)["run"] == run.id
    require_same(run, whole)
    shards = json.loads((run.folder / "shards.json").read_text())
    assert len(shards) == (3 if "--workers" in launcher else 2)
    assert {shard["environment"]["threads"] for shard in shards} == {1}
    assert not (runs / ".launch").exists()
    again = command_line(*options, "--runs", str(runs), *launcher)
    assert "already measured" in again.err


@pytest.mark.parametrize("launcher", ["local", "ray"])
def test_a_worker_that_is_killed_in_the_middle_is_started_again_and_continues(
    launcher: str, options: list[str], whole: Run, command_line: Bench, tmp_path: Path
) -> None:
    if launcher == "ray":
        pytest.importorskip("ray", reason=RAY)
    runs = tmp_path / "runs"
    # Of a Ray task the worker of Ray is killed; the process that it has started has to end with it.
    killer = Killer(runs, parent=launcher == "ray")
    killer.start()
    made = command_line(*options, "--runs", str(runs), "--launcher", launcher, "--workers", "2")
    killer.join()
    assert made.code == 0, made.err
    assert "starting it again (1 of 3)" in made.err
    assert 0 < len(killer.before) < TEXTS
    # What there was has stayed, line for line, and nothing was made a second time.
    shards = [run for run in map(liftbench.load_run, runs.glob("2*")) if run.manifest.shard]
    kept = [line for run in shards for line in (run.folder / "predictions.jsonl").read_bytes().splitlines(True)]
    assert set(killer.before) <= set(kept)
    assert len(kept) == TEXTS
    require_same(complete(runs), whole)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_launch_that_is_stopped_leaves_no_worker_and_continues(
    number: signal.Signals, options: list[str], whole: Run, command_line: Bench, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    arguments = [*options, "--runs", str(runs), "--workers", "2"]
    command = [sys.executable, "-m", "liftbench", *arguments]
    # A shell that starts the tests in the background makes them, and what they start, ignore an interrupt.
    heard = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(
        command, cwd=tmp_path, preexec_fn=heard, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        wait_until(lambda: texts(runs))
        process.send_signal(number)
        _, told = process.communicate(timeout=60)
    codes = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}
    assert process.returncode == codes[number], told
    wait_until(lambda: not workers(runs), 10)
    before = texts(runs)
    assert 0 < len(before) < TEXTS
    made = command_line(*arguments)
    assert made.code == 0, made.err
    assert set(before) <= set(texts(runs))
    require_same(complete(runs), whole)


@pytest.fixture
def cluster() -> Iterator[str]:
    """A Ray cluster of two nodes with a CPU each; its address."""
    pytest.importorskip("ray", reason=RAY)
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_worker_niceness", "0")
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        made.add_node(num_cpus=1)
        yield str(made.address)
        made.shutdown()


@pytest.mark.slow
def test_a_run_on_a_cluster_that_is_there_already(
    cluster: str, options: list[str], whole: Run, command_line: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", cluster)
    runs = tmp_path / "runs"
    killer = Killer(runs, parent=True)
    killer.start()
    made = command_line(*options, "--runs", str(runs), "--launcher", "ray")
    killer.join()
    assert made.code == 0, made.err
    assert "starting it again" in made.err
    require_same(complete(runs), whole)


def test_a_cluster_that_does_not_answer_is_told(
    options: list[str], command_line: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray", reason=RAY)
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    told = command_line(*options, "--launcher", "ray")
    assert (told.code, "the Ray cluster 127.0.0.1:1 cannot be reached" in told.err) == (3, True)


# ---------------------------------------------------------------------------------------------- what a launcher reports


@pytest.fixture
def scripted_launcher(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[WorkerCommand]]:
    """Lets the launcher `local` report what it is told to, of its first worker; returns what it had to start."""

    def script(*codes: int | None) -> list[WorkerCommand]:
        started: list[WorkerCommand] = []

        def run(self: LocalLauncher, commands: Sequence[WorkerCommand], report: Report) -> None:
            del self
            for index in range(1, len(commands)):
                report(WorkerEnd(command=index, code=0))
            started.append(commands[0])
            for code in codes:
                again = report(WorkerEnd(command=0, code=code, reason="its place is gone"))
                if again is None:
                    return
                started.append(again)

        monkeypatch.setattr(LocalLauncher, "run", run)
        monkeypatch.setattr(launch_shards, "PAUSE", 0.0)
        return started

    return script


def test_a_worker_that_is_killed_each_time_is_given_up(
    options: list[str], command_line: Bench, scripted_launcher: Callable[..., list[WorkerCommand]]
) -> None:
    started = scripted_launcher(-9, None, 1, -9, -9)
    told = command_line(*options, "--fresh", "--workers", "2")
    assert told.code == 4
    assert (
        "shard 1/2: killed by SIGKILL (the system does this if memory is full); starting it again (1 of 3)" in told.err
    )
    assert "shard 1/2: its place is gone; starting it again (2 of 3)" in told.err
    assert "error: shard 1/2: killed by SIGKILL (the system does this if memory is full) (4 starts)" in told.err
    assert "The same command continues." in told.err
    assert len(started) == 4
    # It has not begun, so it is begun anew each time.
    assert all("--fresh" in command.argv for command in started)


@pytest.mark.parametrize("code", [2, 3])
def test_a_worker_that_would_fail_again_is_not_started_again(
    code: int,
    options: list[str],
    command_line: Bench,
    scripted_launcher: Callable[..., list[WorkerCommand]],
) -> None:
    started = scripted_launcher(code)
    run = LocalLauncher.run

    def with_log(self: LocalLauncher, commands: Sequence[WorkerCommand], report: Report) -> None:
        Path(commands[0].log).write_text("run x\nerror: the disk has no model\nBuy one.\n")
        run(self, commands, report)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LocalLauncher, "run", with_log)
        told = command_line(*options, "--launcher", "local")
    assert (told.code, len(started)) == (code, 1)
    assert told.err.endswith("error: shard 1/2: the disk has no model\nBuy one.\n")


def test_a_launcher_that_forgets_a_worker_is_found_out(
    options: list[str], command_line: Bench, scripted_launcher: Callable[..., list[WorkerCommand]]
) -> None:
    scripted_launcher()
    told = command_line(*options, "--launcher", "local")
    assert (told.code, "did not report how shard 1/2 ended" in told.err) == (4, True)


def test_there_are_no_more_workers_than_batches(
    options: list[str], command_line: Bench, scripted_launcher: Callable[..., list[WorkerCommand]]
) -> None:
    scripted_launcher()
    assert "12 workers: there are no more batches" in command_line(*options, "--workers", "40").err


# ------------------------------------------------------------------------------------------------------------ the words


@pytest.mark.parametrize(
    ("wrong", "code", "words"),
    [
        (["--launcher", "slurm"], 2, "unknown launcher plugin 'slurm'"),
        (["--workers", "0"], 2, "--workers 0: at least one is needed"),
        (["--launcher-option", "threads"], 2, "write it as KEY=VALUE"),
        (["--launcher-option", "threads=many"], 2, "--launcher-option threads: must be a whole number"),
        (["--launcher-option", "thread=2"], 2, "Did you mean 'threads'"),
        (["--workers", "2", "--shard", "1/2"], 2, "--shard makes one shard, and --launcher all of them"),
        (["--workers", "2", "--tune"], 2, "a search for the best prompt has no shards"),
    ],
)
def test_what_cannot_be_launched_is_refused(
    wrong: list[str], code: int, words: str, options: list[str], command_line: Bench
) -> None:
    told = command_line(*options, *wrong)
    assert told.code == code
    assert words in told.err


@pytest.mark.parametrize(("launcher", "package", "extra"), [("ray", "ray", "ray"), ("submitit", "submitit", "slurm")])
def test_a_launcher_names_the_extra_that_it_needs(
    launcher: str, package: str, extra: str, options: list[str], command_line: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)  # so that it cannot be imported
    told = command_line(*options, "--launcher", launcher)
    assert told.code == 3
    assert f"pip install 'liftbench[{extra}]'" in told.err


def test_predictions_are_not_launched(command_line: Bench) -> None:
    told = command_line("score", "--predictions", __file__, "--workers", "2")
    assert (told.code, "not both" in told.err) == (2, True)


def test_a_worker_gets_the_command_without_its_launcher() -> None:
    given = [
        "--debug",
        "score",
        "m",
        "--launcher-option=a=b",
        "--workers",
        "4",
        "--fresh",
        "--launcher",
        "ray",
        "--",
        "x",
    ]
    shard = ["--shard", "1/4"]
    assert worker_arguments(given, "score", *shard) == ["--debug", "score", *shard, "m", "--", "x"]


def test_secrets_and_devices_are_not_passed_on() -> None:
    kept = {"LIFTBENCH_CACHE": "c", "OMP_NUM_THREADS": "2", "MKL_CBWR": "AVX2", "HF_HUB_OFFLINE": "1"}
    back = {"LIFTBENCH_API_KEY": "k", "HF_TOKEN": "t", "OPENAI_API_KEY": "k", "CUDA_VISIBLE_DEVICES": "0", "HOME": "h"}
    assert passed_on(kept | back) == kept


def test_the_gpus_are_those_that_this_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3, 5")
    assert visible_gpus() == ["3", "5"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert visible_gpus() == []


@pytest.mark.parametrize(
    ("text", "expected"), [("90", 90), ("4:00:00", 240), ("1-12:00:30", 2161), ("30:00", 30), ("0:01", 1)]
)
def test_times_are_written_as_slurm_does(text: str, expected: int) -> None:
    require_submitit()
    from liftbench_plugins.launchers.submitit import minutes

    assert minutes(text) == expected
    with pytest.raises(UsageError, match="is no time"):
        minutes(f"{text}h")


def test_progress_is_that_of_all_shards(tmp_path: Path) -> None:
    keys = ["a" * 64, "b" * 64]

    def begin(name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "manifest.json").write_text("{}")
        return folder / "predictions.jsonl"

    begin("20250101T000000Z-m-d-aaaaaaaa").write_text("old\n")
    begin("20250101T000000Z-m-d-cccccccc").write_text("another\n")
    continued, anew = ShardFolders(tmp_path, keys, fresh=False), ShardFolders(tmp_path, keys, fresh=True)
    assert (continued.done(), anew.done()) == (1, 0)
    assert not anew.has_begun(0)
    first = begin("20260101T000000Z-m-d-aaaaaaaa")
    second = begin("20260101T000000Z-m-d-bbbbbbbb-2")
    first.write_bytes(b"1\n2\n3")
    assert [anew.has_begun(0), anew.has_begun(1), anew.done()] == [True, True, 2]
    with first.open("ab") as file:
        file.write(b"\n")
    second.write_bytes(b"1\n")
    assert anew.done() == continued.done() == 4
    first.write_bytes(b"1\n")  # a cut line was removed
    assert anew.done() == 2
    told: list[Any] = []
    with show_shards(anew, 9, lambda *what: told.append(what)):
        pass
    assert [what[:2] for what in told] == [(2, 9), (2, 9)]


def test_loading_a_launcher_leaves_logging_as_it_is() -> None:
    require_submitit()
    program = (
        "import logging, sys\n"
        "class Handler(logging.Handler):\n"
        "    def close(self): print('closed')\n"
        "kept = Handler()\n"
        "import liftbench_plugins.launchers.submitit\n"
        "import submitit\n"
        "submitit.core.logger.get_logger().info('a message')\n"
        "print('loaded')\n"
        "sys.stdout.flush(); __import__('os')._exit(0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "loaded\n"
