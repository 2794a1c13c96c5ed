"""What a score is held against: floors, bounds and the humans, and what each metric sees of a spoilt summary.

Both depend on the data set and its metrics alone, not on any model, so each is measured once and kept beside the runs:
`yardsticks/<key>/controls.json` and `validity.json`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from ..data.splits import unscored
from ..errors import LiftbenchError, UsageError
from ..extension.loader import Plugins
from ..files import digest, read_record, write_atomic
from ..measuring.plan import Measurement, postprocess
from ..measuring.score import metric_info, values
from ..metrics.base import Metric
from ..progress import Progress
from ..records.conversation import Conversation
from ..records.run import SCHEMA, MetricInfo, Protocol
from .control import Control, ControlRequest


class SystemScores(Struct, frozen=True, kw_only=True):
    """What a system without a model, or the humans themselves, score on the conversations of a protocol."""

    name: str
    role: Literal["floor", "bound", "humans"]
    """`floor`: a control; `bound`: a control that saw the references; `humans`: the references, leave one out."""
    note: str = ""
    """What it settled on: the constant's own words, …"""
    scores: dict[str, list[float | None]] = {}
    """Metric name → a value for each of `ControlScores.ids`; None where there is none (a single reference left out
    leaves nothing to compare it with)."""
    texts: list[str] = []
    """One for each of `ControlScores.ids`; none of humans, who wrote several."""
    missing: str = ""
    """Why there are no scores, if there are none."""


class ControlScores(Struct, frozen=True, kw_only=True):
    """`controls.json`: floors, bounds and the human ceiling for one data set and its metrics."""

    schema: int = SCHEMA
    key: str
    """Hash of all that they depend on (see `controls.py`)."""
    dataset: str
    split: str
    metrics: list[MetricInfo]
    ids: list[str]
    rows: list[SystemScores]


T = TypeVar("T")

VERSION = 2
"""Raised when the same data and metrics would give other figures than before."""

HUMANS = "humans, leave one out"


class FloorCache(Struct, frozen=True, kw_only=True):
    """Where the controls of a protocol are kept."""

    folder: Path
    key: str

    @property
    def controls(self) -> Path:
        return self.folder / self.key[:16] / "controls.json"

    @property
    def validity(self) -> Path:
        return self.folder / self.key[:16] / "validity.json"


def floor_cache(protocol: Protocol, training: str, seed: int, plugins: Plugins, runs: Path) -> FloorCache:
    """Where the controls of a protocol are, or will be; `training` is the training split's fingerprint."""
    controls = sorted((spec.name, spec.target, spec.distribution) for spec in plugins.specs if spec.kind == "control")
    # Token budgets are not in it: no yardstick is generated.
    how = (protocol.fingerprint, protocol.conversations, protocol.postprocess, protocol.metrics)
    about = (*how, training, controls, seed, VERSION, SCHEMA)
    return FloorCache(folder=runs.resolve().parent / "yardsticks", key=digest(*about))


def floor_cache_of(measurement: Measurement, seed: int, plugins: Plugins, runs: Path) -> FloorCache:
    """Where the controls of what is measured are, or will be."""
    return floor_cache(measurement.protocol, measurement.training_fingerprint, seed, plugins, runs)


def read_cached(path: Path, kind: type[T]) -> T | None:
    """A record that is kept; one that cannot be read is measured again."""
    try:
        return read_record(path, kind)
    except UsageError:
        return None


def measure_controls(
    measurement: Measurement, place: FloorCache, seed: int, plugins: Plugins, progress: Progress
) -> ControlScores:
    """Every control and the humans on every metric: read where they are kept, else measured and kept.

    A control that cannot be had (it learns, and there is no training split) is in it with the reason.
    """
    if (there := read_cached(place.controls, ControlScores)) is not None:
        return there
    conversations = [measurement.conversations[id_] for id_ in measurement.scored]
    specs = [spec for spec in plugins.specs if spec.kind == "control"]
    training = tuple(unscored(measurement.training, list(measurement.conversations.values())))
    rows = []
    for done, spec in enumerate(specs):
        progress(done, len(specs) + 1, spec.name)
        request = ControlRequest(training=training, seed=seed)
        try:
            control: Control = plugins.load(plugins.find("control", spec.name))(request)
        except LiftbenchError as error:
            rows.append(SystemScores(name=spec.name, role="floor", missing=error.line))
            continue
        # A floor cannot look at what it is scored by.
        shown = conversations if control.role == "bound" else [_bare(one) for one in conversations]
        texts = [postprocess(text) for text in control.write(shown)]
        scores = {metric.name: values(metric, texts, conversations) for metric in measurement.metrics}
        rows.append(SystemScores(name=spec.name, role=control.role, note=control.note, scores=scores, texts=texts))
    progress(len(specs), len(specs) + 1, HUMANS)
    rows.append(_humans(conversations, measurement.metrics))
    progress(len(specs) + 1, len(specs) + 1, "done")
    found = ControlScores(
        key=place.key,
        dataset=measurement.protocol.dataset,
        split=measurement.protocol.split,
        metrics=[metric_info(metric) for metric in measurement.metrics],
        ids=measurement.scored,
        rows=rows,
    )
    write_atomic(place.controls, found)
    return found


def _humans(conversations: Sequence[Conversation], metrics: Sequence[Metric]) -> SystemScores:
    """Each reference against the others of its conversation, averaged: what a human scores against humans."""
    pairs = [(place, *left_out) for place, one in enumerate(conversations) for left_out in leave_one_out(one)]
    scores = {}
    for metric in metrics:
        column = values(metric, [text for _, text, _ in pairs], [others for _, _, others in pairs])
        by_place: list[list[float]] = [[] for _ in conversations]
        for (place, _, _), value in zip(pairs, column, strict=True):
            if value is not None:
                by_place[place].append(value)
        scores[metric.name] = [sum(some) / len(some) if some else None for some in by_place]
    return SystemScores(name=HUMANS, role="humans", scores=scores)


def _bare(conversation: Conversation) -> Conversation:
    return replace(conversation, references=(), extracts=(), facts=(), false_facts=())


def leave_one_out(conversation: Conversation) -> list[tuple[str, Conversation]]:
    """Each reference with its conversation as the other references describe it."""
    references = conversation.references
    return [
        (text, replace(conversation, references=(*references[:at], *references[at + 1 :])))
        for at, text in enumerate(references)
    ]
