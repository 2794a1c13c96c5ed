"""Measuring a system in shards that a launcher runs, and joining them: `bench score … --launcher NAME`."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from shutil import rmtree
from typing import Literal

from msgspec import Struct

from ..errors import PrerequisiteError, RunFailed, UsageError
from ..extension.loader import Plugins
from ..files import writing
from ..measuring.generation_cache import NUMERIC_SETTINGS
from ..measuring.harness import new_manifest
from ..measuring.launcher import Launcher, WorkerCommand, WorkerEnd
from ..measuring.plan import Measurement
from ..measuring.shard_progress import ShardFolders, show_shards
from ..measuring.shards import batches_scored
from ..measuring.systems import Loadable
from ..records.run import Manifest
from ..runs.directory import Run, runs_in
from ..text.phrases import join_words, pluralize
from ..training.launched import end_in_order
from .measure import measure_system
from .merge import merge_shards
from .setup import Setup

STARTS = 4
"""How often a worker is started at most."""

PAUSE = 1.0
"""Seconds before a worker is started again, and twice as many each further time: a killed one's lock has to go."""

PASSED = ("LIFTBENCH_", "HF_HOME", "HF_HUB_OFFLINE", "OMP_", "PYTHONPATH", *NUMERIC_SETTINGS)
"""Beginnings of the names of variables that a worker gets on other machines, too."""

NOT_PASSED = ("CUDA_VISIBLE_DEVICES", "KEY", "TOKEN", "SECRET")
"""Parts of names that keep a variable back: a place chooses its own devices, and secrets are written nowhere."""


CONTINUE = "The same command continues."


class Launch(Struct, frozen=True, kw_only=True):
    """How shards are made."""

    name: str
    """The launcher's."""
    workers: int
    launcher: Launcher


def find_launch(name: str, workers: int, options: dict[str, str], plugins: Plugins) -> Launch:
    """A launcher with its options. Raises `UsageError`, and `PrerequisiteError` naming its extra."""
    if workers < 1:
        raise UsageError(f"--workers {workers}: at least one is needed")
    spec = plugins.find("launcher", name)
    given = plugins.options(spec, options) if options or spec.options else None
    return Launch(name=name, workers=workers, launcher=plugins.load(spec)(given))


def measure_launched(
    setup: Setup,
    command: Literal["baseline", "score"],
    subject: Loadable,
    measurement: Measurement,
    launch: Launch,
    parent: str | None = None,
) -> Run:
    """The complete run of a system, made in shards by the workers of a launch, and merged as `bench merge` does.

    Shards that are there already are continued or reused. Raises `RunFailed` if one cannot be finished.
    """

    def manifest(shard: str = "") -> Manifest:
        return new_manifest(
            command, subject.system, measurement, setup.resolved, argv=setup.argv, parent=parent, shard=shard
        )

    whole = manifest().key
    if not setup.fresh and any(run.manifest.key == whole and run.manifest.status == "complete" for run in _runs(setup)):
        # Nothing is left to generate.
        with setup.feedback.bars([("", "conversations")]) as (progress,):
            return measure_system(setup, command, subject, measurement, progress, parent)
    count = min(launch.workers, batches_scored(measurement))
    if count < launch.workers:
        setup.feedback.say(f"{pluralize(count, 'worker')}: there are no more batches")
    shards = [f"{number}/{count}" for number in range(1, count + 1)]
    place = setup.runs.resolve() / ".launch" / whole[:16]
    with writing(place):
        place.mkdir(parents=True, exist_ok=True)
    folders = ShardFolders(setup.runs, [manifest(shard).key for shard in shards], fresh=setup.fresh)
    work = Work(setup, command, shards, place, folders)
    setup.feedback.say(f"{pluralize(count, 'shard')} by the launcher {launch.name}; what workers print is in {place}")
    with (
        end_in_order(),
        setup.feedback.bars([("", "conversations")]) as (progress,),
        show_shards(folders, len(measurement.scored), progress),
    ):
        launch.launcher.run(work.commands, work.report)
    work.require_done()
    made = {run.folder.name: run for run in _runs(setup)}
    merged = merge_shards(setup, [made[folder.name] for folder in folders.newest()], measurement, setup.argv)
    rmtree(place, ignore_errors=True)
    with suppress(OSError):  # of another launch
        place.parent.rmdir()
    return merged


def _runs(setup: Setup) -> list[Run]:
    return runs_in(setup.runs)


