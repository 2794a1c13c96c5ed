"""What a score is held against: floors, bounds and the humans, and what each metric sees of a spoilt summary.

Both depend on the data set and its metrics alone, not on any model, so each is measured once and kept beside the runs:
`yardsticks/<key>/controls.json` and `validity.json`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from ..data.splits import unscored
from ..errors import LiftbenchError, UsageError
from ..extension.loader import Plugins
from ..files import digest, read_record, write_atomic
from ..measuring.harness import metric_info, values
from ..measuring.plan import Measurement, postprocess, prepare
from ..metrics.base import Metric
from ..progress import Progress
from ..recipe.resolve import ResolvedRecipe
from ..recipe.sections import Recipe
from ..records.conversation import Conversation
from ..records.run import SCHEMA, MetricInfo, Protocol
from ..runs.directory import Run
from ..statistics import intervals
from ..text.phrases import listed
from .control import Control, ControlRequest
from .corruptions import CORRUPTIONS, Case, Material
from .validity import Cost, Validity


class Yardstick(Struct, frozen=True, kw_only=True):
    """What a system without a model, or the humans themselves, score on the conversations of a protocol."""

    name: str
    role: Literal["floor", "bound", "humans"]
    """`floor`: a control; `bound`: a control that saw the references; `humans`: the references, leave one out."""
    note: str = ""
    """What it settled on: the constant's own words, …"""
    scores: dict[str, list[float | None]] = {}
    """Metric name → a value for each of `Yardsticks.ids`; None where there is none (a single reference left out leaves
    nothing to compare it with)."""
    texts: list[str] = []
    """One for each of `Yardsticks.ids`; none of humans, who wrote several."""
    missing: str = ""
    """Why there are no scores, if there are none."""


class Yardsticks(Struct, frozen=True, kw_only=True):
    """`controls.json`: floors, bounds and the human ceiling for one data set and its metrics."""

    schema: int = SCHEMA
    key: str
    """Hash of all that they depend on (see `yardsticks.py`)."""
    dataset: str
    split: str
    metrics: list[MetricInfo]
    ids: list[str]
    rows: list[Yardstick]


VERSION = 2
"""Raised when the same data and metrics would give other figures than before."""

HUMANS = "humans, leave one out"

FLOOR = "another-conversation"
"""The corruption that is the floor: a good summary, of something else."""


class Kept(Struct, frozen=True, kw_only=True):
    """Where the yardsticks of a protocol are kept."""

    folder: Path
    key: str

    @property
    def controls(self) -> Path:
        return self.folder / self.key[:16] / "controls.json"

    @property
    def validity(self) -> Path:
        return self.folder / self.key[:16] / "validity.json"


def kept(protocol: Protocol, training: str, seed: int, plugins: Plugins, runs: Path) -> Kept:
    """Where the yardsticks of a protocol are, or will be; `training` is the training split's fingerprint."""
    controls = sorted((spec.name, spec.target, spec.distribution) for spec in plugins.specs if spec.kind == "control")
    # Token budgets are not in it: no yardstick is generated.
    how = (protocol.fingerprint, protocol.conversations, protocol.postprocess, protocol.metrics)
    about = (*how, training, controls, seed, VERSION, SCHEMA)
    return Kept(folder=runs.resolve().parent / "yardsticks", key=digest(*about))


def place_of(measurement: Measurement, seed: int, plugins: Plugins, runs: Path) -> Kept:
    """Where the yardsticks of what is measured are, or will be."""
    return kept(measurement.protocol, measurement.training_fingerprint, seed, plugins, runs)


def _there(path: Path, kind: type[Record]) -> Record | None:
    """A record that is kept; one that cannot be read is measured again."""
    try:
        return read_record(path, kind)
    except UsageError:
        return None


class Beside(Struct, frozen=True, kw_only=True):
    """What stands beside a comparison."""

    yardsticks: Yardsticks | None = None
    validity: Validity | None = None
    missing: dict[str, str] = {}
    """`controls`, `validity` → why it could not be had."""


