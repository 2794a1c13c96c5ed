"""The lift with one choice made differently: how references are used, the bootstrap's seed, the length of texts, or
which conversations count. It shows a reader whether a verdict depends on a single choice."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import compress, islice
from typing import Literal, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from ..extension.loader import Plugins
from ..measuring.plan import ReadData, prepare_again, read_data
from ..measuring.score import values
from ..metrics.base import Metric
from ..records.conversation import Conversation
from ..records.run import Terms
from ..runs.directory import Run
from ..runs.measured import MeasuredRun
from ..statistics.bootstrap import Bootstrap
from ..statistics.lift import FEWEST, LiftResult, NoLift
from ..statistics.paired_lift import LiftRequest
from ..text.phrases import pluralize
from .leakage import Leak
from .verdict import Outcome, lift_outcome


class Alternative(Struct, frozen=True, kw_only=True):
    """The lift with one choice made differently: a row of the sensitivity page."""

    kind: Literal["as measured", "metric", "seed", "length", "leakage"]
    name: str
    """The choice made differently: `best of the references`, `without stemming`, `cut to equal length`, …"""
    lift: LiftResult
    outcome: Outcome
    """The outcome that this lift alone would give."""


OTHER_SEEDS = 5
"""Number of bootstrap seeds that are tried beside the given one."""

Scores = list[float | None]


def scorers(run: Run, headlines: Sequence[str], plugins: Plugins, read: ReadData = read_data) -> list[Metric]:
    """A run's headline metrics, made again from its recipe and data; other metrics are not loaded.

    Raises `UsageError`, which says what differs, where the data set or a metric has changed, and another
    `LiftbenchError` where one is not available.
    """
    return prepare_again(run, plugins, headlines, read).metrics


def alternatives(
    over: MeasuredRun,
    candidates: Sequence[tuple[MeasuredRun, Sequence[Leak]]],
    rescored: Mapping[str, Rescored],
    terms: Terms,
    bootstrap: Bootstrap,
) -> list[list[Alternative]]:
    """The lift of each candidate on each headline: as measured, then with one choice at a time made differently.

    `candidates` come with their leaks; `rescored` are the headlines' metrics on `over`, for scoring texts again.
    A headline without its metric has only the alternatives that the runs' recorded scores allow. A lift without a
    number as measured has no alternatives, because another choice cannot make up for a missing score.
    """
    subjects = [
        _Subject(over=over, candidate=candidate, metric=headline, leaks=leaks, pairs=pairs)
        for candidate, leaks in candidates
        for headline in terms.headlines
        for pairs in [_pair_scores(over, candidate, headline, bootstrap.clusters)]
    ]
    plain = _lifts([_as_measured(one, bootstrap.seed) for one in subjects], terms.target, bootstrap)
    others = [
        [] if isinstance(lift, NoLift) else list(_variations(one, rescored.get(one.metric), bootstrap.seed))
        for one, lift in zip(subjects, plain, strict=True)
    ]
    lifts = iter(_lifts([variation for some in others for variation in some], terms.target, bootstrap))
    rows = iter(
        [
            _alternative(_as_measured(subject, bootstrap.seed), lift, terms.target),
            *(_alternative(variation, next(lifts), terms.target) for variation in some),
        ]
        for subject, lift, some in zip(subjects, plain, others, strict=True)
    )
    return [[one for _ in terms.headlines for one in next(rows)] for _ in candidates]


def _lifts(variations: Sequence[_Variation], target: float, bootstrap: Bootstrap) -> list[LiftResult]:
    """The lifts of all variations at once, so that the draws of each seed are made once."""
    found: dict[int, LiftResult] = {}
    for seed in dict.fromkeys(variation.seed for variation in variations):
        places = [place for place, variation in enumerate(variations) if variation.seed == seed]
        requests = [variations[place].request(target) for place in places]
        found.update(zip(places, replace(bootstrap, seed=seed).lifts(requests), strict=True))
    return [found[place] for place in range(len(variations))]


def _alternative(variation: _Variation, lift: LiftResult, target: float) -> Alternative:
    return Alternative(kind=variation.kind, name=variation.name, lift=lift, outcome=lift_outcome(lift, target))


class _Pairs(Struct, frozen=True, kw_only=True):
    """Both runs' values of one metric, one pair per conversation."""

    metric: str
    signature: str
    ids: list[str]
    baseline: Scores
    candidate: Scores

    def only(self, ids: Collection[str]) -> _Pairs:
        """The pairs of some conversations."""
        kept = [id_ in ids for id_ in self.ids]
        return replace(
            self,
            ids=list(compress(self.ids, kept)),
            baseline=list(compress(self.baseline, kept)),
            candidate=list(compress(self.candidate, kept)),
        )

    def rescored(self, signature: str, baseline: Scores, candidate: Scores) -> _Pairs:
        """The same conversations with other values."""
        return replace(self, signature=signature, baseline=baseline, candidate=candidate)