class Work:
    """The commands of all shards, and what has become of them."""

    def __init__(
        self,
        setup: Setup,
        command: Literal["baseline", "score"],
        shards: Sequence[str],
        place: Path,
        folders: ShardFolders,
    ) -> None:
        self._say = setup.feedback.say
        self._folders = folders
        self._starts = [1] * len(shards)
        self._done: set[int] = set()
        self._failed: dict[int, tuple[WorkerEnd, str]] = {}
        self._again = [_worker(setup.argv, command, shard, place) for shard in shards]
        self.commands = self._again
        if setup.fresh:
            self.commands = [_worker(setup.argv, command, shard, place, "--fresh") for shard in shards]

    def report(self, end: WorkerEnd) -> WorkerCommand | None:
        """Note how a worker ended; returns what to start in its place."""
        index = end.command
        if end.code == 0:
            self._done.add(index)
            return None
        told = _error_in(Path(self.commands[index].log))
        # What is wrong with the command or its surroundings is wrong the next time, too.
        for_good = end.code in (UsageError.exit_code, PrerequisiteError.exit_code)
        if for_good or self._starts[index] >= STARTS:
            self._failed[index] = end, told
            return None
        name = self.commands[index].name
        self._say(f"{name}: {_why(end, told)}; starting it again ({self._starts[index]} of {STARTS - 1})")
        time.sleep(PAUSE * 2 ** (self._starts[index] - 1))
        self._starts[index] += 1
        # A shard that was begun anew is continued, not begun anew once more.
        return self._again[index] if self._folders.has_begun(index) else self.commands[index]

    def require_done(self) -> None:
        """Raise the error of a shard that is not finished."""
        if not self._failed:
            if len(self._done) < len(self.commands):
                left = [self.commands[index].name for index in range(len(self.commands)) if index not in self._done]
                raise RunFailed(f"the launcher did not report how {join_words(left)} ended", CONTINUE)
            return
        index, (end, told) = min(self._failed.items())
        name, log = self.commands[index].name, self.commands[index].log
        if told and end.code is not None and end.code > 0:
            kinds = {one.exit_code: one for one in (UsageError, PrerequisiteError)}
            what, _, fix = told.partition("\n")
            raise kinds.get(end.code, RunFailed)(f"{name}: {what}", fix or f"What it printed is in {log}.")
        times = f" ({pluralize(self._starts[index], 'start')})"
        raise RunFailed(f"{name}: {_why(end, told)}{times}", f"What it printed is in {log}. {CONTINUE}")


def _worker(argv: Sequence[str], command: str, shard: str, place: Path, *more: str) -> WorkerCommand:
    return WorkerCommand(
        name=f"shard {shard}",
        argv=[
            *(sys.executable, "-m", "liftbench.cli.worker"),
            *worker_arguments(argv[1:], command, "--shard", shard, *more),
        ],
        environment=passed_on(os.environ),
        folder=str(Path.cwd()),
        log=str(place / f"shard-{shard.replace('/', '-of-')}.log"),
    )


def worker_arguments(given: Sequence[str], command: str, *more: str) -> list[str]:
    """The arguments of a command without what concerns its launcher, and with `more` behind the command's name.

    >>> given = ["--debug", "baseline", "helpdesk", "--launcher", "ray", "--workers=2", "--json"]
    >>> worker_arguments(given, "baseline", "--shard", "1/2")
    ['--debug', 'baseline', '--shard', '1/2', 'helpdesk']
    """
    kept: list[str] = []
    rest = iter(given)
    for argument in rest:
        name, equals, _ = argument.partition("=")
        if name in ("--launcher", "--workers", "--launcher-option"):
            if not equals:
                next(rest, None)
        elif argument not in ("--json", "--fresh"):
            kept.append(argument)
    place = kept.index(command) + 1
    return [*kept[:place], *more, *kept[place:]]


def passed_on(environment: Mapping[str, str]) -> dict[str, str]:
    """What of this process's environment a worker gets on any machine."""
    return {
        name: value
        for name, value in environment.items()
        if name.startswith(PASSED) and not any(part in name for part in NOT_PASSED)
    }


def _why(end: WorkerEnd, told: str) -> str:
    if end.code is None:
        return end.reason or "its worker is lost"
    if end.code < 0:
        name = signal.Signals(-end.code).name
        return f"killed by {name}{' (the system does this if memory is full)' if name == 'SIGKILL' else ''}"
    return told.partition("\n")[0] or end.reason or f"exit code {end.code}"


def _error_in(log: Path) -> str:
    """The error that a worker printed last, with how to fix it; empty where there is none."""
    try:
        printed = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return ("\n" + printed).rpartition("\nerror: ")[2].strip() if "\nerror: " in "\n" + printed else ""
