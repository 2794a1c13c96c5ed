"""Run directories: what lies in them, how one is found, and how one is made or continued.

```
<utc>-<system>-<dataset>-<key>/
  manifest.json  environment.json  conversations.jsonl  predictions.jsonl  scores.jsonl  summary.json
  training/  tuning/
```
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
from filelock import FileLock, Timeout

from ..errors import LiftbenchError, PrerequisiteError, RunFailed, UsageError, unknown
from ..files import read_lines, read_record, write_atomic, write_lines, writing
from ..recipe.sections import Recipe
from ..records.conversation import Conversation
from ..records.prompt_search import TuneSummary, TuneTrial
from ..records.run import SCHEMA, Environment, Finding, Manifest, Prediction, RunSummary, SampleScores
from ..records.training import CurvePoint, TrainingRow, TrainingSummary
from .environment import environment


class Run:
    """A run directory, read on demand. Raises `UsageError` where a file is missing, broken or of a newer schema."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest: Manifest = _read_manifest(folder)

    @property
    def id(self) -> str:
        return self.manifest.id

    @cached_property
    def environment(self) -> Environment:
        return read_record(self.folder / "environment.json", Environment)

    @cached_property
    def conversations(self) -> list[Conversation]:
        """What was scored, in the order of the data set."""
        return read_lines(self.folder / "conversations.jsonl", Conversation)

    @cached_property
    def predictions(self) -> dict[str, Prediction]:
        """Id → prediction."""
        return {row.id: row for row in read_lines(self.folder / "predictions.jsonl", Prediction)}

    @cached_property
    def text_hashes(self) -> dict[str, str]:
        """Id → sha256 of its text: what is left to compare where the texts are not kept."""
        return {id_: sha256(row.text.encode()).hexdigest() for id_, row in self.predictions.items()}

    @cached_property
    def scores(self) -> dict[str, dict[str, float | None]]:
        """Id → metric → value."""
        return {row.id: row.scores for row in read_lines(self.folder / "scores.jsonl", SampleScores)}

    @cached_property
    def findings(self) -> dict[str, list[Finding]]:
        """Id → the places in its summary that metrics pointed at, in order."""
        rows = read_lines(self.folder / "scores.jsonl", SampleScores)
        return {
            row.id: sorted(
                (one for some in row.findings.values() for one in some), key=lambda one: (one.start, one.end)
            )
            for row in rows
        }

    @cached_property
    def summary(self) -> RunSummary:
        return read_record(self.folder / "summary.json", RunSummary)

    @cached_property
    def curve(self) -> list[CurvePoint]:
        """The training curve, empty where nothing was trained."""
        path = self.folder / "training" / "curve.jsonl"
        return read_lines(path, CurvePoint) if path.exists() else []

    @cached_property
    def training_rows(self) -> list[TrainingRow] | None:
        """What the adapter was trained on, as hashes; None where that is not known."""
        path = self.folder / "training" / "rows.jsonl"
        return read_lines(path, TrainingRow) if path.exists() else None

    @cached_property
    def training(self) -> TrainingSummary | None:
        path = self.folder / "training" / "summary.json"
        return read_record(path, TrainingSummary) if path.exists() else None

    @cached_property
    def training_options(self) -> dict[str, Any]:
        """The trainer's options, defaults included; empty where none are recorded."""
        path = self.folder / "training" / "options.json"
        return read_record(path, dict[str, Any]) if path.exists() else {}

    @cached_property
    def tuning(self) -> TuneSummary | None:
        """What a search of prompts chose; None where there was none, or while it goes on."""
        path = self.folder / "tuning" / "summary.json"
        return read_record(path, TuneSummary) if path.exists() else None

    @cached_property
    def trials(self) -> list[TuneTrial]:
        """The prompts that were tried, in their order; empty where there was no search."""
        path = self.folder / "tuning" / "trials.jsonl"
        return read_lines(path, TuneTrial) if path.exists() else []

    @property
    def adapter(self) -> Path | None:
        """The folder of the adapter that this run trained."""
        path = self.folder / "training" / "adapter"
        return path if (path / "adapter_config.json").exists() else None

    def require_complete(self) -> Run:
        """Itself, or `UsageError` with the way to finish it."""
        if self.manifest.status != "complete":
            verb = "was trained but not scored" if self.manifest.status == "trained" else "is not finished"
            raise UsageError(f"run {self.id} {verb}; the same `bench {self.manifest.command}` command continues it")
        return self


def runs_in(folder: Path) -> list[Run]:
    """All readable runs of a folder, oldest first; what is no run directory, or a broken one, is left out."""
    found = []
    for manifest in sorted(folder.glob("*/manifest.json")):
        try:
            found.append(Run(manifest.parent))
        except LiftbenchError:
            continue
    return sorted(found, key=lambda run: (run.manifest.created, run.id))


def run_at(name: str, runs: Path) -> Run | None:
    """The run whose folder or whole id this is."""
    folders = (Path(name), runs / name)
    return next((Run(folder) for folder in folders if (folder / "manifest.json").is_file()), None)


def find_run(name: str, runs: Path) -> Run:
    """A run by folder, by id, or by a part of its id that only one run has. Raises `UsageError`."""
    if (run := run_at(name, runs)) is not None:
        return run
    candidates = runs_in(runs)
    matching = [run for run in candidates if name and name in run.id]
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise UsageError(f"{name!r} is part of {len(matching)} run ids: {', '.join(run.id for run in matching)}")
    if Path(name).is_dir():
        raise UsageError(f"{name} is not a run directory: it has no manifest.json")
    raise unknown("run", name, (run.id for run in candidates))


