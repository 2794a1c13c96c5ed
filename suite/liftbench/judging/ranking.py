"""The ranking of several trainings on one comparison: scores, who is clearly better than whom, and what each cost.

The seeds of one training are one rival. As in a verdict, five or more are resampled together with the conversations;
of fewer, no seed is left out: one rival is clearly better than another only if each of its seeds is clearly better than
each of the other's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations

from msgspec import Struct
from msgspec.structs import replace

from ..recipe.resolve import flatten
from ..records.run import Direction
from ..records.training import TrainingSummary
from ..runs.measured import MeasuredRun
from ..runs.seed_groups import seed_of
from ..statistics.bootstrap import Bootstrap
from ..statistics.contrasts import Contrasts, Difference, Estimate
from ..statistics.lift import FEWEST
from ..statistics.permutation import holm
from ..text.phrases import percent, pluralize
from .lifts import SEEDS_TO_RESAMPLE
from .verdict import Outcome

ERROR = 0.05
"""How often any claim of a ranking may be wrong (the family-wise error), if all rivals are alike."""

SETTLED = 100
"""Random assignments for each comparison: the smallest p, corrected for all comparisons, is then 1%."""


class Cost(Struct, frozen=True, kw_only=True):
    """What a training took. With several seeds: the mean of their times and speeds, and the largest memory."""

    seconds: float
    """Wall time of one training."""
    peak_memory_bytes: int | None
    """See `TrainingSummary.peak_memory_bytes`."""
    trainable_parameters: int
    tokens_per_second: float | None
    """Tokens in the forward passes of the training, by its wall time, validation and saving included."""
    device: str | None
    """The device that trained; several are separated by commas."""


class RivalScore(Struct, frozen=True, kw_only=True):
    """A rival's mean on one headline."""

    metric: str
    mean: float | None
    """Over conversations and seeds; None where a score is missing."""
    low: float | None
    high: float | None
    """Bounds of its 95% interval; of two to four seeds the lowest and the highest bound of a seed."""
    seeds: list[float | None]
    """The mean of each seed."""


class Rival(Struct, frozen=True, kw_only=True):
    """One training, or one system that was not trained here."""

    id: str
    """The first of the ids of its runs, which `RivalDifference` names."""
    name: str
    """Name of the system."""
    runs: list[str]
    seeds: list[int]
    """The seeds of its trainings, in the order of the runs."""
    outcome: Outcome | None
    """The outcome of its verdict; None where none was asked for."""
    scores: list[RivalScore]
    """One for each headline."""
    highest_place: int
    lowest_place: int
    """The places, from 1, that the differences are compatible with: behind all rivals that are clearly better, and
    before all that are clearly worse. They hold for all rivals together at 95% (Mogstad, Romano, Shaikh & Wilhelm,
    *Inference for Ranks*, 2024, https://doi.org/10.1093/restud/rdad006)."""
    groups: list[int]
    """Numbers, from 0, of the groups that it belongs to: rivals share a group if neither is clearly better."""
    cost: Cost | None
    """None where no training is recorded."""
    choices: dict[str, object]
    """The values of its recipe for model, prompt and training in which the rivals differ."""


class RivalDifference(Struct, frozen=True, kw_only=True):
    """One rival's mean minus another's on one headline, over the same conversations."""

    first: str
    """`Rival.id`; the one that is ranked higher."""
    second: str
    metric: str
    difference: float | None
    """None where a score is missing."""
    low: float | None
    high: float | None
    """Bounds of its 95% interval."""
    p: float | None
    """How often chance alone would make a difference this large (two-sided)."""
    p_holm: float | None
    """`p`, corrected for all pairs and headlines of the ranking (Holm)."""
    better: str | None
    """The id of the rival that is clearly better; None if neither is."""


