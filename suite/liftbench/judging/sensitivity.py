"""The lift, had one thing been chosen otherwise: how references are taken, the bootstrap's seed, how long texts may be,
which conversations count. So a reader sees whether a verdict hangs on one choice."""

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
from ..statistics.lift import LiftResult, NoLift
from ..text.phrases import counted
from .leakage import Leak
from .verdict import FEWEST, Outcome, lift_outcome


class Alternative(Struct, frozen=True, kw_only=True):
    """The lift, had one thing been chosen otherwise: a row of the sensitivity page."""

    kind: Literal["as measured", "metric", "seed", "length", "leakage"]
    name: str
    """What was chosen otherwise: `best of the references`, `without stemming`, `cut to equal length`, …"""
    lift: LiftResult
    outcome: Outcome
    """What this lift alone would amount to."""


OTHER_SEEDS = 5
"""Bootstrap seeds that are tried beside the given one."""

Scores = list[float | None]


def scorers(run: Run, headlines: Sequence[str], plugins: Plugins, read: ReadData = read_data) -> list[Metric]:
    """The headline metrics as a run was measured with them, made again from its recipe and data; no other is loaded.

    Raises `UsageError` saying what differs where the data set or a metric is no longer what it was, and another
    `LiftbenchError` where one cannot be had.
    """
    return prepare_again(run, plugins, headlines, read).metrics


def alternatives(
    over: MeasuredRun,
    candidate: MeasuredRun,
    metrics: Sequence[Metric],
    leaks: Sequence[Leak],
    terms: Terms,
    bootstrap: Bootstrap,
) -> list[Alternative]:
    """The lift of a candidate on each headline: as measured, then with one choice at a time made otherwise.

    `metrics` are the headlines' own, to score texts by (see `scorers`); of a headline without one there is only what
    the runs' own scores can tell. A lift that has no number as measured stays alone: no other choice makes up for a
    score that is missing.
    """
    made = {metric.name: metric for metric in metrics}
    found = []
    for headline in terms.headlines:
        measured = _measured(over, candidate, headline, bootstrap.clusters)
        for variation in _variations(measured, over, candidate, made.get(headline), leaks, bootstrap.seed):
            pairs = variation.pairs
            lift = replace(bootstrap, seed=variation.seed).lift(
                pairs.baseline,
                pairs.candidate,
                metric=headline,
                signature=pairs.signature,
                target=terms.target,
                ids=pairs.ids,
            )
            outcome = lift_outcome(lift, terms.target)
            found.append(Alternative(kind=variation.kind, name=variation.name, lift=lift, outcome=outcome))
            if isinstance(lift, NoLift) and variation.kind == "as measured":
                break
    return found


class _Pairs(Struct, frozen=True, kw_only=True):
    """Both runs' values of one metric, a pair a conversation."""

    signature: str
    ids: list[str]
    baseline: Scores
    candidate: Scores

    def only(self, ids: Collection[str]) -> _Pairs:
        """Those of some conversations."""
        kept = [id_ in ids for id_ in self.ids]
        return _Pairs(
            signature=self.signature,
            ids=list(compress(self.ids, kept)),
            baseline=list(compress(self.baseline, kept)),
            candidate=list(compress(self.candidate, kept)),
        )

    def rescored(self, signature: str, both: Scores) -> _Pairs:
        """With other values: the baseline's, then the candidate's."""
        return replace(self, signature=signature, baseline=both[: len(self.ids)], candidate=both[len(self.ids) :])


class _Variation(NamedTuple):
    """One choice made otherwise."""

    kind: Literal["as measured", "metric", "seed", "length", "leakage"]
    name: str
    pairs: _Pairs
    seed: int


def _variations(
    measured: _Pairs, over: MeasuredRun, candidate: MeasuredRun, metric: Metric | None, leaks: Sequence[Leak], seed: int
) -> Iterator[_Variation]:
    yield _Variation("as measured", "as measured", measured, seed)
    if metric:
        conversations = {one.id: one for one in over.conversations}
        shown = [conversations[id_] for id_ in measured.ids]
        texts = [[run.predictions[id_].text for id_ in measured.ids] for run in (over, candidate)]
        for name, pairs in _readings(measured, metric, [*texts[0], *texts[1]], [*shown, *shown]):
            yield _Variation("metric", name, pairs, seed)
        name = "cut to equal length"
        before, after = zip(*map(equally_long, *texts), strict=True)
        pairs = measured.rescored(f"{metric.signature}|{name}", values(metric, [*before, *after], [*shown, *shown]))
        yield _Variation("length", name, pairs, seed)
    for other in [number for number in range(1, OTHER_SEEDS + 2) if number != seed][:OTHER_SEEDS]:
        yield _Variation("seed", f"bootstrap seed {other}", measured, other)
    for name, pairs in _without(measured, leaks):
        yield _Variation("leakage", name, pairs, seed)


