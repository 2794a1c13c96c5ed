"""What a score is compared with: controls and the humans, on every metric of a protocol.

Their scores depend on the data set and its metrics alone, not on any model, so they are measured once and kept in
the folder of the runs, with the validity table (see `validity`): `yardsticks/<key>/controls.json` and `validity.json`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Final, Literal, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from ..data.similarity.novelty import Novelty
from ..data.splits import exclude_scored
from ..errors import LiftbenchError, UsageError
from ..extension.loader import Plugins
from ..files import digest, read_record, write_atomic
from ..measuring.plan import Measurement, postprocess
from ..measuring.score import metric_info, values
from ..metrics.base import Metric
from ..metrics.rouge import Rouge
from ..progress import Progress
from ..records.conversation import Conversation
from ..records.run import SCHEMA, MetricInfo, Protocol
from .control import Control, ControlRequest
from .traces import Trace, trace_texts


class SystemScores(Struct, frozen=True, kw_only=True):
    """Scores of one system without a model, or of the humans, on the conversations of a protocol."""

    name: str
    role: Literal["floor", "bound", "consensus", "humans"]
    """`floor`: a control; `bound`: a control that saw the references; `humans`: the references, leave one out;
    `consensus`: the most central reference of each conversation, for information only: never the end of a position."""
    note: str = ""
    """What the control settled on, such as the words of the constant."""
    scores: dict[str, list[float | None]] = {}
    """Metric name → a value for each of `ControlScores.ids`; None where a value is missing (a single reference has no
    other one to be compared with)."""
    texts: list[str] = []
    """One text for each of `ControlScores.ids`; the rows of the humans have no texts."""
    traces: list[Trace] = []
    """A floor's traces, one for each of `ControlScores.ids`; empty where not known (an older promoted baseline)."""
    missing: str = ""
    """Why the system has no scores; empty where it has."""


class ControlScores(Struct, frozen=True, kw_only=True):
    """`controls.json`: floors, bounds and the human ceiling for one data set and its metrics."""

    schema: int = SCHEMA
    key: str
    """Hash of everything that the scores depend on (see `floor_cache`)."""
    dataset: str
    split: str
    metrics: list[MetricInfo]
    ids: list[str]
    rows: list[SystemScores]


T = TypeVar("T")

YARDSTICKS = "yardsticks"
"""The subfolder of the runs that keeps controls and validity tables."""

VERSION = 3
"""Incremented when the same data and metrics would give other figures than before."""

HUMANS = "humans, leave one out"

CONSENSUS = "consensus (most central reference)"

CENTRAL: Final = "rougeL"
"""The metric that says which reference is most central."""


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
    """Where the controls of a protocol are or will be kept; `training` is the training split's fingerprint."""
    controls = sorted((spec.name, spec.target, spec.distribution) for spec in plugins.specs if spec.kind == "control")
    # The key leaves out token budgets, because no model generates the controls.
    how = (protocol.fingerprint, protocol.conversations, protocol.postprocess, protocol.metrics)
    about = (*how, training, controls, seed, VERSION, SCHEMA)
    return FloorCache(folder=runs.resolve() / YARDSTICKS, key=digest(*about))


def floor_cache_of(measurement: Measurement, seed: int, plugins: Plugins, runs: Path) -> FloorCache:
    """Where the controls of a measurement are or will be kept."""
    return floor_cache(measurement.protocol, measurement.training_fingerprint, seed, plugins, runs)


def rank_controls(controls: ControlScores, metric: str) -> list[SystemScores]:
    """The controls that saw no reference and have a value on a metric, the best mean first."""
    lower = next((info.direction == "lower" for info in controls.metrics if info.name == metric), False)
    means = {}
    for row in controls.rows:
        known = [value for value in row.scores.get(metric, ()) if value is not None]
        if row.role == "floor" and known:
            means[row.name] = fmean(known)
    ranked = sorted(means, key=lambda name: means[name] if lower else -means[name])
    rows = {row.name: row for row in controls.rows}
    return [rows[name] for name in ranked]


def read_cached(path: Path, kind: type[T]) -> T | None:
    """A kept record; None where there is none, or it cannot be read and has to be measured again."""
    try:
        return read_record(path, kind)
    except UsageError:
        return None