class Ranking(Struct, frozen=True, kw_only=True):
    """Several rivals, the one with the best mean on the first headline first."""

    rivals: list[Rival]
    differences: list[RivalDifference]
    """Every pair on every headline."""
    comparisons: int
    """Number of differences that p was computed for, and corrected for."""
    units: int
    """Number of resampled units: clusters, or conversations where the data have no clusters."""
    method: str
    """How the differences were judged, in words."""

    def is_better(self, one: str, other: str) -> bool:
        """Whether a rival is clearly better than another: on every headline."""
        return (one, other) in _clear_pairs(self.differences)

    def better_on(self, one: str, other: str) -> list[str]:
        """The headlines on which a rival is clearly better than another."""
        return [row.metric for row in self.differences if {row.first, row.second} == {one, other} and row.better == one]


def rank_trainings(
    trainings: Sequence[Sequence[MeasuredRun]],
    directions: Mapping[str, Direction],
    bootstrap: Bootstrap,
    outcomes: Mapping[str, Outcome] | None = None,
    summaries: Mapping[str, TrainingSummary] | None = None,
) -> Ranking | None:
    """Rank trainings, each a list of runs with the same protocol; None for fewer than two.

    `directions` holds each headline and which values of it are better. `outcomes` holds the outcome of each run's, or
    its seeds', verdict; `summaries` what is known of trainings beside what the runs themselves record, by run. The
    result does not depend on the order of the trainings.

    One rival is clearly better than another on a headline if p is below 5% after Holm's correction for all pairs and
    headlines (Holm, *A Simple Sequentially Rejective Multiple Test Procedure*, 1979), the 95% interval lies on one side
    of zero, and there are `FEWEST` units. The first alone keeps the family-wise error at 5%. It is clearly better as a
    whole if it is on every headline.
    """
    if len(trainings) < 2:
        return None
    rivals = {min(run.id for run in runs): sorted(runs, key=lambda run: (seed_of(run), run.id)) for runs in trainings}
    tables = {metric: _Table(metric, rivals, bootstrap) for metric in directions}
    scores = {id_: [table.score(id_) for table in tables.values()] for id_ in rivals}
    signs = {metric: -1 if direction == "lower" else 1 for metric, direction in directions.items()}

    def place(id_: str) -> tuple[object, ...]:
        means = [-math.inf if one.mean is None else signs[one.metric] * one.mean for one in scores[id_]]
        return (*(-mean for mean in means), id_)

    order = sorted(rivals, key=place)
    differences = _judge(order, tables, signs)
    clear = _clear_pairs(differences)
    groups = _find_groups(order, clear)
    units, n = max((table.units, table.n) for table in tables.values())
    comparisons = sum(row.p is not None for row in differences)
    choices = _find_choices({id_: runs[0] for id_, runs in rivals.items()})
    return Ranking(
        rivals=[
            Rival(
                id=id_,
                name=rivals[id_][0].manifest.system.name,
                runs=[run.id for run in rivals[id_]],
                seeds=[seed_of(run) for run in rivals[id_]],
                outcome=(outcomes or {}).get(id_),
                scores=scores[id_],
                highest_place=1 + sum(worse == id_ for _, worse in clear),
                lowest_place=len(order) - sum(better == id_ for better, _ in clear),
                groups=[number for number, group in enumerate(groups) if id_ in group],
                cost=_add_up(rivals[id_], summaries or {}),
                choices=choices[id_],
            )
            for id_ in order
        ],
        differences=differences,
        comparisons=comparisons,
        units=units,
        method=_describe_method(comparisons, units, n, bootstrap),
    )


