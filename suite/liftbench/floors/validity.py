"""What a metric can and cannot see, in words, from the validity table."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from ..errors import UsageError
from ..extension.loader import Plugins
from ..files import write_atomic
from ..measuring.plan import Measurement
from ..measuring.score import metric_info, values
from ..metrics.base import Metric
from ..progress import Progress
from ..records.conversation import Conversation
from ..records.run import SCHEMA, MetricInfo
from ..statistics.bootstrap import Bootstrap
from ..text.phrases import join_words, metric_label
from .control_scores import FloorCache, leave_one_out, measure_controls, read_cached
from .corruptions import CORRUPTIONS, Case, Material


class Cost(Struct, frozen=True, kw_only=True):
    """What one corruption of the human summaries costs on one metric: a cell of the validity table."""

    corruption: str
    metric: str
    n: int
    """Conversations that the corruption could be applied to."""
    human: float | None
    """Mean of the original summaries over these conversations."""
    corrupted: float | None
    cost: float | None
    """(human - corrupted) / (human - floor): at 0 the metric does not see the corruption, at 1 it scores the summary as
    low as another conversation's."""
    low: float | None
    high: float | None
    """Bounds of its 95% interval (see `Bootstrap.position`)."""
    problem: str = ""
    """Why `cost` is None; empty where it has a number."""


class Validity(Struct, frozen=True, kw_only=True):
    """`validity.json`: which faults of a summary each metric sees."""

    schema: int = SCHEMA
    key: str
    dataset: str
    split: str
    n: int
    """Conversations whose summaries were corrupted."""
    against_itself: bool
    """Whether a summary was compared with itself, because no conversation has a second one."""
    metrics: list[MetricInfo]
    corruptions: dict[str, str]
    """Corruption → what it does, in a line."""
    costs: list[Cost]


BLIND, SEEN = 0.1, 0.5
"""A metric does not see a corruption if the upper bound of its cost is below `BLIND` of the human-to-floor range, and
sees it if the lower bound is above `SEEN`."""


def describe_validity(validity: Validity, metric: str) -> str:
    """A sentence that says which faults of a summary a metric can and cannot see.

    It names only the corruptions whose intervals settle that; the cost of the others lies in between.
    """
    costs = [cost for cost in validity.costs if cost.metric == metric and cost.corruption != FLOOR and not cost.problem]
    if not costs:
        return f"{metric_label(metric)}: nothing could be measured."
    blind = [_name_corruption(cost) for cost in costs if cost.high is not None and cost.high < BLIND]
    seen = [_name_corruption(cost) for cost in costs if cost.low is not None and cost.low > SEEN]
    fooled = [_name_corruption(cost) for cost in costs if cost.high is not None and cost.high < 0]
    blind = [name for name in blind if name not in fooled]
    words = []
    if fooled:
        words.append(f"prefers {join_words(fooled)} to the humans' own")
    if blind:
        words.append(f"cannot see {join_words(blind)}")
    if seen:
        words.append(f"sees {join_words(seen)}")
    return f"{metric_label(metric)} {'; it '.join(words)}." if words else f"{metric_label(metric)}: nothing is settled."


def _name_corruption(cost: Cost) -> str:
    return cost.corruption.replace("-", " ")


FLOOR = "another-conversation"
"""The corruption that sets the floor: a good summary of another conversation."""


# ----------------------------------------------------------------------------------------------------------- validity


class _HumanSummary(Struct, frozen=True):
    """A human summary, what it is compared with, and the index of its conversation."""

    place: int
    text: str
    against: Conversation


def measure_validity(
    measurement: Measurement, place: FloorCache, seed: int, plugins: Plugins, progress: Progress
) -> Validity:
    """What each corruption of the human summaries costs on each metric, as a share of the human-to-floor range.

    The floor is another conversation's summary. Every human summary, original and corrupted, is compared with the other
    summaries of its conversation; a conversation's value is the mean over its summaries. Where no conversation has a
    second summary, each is compared with itself, and the table says so. Metrics of form are left out, because a length
    cannot be true or false. The table is read where it is kept, else measured and kept.
    """
    if (there := read_cached(place.validity, Validity)) is not None:
        return there
    conversations = [measurement.conversations[id_] for id_ in measurement.scored]
    cases = [
        _HumanSummary(at, text, against)
        for at, one in enumerate(conversations)
        for text, against in leave_one_out(one)
        if against.references
    ]
    against_itself = not cases
    if against_itself:
        cases = [_HumanSummary(at, one.references[0], one) for at, one in enumerate(conversations) if one.references]
    if not cases:
        raise UsageError("no conversation has a human summary, so there is nothing to corrupt")
    written = {
        row.name: dict(zip(measurement.scored, row.texts, strict=True))
        for row in measure_controls(measurement, place, seed, plugins, progress).rows
        if row.texts
    }
    material = Material(conversations, training=measurement.training, written=written, seed=seed)
    corrupted_texts = {
        name: [corruption.apply(Case(conversations[case.place], case.text, material)) for case in cases]
        for name, corruption in CORRUPTIONS.items()
    }
    metrics = [metric for metric in measurement.metrics if metric.sees != "form"]
    costs: list[Cost] = []
    for done, metric in enumerate(metrics):
        progress(done, len(metrics), metric.name)
        costs += _costs(metric, cases, corrupted_texts, seed)
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


def _costs(
    metric: Metric, cases: Sequence[_HumanSummary], corrupted_texts: dict[str, list[str | None]], seed: int
) -> list[Cost]:
    def scored(texts: Sequence[str | None]) -> list[float | None]:
        """The value of each text; None where the text could not be made."""
        there = [(at, text) for at, text in enumerate(texts) if text is not None]
        found: list[float | None] = [None] * len(texts)
        scores = values(metric, [text for _, text in there], [cases[at].against for at, _ in there])
        for (at, _), score in zip(there, scores, strict=True):
            found[at] = score
        return found

    columns = {name: scored(texts) for name, texts in corrupted_texts.items()}
    human = scored([case.text for case in cases])
    return [_cost(metric, name, cases, human, column, columns[FLOOR], seed) for name, column in columns.items()]


def _cost(
    metric: Metric,
    name: str,
    cases: Sequence[_HumanSummary],
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
    found = Bootstrap(seed=seed).position(after, bottom, before)
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
