"""Run directories: what they hold, and how one is found.

```
<utc>-<system>-<dataset>-<key>/
  manifest.json  environment.json  conversations.jsonl  predictions.jsonl  scores.jsonl  summary.json
  timing.jsonl  shards.json  training/  tuning/
```"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from hashlib import sha256
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar

import msgspec

from ..errors import LiftbenchError, PrerequisiteError, UsageError, unknown
from ..files import BAD_JSON, read_lines, read_record
from ..records.conversation import Conversation
from ..records.prompt_search import TuneSummary, TuneTrial
from ..records.run import SCHEMA, Environment, Finding, Manifest, Prediction, RunSummary, SampleScores
from ..records.training import CurvePoint, TrainingRow, TrainingSummary
from ..stored_rows import make_each, read_rows
from ..text.html_table import html_table
from ..text.phrases import metric_label, name_run, pluralize
from .sums import changed_files, require_unchanged
from .timing import timed_by_id

T = TypeVar("T")


class Run:
    """A run directory, read on demand.

    Reading raises `UsageError` where a file is missing, broken or of a newer schema, and where a file of a complete run
    is not the one that the run was completed with.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest: Manifest = _read_manifest(folder)

    @property
    def id(self) -> str:
        return self.manifest.id

    @property
    def changed(self) -> list[str]:
        """Files that are missing or are not those that the run was completed with."""
        return changed_files(self.folder, self.manifest)

    def _own(self, name: str) -> Path:
        """The path of a file of the run. Raises `UsageError` where the file is not the run's own."""
        require_unchanged(self.folder, self.manifest, [name])
        return self.folder / name

    @cached_property
    def environment(self) -> Environment:
        return read_record(self.folder / "environment.json", Environment)

    @cached_property
    def conversations(self) -> Sequence[Conversation]:
        """The scored conversations, in the order of the data set."""
        return self._rows("conversations.jsonl", Conversation)

    @cached_property
    def predictions(self) -> Mapping[str, Prediction]:
        """Id → prediction."""
        return timed_by_id(self.folder, self._rows("predictions.jsonl", Prediction))

    @cached_property
    def text_hashes(self) -> dict[str, str]:
        """Id → sha256 of its text, to compare texts that are not kept."""
        return {id_: sha256(row.text.encode()).hexdigest() for id_, row in self.predictions.items()}

    @cached_property
    def _samples(self) -> Sequence[SampleScores]:
        return self._rows("scores.jsonl", SampleScores)

    def _rows(self, name: str, kind: type[T]) -> Sequence[T]:
        """The rows of a file of the run; those of a run of very many conversations stay on disk."""
        return read_rows(self._own(name), kind, self.manifest.protocol.n)

    @cached_property
    def scores(self) -> Mapping[str, dict[str, float | None]]:
        """Id → metric → value."""
        return make_each(self._samples, attrgetter("scores"))

    @cached_property
    def findings(self) -> Mapping[str, list[Finding]]:
        """Id → the places in the summary that metrics point at, in order."""
        return make_each(self._samples, _sort_findings)

    @cached_property
    def summary(self) -> RunSummary:
        return read_record(self._own("summary.json"), RunSummary)

    @cached_property
    def curve(self) -> list[CurvePoint]:
        """The training curve, empty where nothing was trained."""
        path = self.folder / "training" / "curve.jsonl"
        return read_lines(path, CurvePoint) if path.exists() else []

    @cached_property
    def training_rows(self) -> list[TrainingRow] | None:
        """The rows that the adapter was trained on, as hashes; None where they are not known."""
        path = self._own("training/rows.jsonl")
        return read_lines(path, TrainingRow) if path.exists() else None

    @cached_property
    def training(self) -> TrainingSummary | None:
        path = self._own("training/summary.json")
        return read_record(path, TrainingSummary) if path.exists() else None

    @cached_property
    def training_options(self) -> dict[str, Any]:
        """The trainer's options, defaults included; empty where none are recorded."""
        path = self.folder / "training" / "options.json"
        return read_record(path, dict[str, Any]) if path.exists() else {}

    @cached_property
    def tuning(self) -> TuneSummary | None:
        """The result of a search of prompts; None where there was no search, or while it goes on."""
        path = self.folder / "tuning" / "summary.json"
        return read_record(path, TuneSummary) if path.exists() else None

    @cached_property
    def trials(self) -> list[TuneTrial]:
        """The prompts that were tried, in their order; empty where there was no search."""
        path = self.folder / "tuning" / "trials.jsonl"
        return read_lines(path, TuneTrial) if path.exists() else []

    @property
    def adapter(self) -> Path | None:
        """The folder of the adapter, or the whole model, that this run trained."""
        path = self.folder / "training" / "adapter"
        return path if any((path / name).exists() for name in ("adapter_config.json", "config.json")) else None

    def __repr__(self) -> str:
        return f"<Run {name_run(self.id)}: {self.manifest.status}>"

    def _repr_html_(self) -> str:
        """In a notebook: the system, its data, the status and what was trained, then the metrics."""
        manifest, protocol = self.manifest, self.manifest.protocol
        about = (
            f"{manifest.system.name} on {pluralize(protocol.n, 'conversation')} of {protocol.dataset} {protocol.split}"
        )
        rows = []
        status = f"damaged ({', '.join(changed)})" if (changed := self.changed) else manifest.status
        if status == "complete":
            for metric in self.summary.metrics:
                mean = "–" if metric.mean is None else f"{metric.mean:.3f}"
                interval = (
                    "–" if metric.low is None or metric.high is None else f"{metric.low:.3f} to {metric.high:.3f}"
                )
                rows.append([metric_label(metric.name), mean, interval, str(metric.n)])
        lines = [about, f"run {name_run(self.id)}: {status}"]
        if not changed and self.training:
            lines.append(describe_training(self.training))
        return html_table(lines, ["metric", "mean", "95% interval", "conversations"], rows)

    def require_complete(self) -> Self:
        """The run itself. Raises `UsageError`, with the way to finish it, where it is not complete."""
        if self.manifest.shard:
            raise UsageError(
                f"run {self.id} is shard {self.manifest.shard} of a run, and has no scores",
                "`bench merge` joins all shards to one run.",
            )
        if self.manifest.status != "complete":
            verb = "was trained but not scored" if self.manifest.status == "trained" else "is not finished"
            raise UsageError(
                f"run {self.id} {verb}", f"Run the same `bench {self.manifest.command}` command again to continue it."
            )
        return self