class _Table:
    """One headline's scores of all rivals, those with a missing score left out."""

    def __init__(self, metric: str, rivals: Mapping[str, Sequence[MeasuredRun]], bootstrap: Bootstrap) -> None:
        self.metric = metric
        self._rivals = {id_: [run.id for run in runs] for id_, runs in rivals.items()}
        # Sorted by id, so that the interval does not depend on the order in which a run wrote its scores.
        ids = sorted({id_ for runs in rivals.values() for run in runs for id_ in run.scores})
        columns: dict[str, list[float]] = {}
        for run in (run for runs in rivals.values() for run in runs):
            values = [run.scores.get(id_, {}).get(metric) for id_ in ids]
            known = [value for value in values if value is not None and math.isfinite(value)]
            if known and len(known) == len(ids):
                columns[run.id] = known
        self._known = columns.keys()
        self._contrasts = Contrasts(columns, bootstrap, ids)
        self.units, self.n = self._contrasts.units, len(ids)

    def has(self, rival: str) -> bool:
        """Whether every seed of a rival has every score."""
        return all(run in self._known for run in self._rivals[rival])

    def score(self, rival: str) -> RivalScore:
        """A rival's mean."""
        runs = self._rivals[rival]
        seeds = [self._contrasts.estimate([run]).value if run in self._known else None for run in runs]
        if not self.has(rival):
            return RivalScore(metric=self.metric, mean=None, low=None, high=None, seeds=seeds)
        parts = [self._contrasts.estimate(part) for part in _parts(runs)]
        mean = math.fsum(value for value in seeds if value is not None) / len(seeds)
        low, high = _widest(parts)
        return RivalScore(metric=self.metric, mean=mean, low=low, high=high, seeds=seeds)

    def differences(self, pairs: Sequence[tuple[str, str]], resamples: int) -> list[Difference]:
        """The differences of pairs of rivals that have all scores."""
        parts = [(one, other, a, b) for one, other in pairs for a in self._parts(one) for b in self._parts(other)]
        found = self._contrasts.differences([(a, b) for *_, a, b in parts], resamples=resamples)
        by_pair: dict[tuple[str, str], list[Difference]] = {}
        for (one, other, *_), difference in zip(parts, found, strict=True):
            by_pair.setdefault((one, other), []).append(difference)
        return [_combine(by_pair[pair]) for pair in pairs]

    def _parts(self, rival: str) -> list[list[str]]:
        return _parts(self._rivals[rival])


def _parts(runs: Sequence[str]) -> list[list[str]]:
    """What is compared of a rival: all seeds together, or each by itself where they are few."""
    return [list(runs)] if len(runs) >= SEEDS_TO_RESAMPLE else [[run] for run in runs]


def _combine(parts: Sequence[Difference]) -> Difference:
    """The difference of two rivals from those of their parts: nothing is clear that is not clear for every part.

    The largest p of several tests is that of the claim that all differ in the same direction (an intersection-union
    test: Berger, *Multiparameter Hypothesis Testing and Acceptance Sampling*, 1982).
    """
    value = math.fsum(part.value for part in parts) / len(parts)
    ps = [part.p for part in parts if part.p is not None]
    agree = all(part.value > 0 for part in parts) or all(part.value < 0 for part in parts)
    p = (max(ps) if agree or len(parts) == 1 else 1.0) if ps else None
    return Difference(value, *_widest([Estimate(*part[:3]) for part in parts]), p)


def _widest(parts: Sequence[Estimate]) -> tuple[float | None, float | None]:
    lows = [part.low for part in parts if part.low is not None]
    highs = [part.high for part in parts if part.high is not None]
    return min(lows, default=None), max(highs, default=None)


def _judge(order: Sequence[str], tables: Mapping[str, _Table], signs: Mapping[str, int]) -> list[RivalDifference]:
    """All differences, with who is clearly better; pairs in the order of the ranking."""
    pairs = list(combinations(order, 2))
    rows: list[RivalDifference] = []
    for metric, table in tables.items():
        # Each pair is computed in one direction, that of the ids: the ranks must not decide a last digit.
        keys = [(min(pair), max(pair)) for pair in pairs if all(map(table.has, pair))]
        found = dict(zip(keys, table.differences(keys, SETTLED * len(pairs) * len(tables)), strict=True))
        for first, second in pairs:
            row = RivalDifference(
                first=first, second=second, metric=metric,
                difference=None, low=None, high=None, p=None, p_holm=None, better=None,
            )  # fmt: skip
            if (one := found.get((first, second))) is not None:
                row = replace(row, difference=one.value, low=one.low, high=one.high, p=one.p)
            elif (one := found.get((second, first))) is not None:
                turned = [None if bound is None else -bound for bound in (one.high, one.low)]
                row = replace(row, difference=-one.value, low=turned[0], high=turned[1], p=one.p)
            rows.append(row)
    corrected = iter(holm([row.p for row in rows if row.p is not None]))
    rows = [row if row.p is None else replace(row, p_holm=next(corrected)) for row in rows]
    rows.sort(key=lambda row: pairs.index((row.first, row.second)))
    return [replace(row, better=_name_better(row, signs[row.metric], tables[row.metric].units)) for row in rows]


