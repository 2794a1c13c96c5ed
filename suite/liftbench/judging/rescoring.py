"""The check that recorded scores are those of the texts, on the headlines, with the runs' own metrics."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from ..measuring.score import values
from ..metrics.base import Metric, Misreading
from ..records.conversation import Conversation
from ..runs.measured import MeasuredRun


class ScoreMismatch(Struct, frozen=True, kw_only=True):
    """A run whose recorded scores on one metric are not those of its texts."""

    run: str
    """Id of the run."""
    metric: str
    ids: list[str]
    """Ids of the conversations whose recorded score differs, or has no text."""
    n: int
    """Number of conversations with a recorded score."""


class ScoredOnce(Metric):
    """A metric that scores each text of a conversation once, and remembers the value.

    The check of the recorded scores and the sensitivity page ask for many of the same values.
    """

    def __init__(self, metric: Metric) -> None:
        self.name, self.signature = metric.name, metric.signature
        self.direction, self.sees, self.tolerance = metric.direction, metric.sees, metric.tolerance
        self._metric = metric
        self._known: dict[tuple[str, str, tuple[str, ...]], float | None] = {}

    def score(self, texts: Sequence[str], conversations: Sequence[Conversation]) -> list[float | None]:
        # References are part of the key, because the sensitivity page scores against single ones.
        keys = [(text, one.id, one.references) for text, one in zip(texts, conversations, strict=True)]
        new = {key: one for key, one in zip(keys, conversations, strict=True) if key not in self._known}
        found = values(self._metric, [text for text, *_ in new], list(new.values()))
        self._known.update(zip(new, found, strict=True))
        return [self._known[key] for key in keys]

    def variants(self) -> dict[str, Metric]:
        return self._metric.variants()

    def blind_to(self, references: Sequence[str]) -> str | None:
        return self._metric.blind_to(references)

    def misreading(self, references: Sequence[str]) -> Misreading | None:
        return self._metric.misreading(references)


def check_scores(
    runs: Iterable[MeasuredRun], metrics: Sequence[Metric], conversations: Sequence[Conversation]
) -> list[ScoreMismatch]:
    """Score the texts of some runs of one protocol again, and list where the recorded scores differ.

    A score without a text also counts as a difference. Two cases cannot be checked: a run whose texts were not kept,
    and a metric that the run was not measured with under the same signature.
    """
    return [
        found
        for run in runs
        if run.predictions
        for metric in metrics
        if run.manifest.protocol.metrics.get(metric.name) == metric.signature
        if (found := _compare(run, metric, conversations)).ids
    ]


def _compare(run: MeasuredRun, metric: Metric, conversations: Sequence[Conversation]) -> ScoreMismatch:
    rows = [one for one in conversations if one.id in run.predictions]
    texts = [run.predictions[one.id].text for one in rows]
    again = dict(zip((one.id for one in rows), values(metric, texts, rows), strict=True))
    recorded = {id_: scores[metric.name] for id_, scores in run.scores.items() if metric.name in scores}
    differing = [id_ for id_, value in recorded.items() if not _agree(value, again.get(id_), metric.tolerance)]
    return ScoreMismatch(run=run.id, metric=metric.name, ids=differing, n=len(recorded))


def _agree(recorded: float | None, again: float | None, tolerance: float) -> bool:
    if recorded is None or again is None:
        return recorded is again
    return abs(recorded - again) <= tolerance