def _sort_findings(row: SampleScores) -> list[Finding]:
    return sorted((one for some in row.findings.values() for one in some), key=lambda one: (one.start, one.end))


def describe_training(training: TrainingSummary) -> str:
    """`trained 58 steps on 460 conversations; the best validation loss, 1.85, is that of step 58`."""
    steps = "trained" if training.steps is None else f"trained {pluralize(training.steps, 'step')}"
    words = f"{steps} on {pluralize(training.conversations, 'conversation')}"
    if training.best_validation_loss is None or training.best_step is None:
        return words
    return (
        f"{words}; the best validation loss, {training.best_validation_loss:.2f}, is that of step {training.best_step}"
    )


class UnreadableRun(NamedTuple):
    """A run whose manifest cannot be read."""

    folder: Path
    why: str
    """In one line."""


def read_runs(folder: Path) -> tuple[list[Run], list[UnreadableRun]]:
    """All readable runs of a folder, oldest first, and the others; folders without a manifest are no runs."""
    found, unreadable = [], []
    for manifest in sorted(folder.glob("*/manifest.json")):
        try:
            found.append(Run(manifest.parent))
        except LiftbenchError as error:
            unreadable.append(UnreadableRun(manifest.parent, error.line))
    return sorted(found, key=lambda run: (run.manifest.created, run.id)), unreadable


def runs_in(folder: Path) -> list[Run]:
    """All readable runs of a folder, oldest first."""
    return read_runs(folder)[0]


def run_at(name: str, runs: Path) -> Run | None:
    """The run with this folder or this whole id; None where there is none."""
    folders = (Path(name), runs / name)
    return next((Run(folder) for folder in folders if (folder / "manifest.json").is_file()), None)


def find_run(name: str, runs: Path) -> Run:
    """A run by its folder, its id, or a part of its id that no other run has. Raises `UsageError`."""
    if (run := run_at(name, runs)) is not None:
        return run
    candidates = runs_in(runs)
    matching = [run for run in candidates if name and name in run.id]
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise UsageError(
            f"{name!r} matches {len(matching)} runs: {', '.join(run.id for run in matching)}",
            "Give more of the id, so that one run matches.",
        )
    if Path(name).is_dir():
        raise UsageError(f"{name} is not a run directory: it has no manifest.json")
    raise unknown("run", name, (run.id for run in candidates))


# ------------------------------------------------------------------------------------------------------------ reading


def _read_manifest(folder: Path) -> Manifest:
    path = folder / "manifest.json"
    try:
        raw = msgspec.json.decode(path.read_bytes())
    except FileNotFoundError as error:
        raise UsageError(f"{folder} is not a run directory: it has no manifest.json") from error
    except (OSError, *BAD_JSON) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    schema = raw.get("schema") if isinstance(raw, dict) else None
    if isinstance(schema, int) and schema > SCHEMA:
        raise PrerequisiteError(
            f"{folder.name} was made by a newer liftbench (run schema {schema}, this one reads up to {SCHEMA})",
            "Upgrade liftbench.",
        )
    if isinstance(schema, int) and schema < SCHEMA:
        raise UsageError(f"{folder.name} was made by an older liftbench (run schema {schema})", "Measure it again.")
    try:
        return msgspec.convert(raw, Manifest)
    except msgspec.ValidationError as error:
        raise UsageError(f"{path} is damaged: {error}") from error