def beside(run: Run, plugins: Plugins, on_controls: Progress, on_validity: Progress) -> Beside:
    """The yardsticks of a run's protocol: as they are kept, else measured now from the run's own recipe.

    What cannot be had (the data are gone, or are no longer what they were) is missing, with the reason.
    """
    manifest = run.manifest
    place = kept(manifest.protocol, manifest.training, manifest.seed, plugins, run.folder.resolve().parent)
    kept_controls, kept_validity = _there(place.controls, Yardsticks), _there(place.validity, Validity)
    if kept_controls and kept_validity:
        return Beside(yardsticks=kept_controls, validity=kept_validity)
    try:
        measurement = measured_again(run, plugins)
        yardsticks = controls(measurement, place, manifest.seed, plugins, on_controls)
    except LiftbenchError as error:
        return Beside(missing={"controls": str(error), "validity": str(error)})
    try:
        table = validity(measurement, place, manifest.seed, plugins, on_validity)
    except LiftbenchError as error:
        return Beside(yardsticks=yardsticks, missing={"validity": str(error)})
    return Beside(yardsticks=yardsticks, validity=table)


def measured_again(run: Run, plugins: Plugins, names: Sequence[str] = ()) -> Measurement:
    """What a run was measured by, made again from its recipe, with all of its metrics or those of some `names` alone.

    Raises `UsageError` saying what differs where the data set or a metric is no longer what it was.
    """
    recipe = msgspec.convert(run.manifest.recipe, Recipe)
    if names:
        recipe = replace(recipe, metrics=replace(recipe.metrics, names=tuple(names), extra=(), checkers=()))
    measurement = prepare(ResolvedRecipe(name="", recipe=recipe, origins=run.manifest.origins), plugins)
    then, now = run.manifest.protocol, measurement.protocol
    signatures = {name: then.metrics.get(name) for name in names or then.metrics}
    differing = [name for name in {**signatures, **now.metrics} if signatures.get(name) != now.metrics.get(name)]
    same_data = measurement.training_fingerprint == run.manifest.training
    if not same_data or replace(now, metrics={}) != replace(then, metrics={}):
        differing.insert(0, "the data set")
    if differing:
        raise UsageError(f"no longer those that {run.id} was measured with: {listed(differing)}; measure it again")
    return measurement


def controls(measurement: Measurement, place: Kept, seed: int, plugins: Plugins, progress: Progress) -> Yardsticks:
    """Every control and the humans on every metric: read where they are kept, else measured and kept.

    A control that cannot be had (it learns, and there is no training split) is in it with the reason.
    """
    if (there := _there(place.controls, Yardsticks)) is not None:
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
            rows.append(Yardstick(name=spec.name, role="floor", missing=str(error)))
            continue
        # A floor cannot look at what it is scored by.
        shown = conversations if control.role == "bound" else [_bare(one) for one in conversations]
        texts = [postprocess(text) for text in control.write(shown)]
        scores = {metric.name: values(metric, texts, conversations) for metric in measurement.metrics}
        rows.append(Yardstick(name=spec.name, role=control.role, note=control.note, scores=scores, texts=texts))
    progress(len(specs), len(specs) + 1, HUMANS)
    rows.append(_humans(conversations, measurement.metrics))
    progress(len(specs) + 1, len(specs) + 1, "done")
    found = Yardsticks(
        key=place.key,
        dataset=measurement.protocol.dataset,
        split=measurement.protocol.split,
        metrics=[metric_info(metric) for metric in measurement.metrics],
        ids=measurement.scored,
        rows=rows,
    )
    write_atomic(place.controls, found)
    return found


def _humans(conversations: Sequence[Conversation], metrics: Sequence[Metric]) -> Yardstick:
    """Each reference against the others of its conversation, averaged: what a human scores against humans."""
    pairs = [(place, *left_out) for place, one in enumerate(conversations) for left_out in _leave_one_out(one)]
    scores = {}
    for metric in metrics:
        column = values(metric, [text for _, text, _ in pairs], [others for _, _, others in pairs])
        by_place: list[list[float]] = [[] for _ in conversations]
        for (place, _, _), value in zip(pairs, column, strict=True):
            if value is not None:
                by_place[place].append(value)
        scores[metric.name] = [sum(some) / len(some) if some else None for some in by_place]
    return Yardstick(name=HUMANS, role="humans", scores=scores)


def _bare(conversation: Conversation) -> Conversation:
    return replace(conversation, references=(), extracts=(), facts=(), false_facts=())


def _leave_one_out(conversation: Conversation) -> list[tuple[str, Conversation]]:
    references = conversation.references
    return [
        (text, replace(conversation, references=(*references[:at], *references[at + 1 :])))
        for at, text in enumerate(references)
    ]


# ----------------------------------------------------------------------------------------------------------- validity


class _Held(Struct, frozen=True):
    """A human summary, what it is held against, and the place of its conversation."""

    place: int
    text: str
    against: Conversation