def run_id(system: str, dataset: str, key: str, created: str) -> str:
    """`20261123T184500Z-smollm2-135m-tweetsumm-1a2b3c4d`."""
    moment = created.replace("-", "").replace(":", "").partition(".")[0].rstrip("Z")
    return f"{moment}Z-{slug(system)}-{slug(dataset)}-{key[:8]}"


def slug(text: str) -> str:
    """A name that is safe in a path."""
    return re.sub(r"[^a-z0-9.+]+", "-", text.lower()).strip("-.")[:60] or "x"


def now() -> str:
    """UTC, ISO 8601, to the microsecond: runs made within one second keep their order."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


# ------------------------------------------------------------------------------------------------------------ reading


def _read_manifest(folder: Path) -> Manifest:
    path = folder / "manifest.json"
    try:
        raw = msgspec.json.decode(path.read_bytes())
    except FileNotFoundError as error:
        raise UsageError(f"{folder} is not a run directory: it has no manifest.json") from error
    except (OSError, msgspec.DecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    schema = raw.get("schema") if isinstance(raw, dict) else None
    if isinstance(schema, int) and schema > SCHEMA:
        raise PrerequisiteError(
            f"{folder.name} was made by a newer liftbench (run schema {schema}, this one reads up to {SCHEMA}): "
            "upgrade liftbench"
        )
    if isinstance(schema, int) and schema < SCHEMA:
        raise UsageError(f"{folder.name} was made by an older liftbench (run schema {schema}); measure it again")
    try:
        return msgspec.convert(raw, Manifest)
    except msgspec.ValidationError as error:
        raise UsageError(f"{path} is damaged: {error}") from error


# ----------------------------------------------------------------------------------------------------------- open runs


JUDGED = ("headlines", "target", "against", "limits", "family", "training", "skipped")
"""Fields of a manifest that say how the run is to be judged."""


class OpenRun:
    """A run being made by this process, which holds its lock."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest
        self.asked = manifest
        """What the present command would write, were the run new."""

    @property
    def asked_anew(self) -> dict[str, Any]:
        """What a command may change in a run that is there, without generating anything."""
        return {name: getattr(self.asked, name) for name in ("recipe", "origins", "protocol", *JUDGED)}

    @property
    def recipe(self) -> Recipe:
        """The recipe as this run was begun with."""
        return msgspec.convert(self.manifest.recipe, Recipe)

    def update(self, **changes: Any) -> None:
        """Replace fields of the manifest, on disk too, atomically."""
        self.manifest = msgspec.structs.replace(self.manifest, **changes)
        write_atomic(self.folder / "manifest.json", self.manifest)

    def note(self, *notes: str) -> None:
        """Add what a reader must know."""
        new = [note for note in notes if note not in self.manifest.notes]
        if new:
            self.update(notes=[*self.manifest.notes, *new])

    def record_environment(self) -> None:
        """Write the environment, or note how it differs from the one that this run was begun in."""
        current = environment()
        path = self.folder / "environment.json"
        if path.exists() and (before := read_record(path, Environment)).threads is not None:
            changed = sorted(name for name, value in _decisive(before).items() if value != _decisive(current).get(name))
            if changed:
                self.note(f"resumed in another environment: {', '.join(changed)} differ from environment.json")
            return
        write_atomic(path, current)


def _decisive(environment: Environment) -> dict[str, object]:
    """What half-precision results may depend on."""
    names = ("python", "processor", "threads", "gpu", "driver")
    return {**environment.packages, **{name: getattr(environment, name) for name in names}}


@contextmanager
def open_run(
    manifest: Manifest, conversations: Iterable[Conversation], runs: Path, *, fresh: bool
) -> Iterator[OpenRun]:
    """The run with the manifest's key: the newest one there is, to be continued, or a new one.

    A complete run is yielded as it is; nothing is generated twice unless `fresh`.
    The key's lock is held meanwhile; raises `RunFailed` if another process holds it.
    """
    with writing(runs):
        runs.mkdir(parents=True, exist_ok=True)
    lock = FileLock(runs / f".{manifest.key[:16]}.lock")
    with writing(runs):
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise RunFailed(
                "another process is making this run just now; wait for it, or choose another --runs"
            ) from error
    try:
        same = [] if fresh else [run for run in runs_in(runs) if run.manifest.key == manifest.key]
        if same:
            run = OpenRun(same[-1].folder, same[-1].manifest)
            run.asked = manifest
            if run.manifest.protocol == manifest.protocol:
                # What it is judged on may change; that needs no new measurement. Other metrics do: see `finish`.
                changes = run.asked_anew
                if any(value != getattr(run.manifest, name) for name, value in changes.items() if name in JUDGED):
                    run.update(**changes)
            yield run
        else:
            yield _create(manifest, conversations, runs)
    finally:
        lock.release()


def _create(manifest: Manifest, conversations: Iterable[Conversation], runs: Path) -> OpenRun:
    folder, number = runs / manifest.id, 1
    while folder.exists():
        number += 1
        folder = runs / f"{manifest.id}-{number}"
    run = OpenRun(folder, msgspec.structs.replace(manifest, id=folder.name))
    write_lines(folder / "conversations.jsonl", conversations)
    run.record_environment()
    # Last, so that a folder without a manifest, left by a kill a moment ago, is no run.
    run.update()
    return run
