"""Promoted baselines: one measured run in one small file that lies in the repository, `baselines/NAME.json`.

The file holds what a later run is compared with: figures, a line of scores for each conversation, the protocol, the
environment, and the reason for the promotion. It contains no conversations, and no summaries unless asked for: it keeps
hashes of the run's texts, and sketches of the controls' texts. The same run gives the same bytes, so a change that
shows in review is a change of what was measured."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import NamedTuple, Self

import msgspec
from msgspec import Struct

from ..data.similarity.sketches import is_sketch
from ..errors import PrerequisiteError, UsageError, unknown
from ..files import BAD_JSON
from ..floors.control_scores import HUMANS, ControlScores, SystemScores
from ..floors.traces import Trace
from ..recipe.rules import KEYWORDS, QUANTITIES
from ..records.conversation import Conversation
from ..records.run import Environment, Finding, Manifest, Prediction, RunSummary
from ..records.training import TrainingRow, TrainingSummary
from .context import RESERVED

SCHEMA = 1
"""Schema version of promoted files; incremented when an older suite could misread a newer file."""


SAME_MEAN = 1e-9
"""The most that two means of the same scores may differ, since the order of summing differs."""


class Measured(Struct, frozen=True, kw_only=True):
    """A run without its conversations and texts."""

    manifest: Manifest
    """The run's manifest without the command line, the plan, the origins of values and local paths."""
    environment: Environment | None
    summary: RunSummary
    training: TrainingSummary | None = None


class Mean(Struct, frozen=True, kw_only=True):
    """A mean with the bounds of its 95% interval."""

    mean: float | None
    low: float | None
    high: float | None


class Version(Struct, frozen=True, kw_only=True):
    """One promotion under a name; the trend of a baseline is the list of its versions."""

    number: int
    """Counted from 1."""
    run: str
    created: str
    """When the run was created, UTC, ISO 8601."""
    why: str
    liftbench: str
    commit: str | None
    protocol: str
    """sha256 of the protocol: figures of different protocols do not form a trend."""
    means: dict[str, Mean]
    """Headline → its mean."""