class _Subject(NamedTuple):
    """A candidate on one headline."""

    over: MeasuredRun
    candidate: MeasuredRun
    metric: str
    leaks: Sequence[Leak]
    pairs: _Pairs
    """The pairs as measured."""


class _Variation(NamedTuple):
    """One choice made differently."""

    kind: Literal["as measured", "metric", "seed", "length", "leakage"]
    name: str
    pairs: _Pairs
    seed: int

    def request(self, target: float) -> LiftRequest:
        pairs = self.pairs
        return LiftRequest(
            baseline=pairs.baseline,
            candidates=[pairs.candidate],
            metric=pairs.metric,
            signature=pairs.signature,
            target=target,
            ids=pairs.ids,
        )


def _as_measured(subject: _Subject, seed: int) -> _Variation:
    return _Variation("as measured", "as measured", subject.pairs, seed)


def _variations(subject: _Subject, rescored: Rescored | None, seed: int) -> Iterator[_Variation]:
    """`rescored` is the baseline on the subject's metric, where its texts can be scored again."""
    measured = subject.pairs
    if rescored:
        for reading, other in rescored.readings(measured.ids, subject.candidate):
            pairs = measured.rescored(reading.signature, reading.scores, other.scores)
            having = reading.having
            yield _Variation("metric", reading.name, pairs if having is None else pairs.only(having), seed)
        name = "cut to equal length"
        before, after = rescored.at_equal_length(measured.ids, subject.candidate)
        pairs = measured.rescored(f"{rescored.metric.signature}|{name}", before, after)
        yield _Variation("length", name, pairs, seed)
    for other_seed in [number for number in range(1, OTHER_SEEDS + 2) if number != seed][:OTHER_SEEDS]:
        yield _Variation("seed", f"bootstrap seed {other_seed}", measured, other_seed)
    for name, pairs in _without(measured, subject.leaks):
        yield _Variation("leakage", name, pairs, seed)


def _pair_scores(over: MeasuredRun, candidate: MeasuredRun, metric: str, clusters: Mapping[str, str]) -> _Pairs:
    """The runs' recorded scores; None where a run lacks the score, its text, or the conversation."""
    # Sorted by id, so that the interval does not depend on the order in which a run wrote its scores.
    ids = sorted(clusters.keys() | over.scores.keys() | candidate.scores.keys())
    before, after = (
        [run.scores.get(id_, {}).get(metric) if id_ in clusters and id_ in run.predictions else None for id_ in ids]
        for run in (over, candidate)
    )
    return _Pairs(
        metric=metric,
        signature=candidate.manifest.protocol.metrics[metric],
        ids=ids,
        baseline=before,
        candidate=after,
    )


# ---------------------------------------------------------------------------------------------------------- the metric


class _Reading(NamedTuple):
    """One run's texts, scored in another way."""

    name: str
    signature: str
    scores: Scores
    having: Collection[str] | None = None
    """The conversations that can be scored in this way; None for all."""


class Readings(NamedTuple):
    """One candidate's texts, scored in each other way."""

    readings: list[_Reading]
    cut: tuple[Scores, Scores]
    """The baseline's scores and its own at equal length."""


