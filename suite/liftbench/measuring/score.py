"""Scores of texts, and their summary over a run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from ..errors import RunFailed
from ..metrics.base import Metric, Misreading
from ..progress import Progress, no_progress
from ..records.conversation import Conversation
from ..records.run import MetricInfo, MetricSummary, Prediction, RunSummary, SampleScores
from ..statistics.bootstrap import Bootstrap
from ..text.phrases import join_words, metric_label
from .plan import Measurement


def score(
    predictions: Sequence[Prediction], measurement: Measurement, progress: Progress = no_progress
) -> list[SampleScores]:
    """Every metric on every prediction, each computed once, with the places in the text that it points at."""
    texts = [prediction.text for prediction in predictions]
    conversations = [measurement.conversations[prediction.id] for prediction in predictions]
    columns = {}
    for number, metric in enumerate(measurement.metrics, start=1):
        # Metrics differ by orders of magnitude in what they take, so no share of them tells the time left.
        progress(0, 0, f"scoring: {metric_label(metric.name)} ({number} of {len(measurement.metrics)} metrics)")
        columns[metric.name] = values(metric, texts, conversations)
    progress(0, 0, "scoring: places in the texts")
    return [
        SampleScores(
            id=prediction.id,
            scores={name: column[row] for name, column in columns.items()},
            findings={
                metric.name: found
                for metric in measurement.metrics
                if (found := metric.findings(prediction.text, conversations[row]))
            },
        )
        for row, prediction in enumerate(predictions)
    ]


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
    rows = []
    for metric in metrics:
        known = {row.id: value for row in scores if (value := row.scores[metric.name]) is not None}
        mean, low, high = bootstrap.mean(list(known.values()), list(known))
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


def metric_info(metric: Metric) -> MetricInfo:
    """A metric as records name it."""
    return MetricInfo(name=metric.name, signature=metric.signature, direction=metric.direction, sees=metric.sees)