class Floor(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A control that was measured under the run's protocol."""

    name: str
    missing: str = ""
    """Why it could not be measured; empty where it was."""


class Sample(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One conversation: a line of the file."""

    id: str
    sha256: str
    """Hash of the summary."""
    scores: dict[str, float | None]
    """Metric → value."""
    text: str | None = None
    """The summary; None unless texts were asked for."""
    prompted_sha256: str = ""
    """Hash of the summary with the best prompt; empty where none was measured."""
    prompted: dict[str, float | None] = {}
    """Metric → value with the best prompt."""
    humans: dict[str, float | None] = {}
    """Metric → the humans' value, leave one out."""
    floors: dict[str, dict[str, float | None]] = {}
    """Headline → control → value."""
    traces: dict[str, Trace] = {}
    """Control → trace of its text; empty in files of older versions."""


class Promoted(Struct, frozen=True, kw_only=True):
    """The contents of `baselines/NAME.json`."""

    schema: int = SCHEMA
    name: str
    versions: list[Version]
    """The promotions, oldest first; the file holds the figures of the last one."""
    measured: Measured
    best_prompted: Measured | None = None
    """The same model with the best prompt that was known at the promotion; None where none was measured."""
    floors: list[Floor] = []
    """The controls; empty where controls and humans were not measured."""
    samples: list[Sample]
    """The conversations in the order of the data, which intervals depend on."""

    def run(self, conversations: Sequence[Conversation] = ()) -> PromotedRun:
        """The promoted baseline as a run, over the conversations of a run with the same protocol."""
        rows = {row.id: _Row(row.sha256, row.text, row.scores) for row in self.samples}
        return PromotedRun(self.measured, rows, conversations)

    def best_prompt(self, conversations: Sequence[Conversation] = ()) -> PromotedRun | None:
        """The model with its best prompt as a run; None where none was measured."""
        if self.best_prompted is None:
            return None
        rows = {row.id: _Row(row.prompted_sha256, None, row.prompted) for row in self.samples}
        return PromotedRun(self.best_prompted, rows, conversations)

    @property
    def controls(self) -> ControlScores | None:
        """Controls (on the headlines) and humans (on every metric); None where they were not measured."""
        if not self.floors:
            return None
        manifest = self.measured.manifest
        metrics = [row.info for row in self.measured.summary.metrics]
        traced = set.intersection(*(set(row.traces) for row in self.samples)) if self.samples else set()
        rows = [
            SystemScores(
                name=floor.name,
                role="floor",
                missing=floor.missing,
                scores={} if floor.missing else {
                    metric: [row.floors[metric][floor.name] for row in self.samples] for metric in manifest.headlines
                },
                traces=[row.traces[floor.name] for row in self.samples] if floor.name in traced else [],
            )
            for floor in self.floors
        ]  # fmt: skip
        humans = {one.name: [row.humans.get(one.name) for row in self.samples] for one in metrics}
        rows.append(SystemScores(name=HUMANS, role="humans", scores=humans))
        return ControlScores(
            key="",
            dataset=manifest.protocol.dataset,
            split=manifest.protocol.split,
            metrics=metrics,
            ids=[row.id for row in self.samples],
            rows=rows,
        )


class _Row(NamedTuple):
    sha256: str
    text: str | None
    scores: dict[str, float | None]


class PromotedRun:
    """A promoted baseline as a `MeasuredRun`. It has only hashes of its texts, unless the texts were promoted."""

    def __init__(self, measured: Measured, rows: Mapping[str, _Row], conversations: Sequence[Conversation]) -> None:
        self.id = measured.manifest.id
        self.manifest = measured.manifest
        self.summary = measured.summary
        self.training = measured.training
        self.training_rows: list[TrainingRow] | None = None
        self.conversations = list(conversations)
        self.scores = {id_: row.scores for id_, row in rows.items()}
        self.text_hashes = {id_: row.sha256 for id_, row in rows.items()}
        self.predictions = {id_: Prediction(id=id_, text=row.text) for id_, row in rows.items() if row.text is not None}
        self.findings: dict[str, list[Finding]] = {}
        self._environment = measured.environment

    def require_complete(self) -> Self:
        """Return the run itself: only complete runs are promoted."""
        return self

    @property
    def environment(self) -> Environment:
        """The run's environment. Raises `UsageError` where it was not recorded."""
        if self._environment is None:
            raise UsageError(f"the environment of {self.id} was not recorded")
        return self._environment


def require_name(name: str) -> None:
    """Raise `UsageError` for a name that is not a valid file name, or that rules use for another system."""
    if not re.fullmatch(r"[A-Za-z](?:[\w.]|-(?=\w))*", name):
        raise UsageError(
            f"{name!r} is not a valid baseline name",
            "A name begins with a letter and has letters, digits, '-' and '.' only.",
        )
    if name in (*RESERVED, *KEYWORDS, *QUANTITIES):
        raise UsageError(f"{name!r} has a special meaning in rules", "Choose another name for the baseline.")


def read_promoted(name: str, folder: Path) -> Promoted:
    """Read a promoted baseline by name. Raises `PrerequisiteError`, which says how to get one, where it is missing."""
    path = folder / f"{name}.json"
    try:
        data = path.read_bytes()
        header = msgspec.json.decode(data, type=_Header)
        if header.schema > SCHEMA:
            raise PrerequisiteError(f"{path} was written by a newer liftbench", "Upgrade liftbench.")
        promoted = msgspec.json.decode(data, type=Promoted)
        if problem := _problem(promoted, name):
            raise UsageError(f"{path} is damaged: {problem}", "Promote it again from its run.")
        return promoted
    except FileNotFoundError as error:
        found = promoted_in(folder)
        similar = f"{unknown('baseline', name, found).fix} " if found else ""
        raise PrerequisiteError(
            f"there is no promoted baseline {name!r} in {folder.resolve()}",
            f"{similar}`bench baseline` measures one, and `bench promote RUN {name}` keeps it there.",
        ) from error
    except (OSError, *BAD_JSON) as error:
        raise UsageError(f"{path} is not a promoted baseline, or is damaged: {error}") from error


def promoted_in(folder: Path) -> list[str]:
    """The names of the promoted baselines in a folder, which may hold other files, too."""
    names = []
    for path in folder.glob("*.json"):
        try:
            msgspec.json.decode(path.read_bytes(), type=_Header)
        except (OSError, *BAD_JSON):
            continue
        names.append(path.stem)
    return sorted(names)


def _problem(promoted: Promoted, name: str) -> str:
    """What is wrong with a file that could be parsed; empty if nothing is."""
    if promoted.name != name:
        return f"it calls itself {promoted.name!r}"
    if not promoted.versions:
        return "it has no version"
    if len({row.id for row in promoted.samples}) < len(promoted.samples):
        return "it holds a conversation twice"
    controls = {floor.name for floor in promoted.floors if not floor.missing}
    headlines = promoted.measured.manifest.headlines if promoted.floors else ()
    if any(row.floors.get(metric, {}).keys() != controls for row in promoted.samples for metric in headlines):
        return "its controls are not whole"
    if any(not is_sketch(trace.sketch) for row in promoted.samples for trace in row.traces.values()):
        return "what it says of the controls' texts cannot be read"
    measured = [(promoted.measured, [row.scores for row in promoted.samples])]
    if promoted.best_prompted:
        measured.append((promoted.best_prompted, [row.prompted for row in promoted.samples]))
    return next(filter(None, (_wrong_mean(one.summary, rows) for one, rows in measured)), "")


def _wrong_mean(summary: RunSummary, rows: Sequence[Mapping[str, float | None]]) -> str:
    """How a mean in a run's summary differs from that of its conversations' scores; empty if none does."""
    for metric in summary.metrics:
        values = [value for row in rows if (value := row.get(metric.name)) is not None]
        mean = fmean(values) if values else None
        if len(values) != metric.n or (mean is None) != (metric.mean is None):
            return f"its conversations have {len(values)} scores on {metric.name}, its summary {metric.n}"
        if mean is not None and metric.mean is not None and abs(mean - metric.mean) > SAME_MEAN:
            return f"its conversations' mean on {metric.name} is {mean:.6g}, its summary's {metric.mean:.6g}"
    return ""


class _Header(Struct, frozen=True, kw_only=True):
    """The keys that distinguish a promoted file from other files."""

    schema: int
    name: str
    versions: list[msgspec.Raw]
    samples: list[msgspec.Raw]