class Rescored:
    """A baseline's texts on one metric, scored again once for all candidates."""

    def __init__(self, over: MeasuredRun, metric: Metric) -> None:
        self.metric = metric
        self._over = over
        self._conversations = {one.id: one for one in over.conversations}
        self._readings: dict[tuple[str, ...], list[_Reading]] = {}
        self._known: dict[str, Readings] = {}

    def read(self, candidate: MeasuredRun, clusters: Mapping[str, str]) -> Readings | None:
        """A candidate's texts scored in each other way, for `learn`; None where a score or a text is missing."""
        pairs = _pair_scores(self._over, candidate, self.metric.name, clusters)
        if None in pairs.baseline or None in pairs.candidate:
            return None
        return self._read(pairs.ids, candidate)

    def learn(self, candidate: MeasuredRun, readings: Readings | None) -> None:
        """Take what another process has read."""
        if readings:
            self._known[candidate.id] = readings

    def read_baseline(self, ids: Sequence[str]) -> list[_Reading]:
        """The baseline's own texts over some conversations, scored in each other way."""
        key = tuple(ids)
        if key not in self._readings:
            self._readings[key] = list(_readings(self.metric, *self._texts(ids, self._over)))
        return self._readings[key]

    def readings(self, ids: Sequence[str], candidate: MeasuredRun) -> Iterator[tuple[_Reading, _Reading]]:
        """The baseline and a candidate over some conversations, scored in each alternative way."""
        return zip(self.read_baseline(ids), self._of(ids, candidate).readings, strict=True)

    def at_equal_length(self, ids: Sequence[str], candidate: MeasuredRun) -> tuple[Scores, Scores]:
        """Both runs' scores with the longer of the two texts of each conversation cut to the length of the other."""
        return self._of(ids, candidate).cut

    def _of(self, ids: Sequence[str], candidate: MeasuredRun) -> Readings:
        if candidate.id not in self._known:
            self._known[candidate.id] = self._read(ids, candidate)
        return self._known[candidate.id]

    def _read(self, ids: Sequence[str], candidate: MeasuredRun) -> Readings:
        readings = list(_readings(self.metric, *self._texts(ids, candidate)))
        return Readings(readings, self._cut(ids, candidate))

    def _cut(self, ids: Sequence[str], candidate: MeasuredRun) -> tuple[Scores, Scores]:
        (own, shown), (others, _) = self._texts(ids, self._over), self._texts(ids, candidate)
        before, after = zip(*map(equally_long, own, others), strict=True)
        return values(self.metric, before, shown), values(self.metric, after, shown)

    def _texts(self, ids: Sequence[str], run: MeasuredRun) -> tuple[list[str], list[Conversation]]:
        return [run.predictions[id_].text for id_ in ids], [self._conversations[id_] for id_ in ids]


def _readings(metric: Metric, texts: Sequence[str], conversations: Sequence[Conversation]) -> Iterator[_Reading]:
    """Other ways to use several references, then the metric's own variants."""
    most = max(len(one.references) for one in conversations)
    if most > 1:
        rows = _by_reference(metric, texts, conversations)
        name = "best of the references"
        yield _Reading(name, f"{metric.signature}|{name}", [_best(row) for row in rows])
        for number in range(most):
            having = {one.id for one in conversations if len(one.references) > number}
            if len(having) < FEWEST:
                break
            name = f"only reference {number + 1}"
            column = [row[number] if number < len(row) else None for row in rows]
            yield _Reading(name, f"{metric.signature}|{name}", column, having)
    for name, variant in metric.variants().items():
        yield _Reading(name, variant.signature, values(variant, texts, conversations))


def _by_reference(metric: Metric, texts: Sequence[str], conversations: Sequence[Conversation]) -> list[Scores]:
    """Each text's values against single references, in their order."""
    repeated = [text for text, one in zip(texts, conversations, strict=True) for _ in one.references]
    alone = [replace(one, references=(reference,)) for one in conversations for reference in one.references]
    scores = iter(values(metric, repeated, alone))
    return [list(islice(scores, len(one.references))) for one in conversations]


def _best(row: Scores) -> float | None:
    """The highest value; None where any is missing, since the best of the others would be another measure."""
    known = [value for value in row if value is not None]
    return max(known) if known and len(known) == len(row) else None


# ---------------------------------------------------------------------------------------------------- length and leaks


def equally_long(one: str, other: str) -> tuple[str, str]:
    """Both texts, cut to the number of words of the shorter one; the space between words stays as it was.

    >>> equally_long("Customer  asks for help.", "A refund.")
    ('Customer  asks', 'A refund.')
    """
    words = min(len(one.split()), len(other.split()))
    return _begin(one, words), _begin(other, words)


def _begin(text: str, words: int) -> str:
    ends = [0, *(word.end() for word in re.finditer(r"\S+", text))]
    return text[: ends[words]]


def _without(measured: _Pairs, leaks: Sequence[Leak]) -> Iterator[tuple[str, _Pairs]]:
    """The scores without all leaking conversations and, where leaks have several kinds, without those of each kind."""
    kinds = list(dict.fromkeys(leak.kind for leak in leaks))
    groups = [("", {leak.id for leak in leaks})] if leaks else []
    if len(kinds) > 1:
        groups += [(f" ({kind})", {leak.id for leak in leaks if leak.kind == kind}) for kind in kinds]
    for ending, leaking in groups:
        leave = pluralize(len(leaking), "conversation that leaks", "conversations that leak")
        yield f"without {leave}{ending}", measured.only(set(measured.ids) - leaking)