def measure_controls(
    measurement: Measurement, place: FloorCache, seed: int, plugins: Plugins, progress: Progress
) -> ControlScores:
    """Every control and the humans on every metric: read where they are kept, else measured and kept.

    A control that cannot be measured (it learns, and there is no training split) is listed with the reason.
    """
    if (there := read_cached(place.controls, ControlScores)) is not None:
        return there
    conversations = [measurement.conversations[id_] for id_ in measurement.scored]
    specs = [spec for spec in plugins.specs if spec.kind == "control"]
    training = tuple(exclude_scored(measurement.training, list(measurement.conversations.values())))
    novelty = Novelty(conversations)
    rows = []
    for done, spec in enumerate(specs):
        progress(done, len(specs) + 1, spec.name)
        request = ControlRequest(training=training, seed=seed)
        try:
            control: Control = plugins.load(plugins.find("control", spec.name))(request)
        except LiftbenchError as error:
            rows.append(SystemScores(name=spec.name, role="floor", missing=error.line))
            continue
        # Floors are given conversations without the references that they are scored against.
        shown = conversations if control.role == "bound" else [_bare(one) for one in conversations]
        texts = [postprocess(text) for text in control.write(shown)]
        scores = {metric.name: values(metric, texts, conversations) for metric in measurement.metrics}
        traces = trace_texts(texts, novelty) if control.role == "floor" else []
        rows.append(
            SystemScores(
                name=spec.name, role=control.role, note=control.note, scores=scores, texts=texts, traces=traces
            )
        )
    progress(len(specs), len(specs) + 1, HUMANS)
    rows += _human_rows(conversations, measurement.metrics)
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


def _human_rows(conversations: Sequence[Conversation], metrics: Sequence[Metric]) -> list[SystemScores]:
    """What humans score against humans: the most central reference of each conversation, and all of them, averaged.

    Each reference is scored against the others of its conversation. The central one has the highest `CENTRAL`, and the
    first of equals is taken; a conversation needs three references, since neither of two is more central. The row is
    optimistic, because the scores that choose a reference are also its result: on TweetSumm's validation split 0.399
    ROUGE-L (100 conversations) against 0.355 of all references. It bounds agreement, and is not a ceiling to reach.
    Without a conversation of three references the row is left out.
    """
    pairs = [(place, *left_out) for place, one in enumerate(conversations) for left_out in leave_one_out(one)]
    texts, others = [text for _, text, _ in pairs], [against for _, _, against in pairs]
    places = [place for place, _, _ in pairs]
    columns = {metric.name: values(metric, texts, others) for metric in metrics}
    agreement = columns.get(CENTRAL) or values(Rouge(CENTRAL), texts, others)
    central: dict[int, int] = {}
    for at, place in enumerate(places):
        if len(others[at].references) < 2:
            continue
        best = central.setdefault(place, at)
        if (agreement[at] or 0.0) > (agreement[best] or 0.0):
            central[place] = at

    consensus: dict[str, list[float | None]] = {}
    means: dict[str, list[float | None]] = {}
    for name, column in columns.items():
        consensus[name] = [column[central[place]] if place in central else None for place in range(len(conversations))]
        known: list[list[float]] = [[] for _ in conversations]
        for place, value in zip(places, column, strict=True):
            if value is not None:
                known[place].append(value)
        means[name] = [sum(some) / len(some) if some else None for some in known]
    note = "chosen by its ROUGE-L against the others, so optimistic"
    humans = SystemScores(name=HUMANS, role="humans", scores=means)
    return [*([SystemScores(name=CONSENSUS, role="consensus", note=note, scores=consensus)] if central else []), humans]


def _bare(conversation: Conversation) -> Conversation:
    return replace(conversation, references=(), extracts=(), facts=(), false_facts=())


def leave_one_out(conversation: Conversation) -> list[tuple[str, Conversation]]:
    """Each reference, with its conversation holding only the other references."""
    references = conversation.references
    return [
        (text, replace(conversation, references=(*references[:at], *references[at + 1 :])))
        for at, text in enumerate(references)
    ]
