"""A run that this process makes or continues, under a lock."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from ..files import read_record, write_atomic, write_lines
from ..recipe.sections import Recipe
from ..records.conversation import Conversation
from ..records.run import Environment, Manifest
from .directory import runs_in
from .environment import environment
from .lock import hold_lock, run_lock
from .sums import file_sums


def run_id(system: str, dataset: str, key: str, created: str) -> str:
    """`20261123T184500Z-smollm2-135m-tweetsumm-1a2b3c4d`."""
    moment = created.replace("-", "").replace(":", "").partition(".")[0].rstrip("Z")
    return f"{moment}Z-{slug(system)}-{slug(dataset)}-{key[:8]}"


def slug(text: str) -> str:
    """The text as a name that is safe in a path."""
    return re.sub(r"[^a-z0-9.+]+", "-", text.lower()).strip("-.")[:60] or "x"


def now() -> str:
    """The time in UTC, ISO 8601, to the microsecond, so that runs made within one second keep their order."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


# ----------------------------------------------------------------------------------------------------------- open runs


class OpenRun:
    """A run that this process is making; the process holds its lock."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest
        self.requested = manifest
        """The manifest that the present command would write if the run were new."""

    @property
    def requested_changes(self) -> dict[str, Any]:
        """The values that the present command may change in an existing run without generating anything."""
        wanted = self.requested
        return {
            "recipe": wanted.recipe,
            "origins": wanted.origins,
            "protocol": wanted.protocol,
            "family": wanted.family,
            "training": wanted.training,
            "skipped": wanted.skipped,
            **msgspec.structs.asdict(wanted.terms),
        }

    @property
    def is_judged_as_requested(self) -> bool:
        """Whether the present command would judge the run in the same way as before."""
        ours, wanted = self.manifest, self.requested
        return (ours.terms, ours.family, ours.training, ours.skipped) == (
            wanted.terms,
            wanted.family,
            wanted.training,
            wanted.skipped,
        )

    @property
    def recipe(self) -> Recipe:
        """The recipe that this run was begun with."""
        return msgspec.convert(self.manifest.recipe, Recipe)

    def update(self, **changes: Any) -> None:
        """Replace fields of the manifest, on disk too, atomically."""
        self.manifest = msgspec.structs.replace(self.manifest, **changes)
        write_atomic(self.folder / "manifest.json", self.manifest)

    def note(self, *notes: str) -> None:
        """Add notes that a reader must know."""
        new = [note for note in notes if note not in self.manifest.notes]
        if new:
            self.update(notes=[*self.manifest.notes, *new])

    def record_environment(self) -> None:
        """Write the environment, or note how it differs from the one in which this run was begun."""
        current = environment()
        path = self.folder / "environment.json"
        if path.exists() and (before := read_record(path, Environment)).threads is not None:
            changed = sorted(name for name, value in _decisive(before).items() if value != _decisive(current).get(name))
            if changed:
                self.note(f"resumed in another environment: {', '.join(changed)} differ from environment.json")
            return
        write_atomic(path, current)


def _decisive(environment: Environment) -> dict[str, object]:
    """The parts of an environment that half-precision results may depend on."""
    names = ("python", "processor", "threads", "gpu", "driver")
    return {**environment.packages, **{name: getattr(environment, name) for name in names}}


@contextmanager
def open_run(
    manifest: Manifest, conversations: Iterable[Conversation], runs: Path, *, fresh: bool
) -> Iterator[OpenRun]:
    """The run with the manifest's key: the newest existing one, to be continued, or a new one.

    A complete run is yielded as it is; nothing is generated twice unless `fresh` is true. The key's lock is held
    meanwhile. Raises `RunFailed` if another process holds it.
    """
    with hold_lock(run_lock(runs, manifest.key), "this run"):
        same = [] if fresh else [run for run in runs_in(runs) if run.manifest.key == manifest.key]
        if same:
            run = OpenRun(same[-1].folder, same[-1].manifest)
            run.requested = manifest
            # The terms of judging may change without a new measurement. Other metrics need one: see `finish`.
            if run.manifest.protocol == manifest.protocol and not run.is_judged_as_requested:
                run.update(**run.requested_changes)
            yield run
        else:
            yield _create(manifest, conversations, runs)


def _create(manifest: Manifest, conversations: Iterable[Conversation], runs: Path) -> OpenRun:
    folder, number = runs / manifest.id, 1
    while folder.exists():
        number += 1
        folder = runs / f"{manifest.id}-{number}"
    run = OpenRun(folder, msgspec.structs.replace(manifest, id=folder.name))
    try:
        write_lines(folder / "conversations.jsonl", conversations)
        run.record_environment()
        # The manifest is written last: a kill before leaves a folder without one, which is not taken for a run.
        run.update(sums=file_sums(folder, ["conversations.jsonl"]))
    except BaseException:
        # On a full disk, what nothing could continue would take space for nothing.
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return run
