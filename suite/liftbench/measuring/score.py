"""Scores of texts, and their summary over a run."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import compress, islice
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

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


class Totals:
    """What a run's summary is made from, gathered row by row: a few numbers each, in arrays."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics
        self._ids: list[str] = []
        self._columns = {metric.name: array("d") for metric in metrics}
        """Metric → one value for each row, NaN for none."""
        self._tokens, self._seconds = array("q"), array("d")
        self._words = self._empty = self._cut = self._shortened = 0

    def add(self, prediction: Prediction, row: SampleScores) -> None:
        """A text and its scores."""
        self._ids.append(prediction.id)
        for name, column in self._columns.items():
            value = row.scores[name]
            column.append(math.nan if value is None else value)
        if prediction.new_tokens is not None:
            self._tokens.append(prediction.new_tokens)
        if prediction.seconds is not None:
            self._seconds.append(prediction.seconds)
        self._words += len(prediction.text.split())
        self._empty += not prediction.text
        self._cut += prediction.finish_reason == "length"
        self._shortened += prediction.turns_dropped > 0

    def summarize(self, bootstrap: Bootstrap, misread: Mapping[str, Misreading] = MappingProxyType({})) -> RunSummary:
        """Means with 95% bootstrap intervals, and counts of what went wrong in generation."""
        columns = {name: np.frombuffer(column) for name, column in self._columns.items()}
        intervals = _intervals(columns, self._ids, bootstrap)
        n, rows = len(self._ids), []
        for metric in self._metrics:
            known = n - int(np.isnan(columns[metric.name]).sum())
            mean, low, high = intervals[metric.name]
            rows.append(
                MetricSummary(
                    name=metric.name,
                    mean=mean,
                    low=low,
                    high=high,
                    n=known,
                    n_unscored=n - known,
                    signature=metric.signature,
                    direction=metric.direction,
                    sees=metric.sees,
                    misread=misread[metric.name].share if metric.name in misread else 0.0,
                )
            )
        return RunSummary(
            metrics=rows,
            n=n,
            empty=self._empty,
            cut=self._cut,
            shortened=self._shortened,
            mean_words=self._words / n,
            new_tokens=sum(self._tokens) if self._tokens else None,
            # Texts from the cache took no time here, so a sum without them would fake a speed.
            seconds=sum(self._seconds) if len(self._seconds) == n else None,
        )


def _intervals(
    columns: Mapping[str, NDArray[np.float64]], ids: Sequence[str], bootstrap: Bootstrap
) -> dict[str, MeanInterval]:
    """The mean of each column; columns with values of the same conversations share one draw."""
    found: dict[str, MeanInterval] = {}
    alike: dict[bytes, list[str]] = {}
    for name, column in columns.items():
        alike.setdefault((~np.isnan(column)).tobytes(), []).append(name)
    for known, names in alike.items():
        values = [columns[name][~np.isnan(columns[name])] for name in names]
        found |= zip(names, bootstrap.means(values, list(compress(ids, known))), strict=True)
    return found


def metric_info(metric: Metric) -> MetricInfo:
    """A metric as records name it."""
    return MetricInfo(name=metric.name, signature=metric.signature, direction=metric.direction, sees=metric.sees)
