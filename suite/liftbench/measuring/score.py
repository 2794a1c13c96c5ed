"""Scores of texts, and their summary over a run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import compress, islice
from types import MappingProxyType

from ..errors import RunFailed
from ..metrics.base import Metric, Misreading
from ..progress import Progress, no_progress
from ..records.conversation import Conversation
from ..records.run import MetricInfo, MetricSummary, Prediction, RunSummary, SampleScores
from ..statistics.bootstrap import Bootstrap, MeanInterval
from ..text.phrases import join_words, metric_label
from .plan import Measurement

BLOCK = 512
"""Texts that all metrics score before the next ones: few enough that what metrics share of a conversation is still in
their caches, enough for full batches of a metric with a model."""


def score(
    predictions: Iterable[Prediction], measurement: Measurement, progress: Progress = no_progress
) -> Iterator[SampleScores]:
    """Every metric on every prediction, each computed once, with the places in the text that it points at.

    Memory holds `BLOCK` of them at a time.
    """
    waiting, done, total = iter(predictions), 0, len(measurement.scored)
    while block := list(islice(waiting, BLOCK)):
        texts = [prediction.text for prediction in block]
        conversations = [measurement.conversations[prediction.id] for prediction in block]
        columns = {}
        for metric in measurement.metrics:
            progress(done, total, f"scoring: {metric_label(metric.name)}")
            columns[metric.name] = values(metric, texts, conversations)
        for row, prediction in enumerate(block):
            yield SampleScores(
                id=prediction.id,
                scores={name: column[row] for name, column in columns.items()},
                findings={
                    metric.name: found
                    for metric in measurement.metrics
                    if (found := metric.findings(prediction.text, conversations[row]))
                },
            )
        done += len(block)
        progress(done, total, "scoring")


def values(metric: Metric, texts: Sequence[str], conversations: Sequence[Conversation]) -> list[float | None]:
    """One value for each text, None if it is not finite. Raises `RunFailed` for a wrong number of values."""
    found = metric.score(texts, conversations) if texts else []
    if len(found) != len(texts):
        raise RunFailed(
            f"the metric {metric.name!r} returned {len(found)} values for {len(texts)} texts: its plugin has a bug"
        )
    return [value if value is not None and math.isfinite(value) else None for value in found]


def misreadings(measurement: Measurement) -> dict[str, Misreading]:
    """Metric → what it misreads in the references of the scored conversations, for those that misread any."""
    references = [text for id_ in measurement.scored for text in measurement.conversations[id_].references]
    return {metric.name: found for metric in measurement.metrics if (found := metric.misreading(references))}


def describe_misreadings(found: Mapping[str, Misreading]) -> list[str]:
    """A note for each misreading, with the names of all metrics that have it."""
    together: dict[str, list[str]] = {}
    for name, misreading in found.items():
        together.setdefault(misreading.words, []).append(metric_label(name))
    return [f"{join_words(names)}: {words}" for words, names in together.items()]


def summarize(
    predictions: Sequence[Prediction],
    scores: Sequence[SampleScores],
    metrics: Sequence[Metric],
    bootstrap: Bootstrap,
    misread: Mapping[str, Misreading] = MappingProxyType({}),
) -> RunSummary:
    """Means with 95% bootstrap intervals, and counts of what went wrong in generation."""
    columns = {metric.name: [row.scores[metric.name] for row in scores] for metric in metrics}
    intervals = _intervals(columns, [row.id for row in scores], bootstrap)
    rows = []
    for metric in metrics:
        known = [value for value in columns[metric.name] if value is not None]
        mean, low, high = intervals[metric.name]
        rows.append(
            MetricSummary(
                name=metric.name,
                mean=mean,
                low=low,
                high=high,
                n=len(known),
                n_unscored=len(scores) - len(known),
                signature=metric.signature,
                direction=metric.direction,
                sees=metric.sees,
                misread=misread[metric.name].share if metric.name in misread else 0.0,
            )
        )
    tokens = [prediction.new_tokens for prediction in predictions if prediction.new_tokens is not None]
    seconds = [prediction.seconds for prediction in predictions if prediction.seconds is not None]
    return RunSummary(
        metrics=rows,
        n=len(predictions),
        empty=sum(not prediction.text for prediction in predictions),
        cut=sum(prediction.finish_reason == "length" for prediction in predictions),
        shortened=sum(prediction.turns_dropped > 0 for prediction in predictions),
        mean_words=sum(len(prediction.text.split()) for prediction in predictions) / len(predictions),
        new_tokens=sum(tokens) if tokens else None,
        # Texts from the cache took no time here, so a sum without them would fake a speed.
        seconds=sum(seconds) if len(seconds) == len(predictions) else None,
    )


def _intervals(
    columns: Mapping[str, Sequence[float | None]], ids: Sequence[str], bootstrap: Bootstrap
) -> dict[str, MeanInterval]:
    """The mean of each column; columns with values of the same conversations share one draw."""
    found: dict[str, MeanInterval] = {}
    alike: dict[bytes, list[str]] = {}
    for name, column in columns.items():
        alike.setdefault(bytes(value is not None for value in column), []).append(name)
    for known, names in alike.items():
        values = [[value for value in columns[name] if value is not None] for name in names]
        found |= zip(names, bootstrap.means(values, list(compress(ids, known))), strict=True)
    return found


def metric_info(metric: Metric) -> MetricInfo:
    """A metric as records name it."""
    return MetricInfo(name=metric.name, signature=metric.signature, direction=metric.direction, sees=metric.sees)