def _measured(over: MeasuredRun, candidate: MeasuredRun, metric: str, clusters: Mapping[str, str]) -> _Pairs:
    """The runs' own scores; None where a run lacks the score, the text that it is of, or the conversation."""
    # By id, so that the interval does not depend on the order in which a run wrote its scores.
    ids = sorted(clusters.keys() | over.scores.keys() | candidate.scores.keys())
    before, after = (
        [run.scores.get(id_, {}).get(metric) if id_ in clusters and id_ in run.predictions else None for id_ in ids]
        for run in (over, candidate)
    )
    return _Pairs(
        signature=candidate.manifest.protocol.metrics[metric],
        ids=ids,
        baseline=before,
        candidate=after,
    )


# ---------------------------------------------------------------------------------------------------------- the metric


def _readings(
    measured: _Pairs, metric: Metric, texts: Sequence[str], conversations: Sequence[Conversation]
) -> Iterator[tuple[str, _Pairs]]:
    """Other ways to take several references, then the metric's own variants; texts are the baseline's, then the
    candidate's, each with its conversation."""
    most = max(len(one.references) for one in conversations)
    if most > 1:
        rows = _by_reference(metric, texts, conversations)
        name = "best of the references"
        yield name, measured.rescored(f"{metric.signature}|{name}", [_best(row) for row in rows])
        for number in range(most):
            having = {one.id for one in conversations if len(one.references) > number}
            if len(having) < FEWEST:
                break
            name = f"only reference {number + 1}"
            column = [row[number] if number < len(row) else None for row in rows]
            yield name, measured.rescored(f"{metric.signature}|{name}", column).only(having)
    for name, variant in metric.variants().items():
        yield name, measured.rescored(variant.signature, values(variant, texts, conversations))


def _by_reference(metric: Metric, texts: Sequence[str], conversations: Sequence[Conversation]) -> list[Scores]:
    """Of each text its values against single references, in their order."""
    repeated = [text for text, one in zip(texts, conversations, strict=True) for _ in one.references]
    alone = [replace(one, references=(reference,)) for one in conversations for reference in one.references]
    scores = iter(values(metric, repeated, alone))
    return [list(islice(scores, len(one.references))) for one in conversations]


def _best(row: Scores) -> float | None:
    """None where any is missing: the best of the rest would be another measure."""
    known = [value for value in row if value is not None]
    return max(known) if known and len(known) == len(row) else None


# ---------------------------------------------------------------------------------------------------- length and leaks


def equally_long(one: str, other: str) -> tuple[str, str]:
    """Both texts, cut to the number of words of the shorter one; white space between words stays as it was.

    >>> equally_long("Customer  asks for help.", "A refund.")
    ('Customer  asks', 'A refund.')
    """
    words = min(len(one.split()), len(other.split()))
    return _begin(one, words), _begin(other, words)


def _begin(text: str, words: int) -> str:
    ends = [0, *(word.end() for word in re.finditer(r"\S+", text))]
    return text[: ends[words]]


def _without(measured: _Pairs, leaks: Sequence[Leak]) -> Iterator[tuple[str, _Pairs]]:
    """The scores of the others: without all that leak and, where they leak in several ways, without those of each."""
    kinds = list(dict.fromkeys(leak.kind for leak in leaks))
    groups = [("", {leak.id for leak in leaks})] if leaks else []
    if len(kinds) > 1:
        groups += [(f" ({kind})", {leak.id for leak in leaks if leak.kind == kind}) for kind in kinds]
    for ending, leaking in groups:
        leave = counted(len(leaking), "conversation that leaks", "conversations that leak")
        yield f"without {leave}{ending}", measured.only(set(measured.ids) - leaking)