def _name_better(row: RivalDifference, sign: int, units: int) -> str | None:
    if row.p_holm is None or row.p_holm > ERROR or row.low is None or row.high is None or units < FEWEST:
        return None
    if sign * row.low > 0 and sign * row.high > 0:
        return row.first
    return row.second if sign * row.low < 0 and sign * row.high < 0 else None


def _clear_pairs(differences: Sequence[RivalDifference]) -> set[tuple[str, str]]:
    """The pairs (better, worse) that are clear on every headline."""
    by_pair: dict[tuple[str, str], set[str | None]] = {}
    for row in differences:
        by_pair.setdefault((row.first, row.second), set()).add(row.better)
    found = set()
    for (first, second), better in by_pair.items():
        if better == {first}:
            found.add((first, second))
        elif better == {second}:
            found.add((second, first))
    return found


def _find_groups(order: Sequence[str], clear: set[tuple[str, str]]) -> list[list[str]]:
    """The largest groups in which nobody is clearly better than anybody, in the order of the ranking.

    Two rivals share a group exactly if neither is clearly better: the cliques of that relation, which needs not be
    transitive (Piepho, *An Algorithm for a Letter-Based Representation of All-Pairwise Comparisons*, 2004). Each rival
    is put in: groups that it fits into take it, and the others give their fitting part to a group with it, unless
    another holds that already.
    """
    groups: list[frozenset[str]] = []
    for new in order:
        parts = [
            frozenset(one for one in group if not {(one, new), (new, one)} & clear) | {new} for group in groups
        ] or [frozenset({new})]
        every = {*groups, *parts}
        groups = [group for group in every if not any(group < other for other in every)]
    places = {id_: place for place, id_ in enumerate(order)}
    listed = [sorted(group, key=places.__getitem__) for group in groups]
    return sorted(listed, key=lambda group: [places[id_] for id_ in group])


def _add_up(runs: Sequence[MeasuredRun], summaries: Mapping[str, TrainingSummary]) -> Cost | None:
    trainings = [found for run in runs if (found := summaries.get(run.id) or run.training)]
    if not trainings:
        return None
    speeds = [one.tokens / one.seconds for one in trainings if one.tokens and one.seconds]
    peaks = [one.peak_memory_bytes for one in trainings if one.peak_memory_bytes is not None]
    return Cost(
        seconds=math.fsum(one.seconds for one in trainings) / len(trainings),
        peak_memory_bytes=max(peaks, default=None),
        trainable_parameters=max(one.trainable_parameters for one in trainings),
        tokens_per_second=math.fsum(speeds) / len(speeds) if speeds else None,
        device=", ".join(sorted({one.device for one in trainings if one.device})) or None,
    )


def _find_choices(runs: Mapping[str, MeasuredRun]) -> dict[str, dict[str, object]]:
    """What the rivals' recipes say of model, prompt and training where they do not all say the same."""
    flat = {
        id_: {key: value for key, value in flatten(run.manifest.recipe) if key.startswith(("model", "prompt", "train"))}
        for id_, run in runs.items()
    }
    keys = dict.fromkeys(key for values in flat.values() for key in values)
    differing = [key for key in keys if len({repr(values.get(key)) for values in flat.values()}) > 1]
    return {id_: {key: values[key] for key in differing if key in values} for id_, values in flat.items()}


def _describe_method(comparisons: int, units: int, n: int, bootstrap: Bootstrap) -> str:
    drawn = pluralize(n, "conversation")
    drawn = drawn if units == n else f"{pluralize(units, 'cluster')} of {drawn}"
    few = f"; with fewer than {FEWEST} of these, nobody is called better" if units < FEWEST else ""
    return (
        f"{percent(bootstrap.level)} intervals by a paired bootstrap ({bootstrap.resamples:,} resamples of {drawn}, "
        f"seed {bootstrap.seed}); p by a paired randomization test, corrected for "
        f"{pluralize(comparisons, 'comparison')} (Holm){few}"
    )