def validity(measurement: Measurement, place: Kept, seed: int, plugins: Plugins, progress: Progress) -> Validity:
    """What each corruption of the human summaries costs on each metric, as a share of the human-to-floor range.

    The floor is another conversation's summary. Every human summary is corrupted and, like its untouched self, held
    against the other summaries of its conversation; a conversation's value is the mean of its summaries. Where no
    conversation has a second summary, each is held against itself, and the table says so. Metrics of form are left out:
    nothing is true or false about a length. Read where it is kept, else measured and kept.
    """
    if (there := _there(place.validity, Validity)) is not None:
        return there
    conversations = [measurement.conversations[id_] for id_ in measurement.scored]
    cases = [
        _Held(at, text, against)
        for at, one in enumerate(conversations)
        for text, against in _leave_one_out(one)
        if against.references
    ]
    against_itself = not cases
    if against_itself:
        cases = [_Held(at, one.references[0], one) for at, one in enumerate(conversations) if one.references]
    if not cases:
        raise UsageError("no conversation has a human summary, so there is nothing to corrupt")
    written = {
        row.name: dict(zip(measurement.scored, row.texts, strict=True))
        for row in controls(measurement, place, seed, plugins, progress).rows
        if row.texts
    }
    material = Material(conversations, training=measurement.training, written=written, seed=seed)
    spoilt = {
        name: [corruption.apply(Case(conversations[case.place], case.text, material)) for case in cases]
        for name, corruption in CORRUPTIONS.items()
    }
    metrics = [metric for metric in measurement.metrics if metric.sees != "form"]
    costs: list[Cost] = []
    for done, metric in enumerate(metrics):
        progress(done, len(metrics), metric.name)
        costs += _costs(metric, cases, spoilt, seed)
    progress(len(metrics), len(metrics), "done")
    found = Validity(
        key=place.key,
        dataset=measurement.protocol.dataset,
        split=measurement.protocol.split,
        n=len({case.place for case in cases}),
        against_itself=against_itself,
        metrics=[metric_info(metric) for metric in metrics],
        corruptions={name: corruption.description for name, corruption in CORRUPTIONS.items()},
        costs=costs,
    )
    write_atomic(place.validity, found)
    return found


def _costs(metric: Metric, cases: Sequence[_Held], spoilt: dict[str, list[str | None]], seed: int) -> list[Cost]:
    def scored(texts: Sequence[str | None]) -> list[float | None]:
        """None where a text could not be made."""
        there = [(at, text) for at, text in enumerate(texts) if text is not None]
        found: list[float | None] = [None] * len(texts)
        scores = values(metric, [text for _, text in there], [cases[at].against for at, _ in there])
        for (at, _), score in zip(there, scores, strict=True):
            found[at] = score
        return found

    columns = {name: scored(texts) for name, texts in spoilt.items()}
    human = scored([case.text for case in cases])
    return [_cost(metric, name, cases, human, column, columns[FLOOR], seed) for name, column in columns.items()]


def _cost(
    metric: Metric,
    name: str,
    cases: Sequence[_Held],
    human: Sequence[float | None],
    corrupted: Sequence[float | None],
    floor: Sequence[float | None],
    seed: int,
) -> Cost:
    by_place: dict[int, list[tuple[float, float, float]]] = {}
    for case, *three in zip(cases, human, corrupted, floor, strict=True):
        whole = tuple(value for value in three if value is not None)
        if len(whole) == 3:
            by_place.setdefault(case.place, []).append(whole)
    means = [[sum(column) / len(column) for column in zip(*some, strict=True)] for some in by_place.values()]
    if not means:
        return Cost(
            corruption=name, metric=metric.name, n=0, human=None, corrupted=None, cost=None, low=None, high=None,
            problem="it could be applied to no summary, or the metric gave no number",
        )  # fmt: skip
    before, after, bottom = (list(column) for column in zip(*means, strict=True))
    # A position between the floor (0) and the humans (1); its distance from the humans is the cost.
    found = intervals.position(after, bottom, before, seed=seed)
    return Cost(
        corruption=name,
        metric=metric.name,
        n=len(means),
        human=sum(before) / len(before),
        corrupted=sum(after) / len(after),
        cost=None if found.value is None else 1 - found.value,
        low=None if found.high is None else 1 - found.high,
        high=None if found.low is None else 1 - found.low,
        problem=found.problem,
    )
