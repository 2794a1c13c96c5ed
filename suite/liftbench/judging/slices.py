"""Parts of the data, and the candidate against the baseline on each: a better mean may hide a part that got worse."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate
from statistics import fmean
from typing import Literal, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from ..data.similarity.fingerprints import words_of
from ..errors import unknown
from ..records.conversation import Conversation, Scalar
from ..records.run import Direction
from ..statistics.intervals import mean_interval
from ..statistics.permutation import holm, randomization


class SliceResult(Struct, frozen=True, kw_only=True):
    """The candidate against the baseline on one metric, over one part of the data."""

    field: str
    """What the data are sliced by: `turns`, `company`, …"""
    label: str
    """Which part: `8 to 10`, `Acme`."""
    metric: str
    n: int
    baseline: float | None
    candidate: float | None
    difference: float | None
    """candidate - baseline."""
    low: float | None
    high: float | None
    """Bounds of its 95% interval."""
    p: float | None
    """One-sided: how often chance alone would make it so much worse; corrected for all slices and metrics (Holm)."""
    state: Literal["not worse", "worse", "undecided"]
    """`undecided`: too few conversations, or a score is missing."""


FEWEST = 30
"""Units (conversations, or clusters of them) below which nothing is said of a slice."""

FEW_VALUES = 6
"""A field of the metadata with so many numbers or fewer (0 and 1, stars, a priority) is not cut: each is a slice."""

LEVEL = 0.05
"""A slice is worse where chance alone would make it so, after correction, more rarely than this."""

NOT_GIVEN = "not given"

Scores = Mapping[str, Mapping[str, float | None]]
"""Id → metric → value, as `Run.scores`."""


class Slice(Struct, frozen=True, kw_only=True):
    """The conversations that are alike in one field."""

    field: str
    label: str
    """Which they are: `8 to 10`, `Acme`."""
    ids: tuple[str, ...]
    """Sorted."""


_MEASURED: dict[str, Callable[[Conversation], Scalar]] = {
    "turns": lambda conversation: len(conversation.turns),
    "length": lambda conversation: len(words_of(conversation)),
    "references": lambda conversation: len(conversation.references),
}
"""What is counted, in turns, words and human summaries; a field of the metadata with such a name is not looked at."""


def require_fields(conversations: Iterable[Conversation], fields: Iterable[str]) -> None:
    """Raise `UsageError`, with the nearest name, for a field to slice by that no conversation has a value of."""
    rows = list(conversations)
    for field in fields:
        if field not in _MEASURED and all(_value(row, field) is None for row in rows):
            given = {name for row in rows for name in row.metadata if _value(row, name) is not None}
            raise unknown("field to slice by", field, given | set(_MEASURED))


def slices(conversations: Iterable[Conversation], fields: Iterable[str], clusters: Mapping[str, str]) -> list[Slice]:
    """The parts of the data by each field: `turns`, `length` (in words), `references`, or any field of the metadata.

    Where all values of a field are numbers, they are cut into three parts of like size, or two, each of `FEWEST` units
    or more (`clusters`: what a conversation is resampled with, by id). Where that cannot be done, a measured field has
    no slices, but one of the metadata, which somebody declared, is cut in two all the same: what is too small is
    undecided then, and not passed over. Nor may a cut hide a value among others: `FEW_VALUES` numbers in the metadata,
    and all that is no number (of text: without white space around it), are a slice each, however small; numbers rise,
    else the largest slice is the first. Conversations without a value are the last slice, `not given`. A field that
    parts nothing has no slices; the slices of any other hold each conversation once. Raises `UsageError` as
    `require_fields`.
    """
    rows = sorted(conversations, key=lambda conversation: conversation.id)
    wanted = list(dict.fromkeys(fields))
    require_fields(rows, wanted)
    return [part for field in wanted for part in _slices_by(field, rows, clusters)]


def slice_results(
    found: Iterable[Slice],
    baseline: Scores,
    candidate: Scores,
    metrics: Mapping[str, Direction],
    *,
    seed: int,
    clusters: Mapping[str, str],
) -> list[SliceResult]:
    """Means, paired difference and state for each slice and metric, slice by slice; `neither` metrics are left out.

    `clusters` is what each conversation is resampled with, by id (`data.clusters.units`). The p-value is that of a
    one-sided paired randomization test that the candidate is worse, corrected by Holm's method for all the slices and
    metrics that are decided. Undecided is a slice of fewer than `FEWEST` conversations or, where several belong to one
    cluster, clusters, since those of one cluster bear witness once. So is one that lacks a score, or has one that is
    not finite: it has no figures, because those of the rest could flatter.
    """
    results = [
        _compared(part, metric, direction, baseline, candidate, seed, [clusters[id_] for id_ in part.ids])
        for part in found
        for metric, direction in metrics.items()
        if direction != "neither"
    ]
    corrected = iter(holm([one.p for one in results if one.p is not None]))
    return [one if one.p is None else _judged(one, next(corrected)) for one in results]


# -------------------------------------------------------------------------------------------------------------- cutting


def _slices_by(field: str, rows: Sequence[Conversation], clusters: Mapping[str, str]) -> list[Slice]:
    values = {row.id: _value(row, field) for row in rows}
    given = {id_: value for id_, value in values.items() if value is not None}
    numbers = {
        id_: value for id_, value in given.items() if isinstance(value, int | float) and not isinstance(value, bool)
    }
    parts = _by_number(field, numbers, clusters) if len(numbers) == len(given) else _by_name(given)
    missing = [id_ for id_ in values if id_ not in given]
    if missing:
        # A value may be called so, too.
        parts[NOT_GIVEN] = sorted(parts.pop(NOT_GIVEN, []) + missing)
    if len(parts) < 2:
        return []
    return [Slice(field=field, label=label, ids=tuple(ids)) for label, ids in parts.items()]


def _value(conversation: Conversation, field: str) -> Scalar:
    """None where there is none: a blank is none, and neither is a number that is not finite."""
    if field in _MEASURED:
        return _MEASURED[field](conversation)
    value = conversation.metadata.get(field)
    if isinstance(value, str):
        return value.strip() or None
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _by_name(given: Mapping[str, Scalar]) -> dict[str, list[str]]:
    """Label → ids: a part for each value, the largest first."""
    parts = defaultdict(list)
    for id_, value in given.items():
        parts[_name(value)].append(id_)
    return dict(sorted(parts.items(), key=lambda part: (-len(part[1]), part[0])))


class _Number(NamedTuple):
    """A value, with the conversations that have it and the units that these are of."""

    value: float
    ids: list[str]
    units: set[str]


def _by_number(field: str, given: Mapping[str, float], clusters: Mapping[str, str]) -> dict[str, list[str]]:
    """Label → ids, by rising value: a part for each, or a few for ranges of them."""
    ids_of = defaultdict(list)
    for id_, value in given.items():
        ids_of[value].append(id_)
    numbers = [_Number(value, ids, {clusters[id_] for id_ in ids}) for value, ids in sorted(ids_of.items())]
    if field in _MEASURED:
        parts = _cut(numbers, 3, FEWEST) or _cut(numbers, 2, FEWEST)
    elif len(numbers) <= FEW_VALUES:
        parts = [[number] for number in numbers]
    else:
        parts = _cut(numbers, 3, FEWEST) or _cut(numbers, 2, FEWEST) or _cut(numbers, 2, 1)
    return {
        _range(part, place, len(parts)): sorted(id_ for number in part for id_ in number.ids)
        for place, part in enumerate(parts)
    }


def _cut(numbers: Sequence[_Number], wanted: int, fewest: int) -> list[Sequence[_Number]]:
    """As many parts as wanted, each of so many units or more; none where no cut gives such.

    Of the places where there can be a cut, the first one is where the first part is most nearly its share of the
    conversations, and so on in the rest. Equal values stay together.
    """
    if _most_parts(numbers, fewest) < wanted:
        return []
    if wanted == 1:
        return [numbers]
    below = [0, *accumulate(len(number.ids) for number in numbers)]
    by_evenness = sorted(range(1, len(numbers)), key=lambda place: abs(wanted * below[place] - below[-1]))
    place = next(
        place
        for place in by_evenness
        if _most_parts(numbers[:place], fewest) and _most_parts(numbers[place:], fewest) >= wanted - 1
    )
    return [numbers[:place], *_cut(numbers[place:], wanted - 1, fewest)]


def _most_parts(numbers: Sequence[_Number], fewest: int) -> int:
    """Into how many parts of so many units numbers can be cut: each ends as soon as it has them."""
    parts = 0
    units: set[str] = set()
    for number in numbers:
        units |= number.units
        if len(units) >= fewest:
            parts += 1
            units = set()
    return parts


def _range(part: Sequence[_Number], place: int, parts: int) -> str:
    """`up to 7`, `8 to 9`, `10 or more`, or the only value."""
    low, high = _name(part[0].value), _name(part[-1].value)
    if len(part) == 1:
        return low
    if place == 0:
        return f"up to {high}"
    return f"{low} or more" if place == parts - 1 else f"{low} to {high}"


def _name(value: Scalar) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)


# ------------------------------------------------------------------------------------------------------------ comparing


def _compared(
    part: Slice,
    metric: str,
    direction: Direction,
    baseline: Scores,
    candidate: Scores,
    seed: int,
    units: Sequence[str],
) -> SliceResult:
    """With the p-value before its correction, where there are units enough for one."""
    nothing = SliceResult(
        field=part.field,
        label=part.label,
        metric=metric,
        n=len(part.ids),
        baseline=None,
        candidate=None,
        difference=None,
        low=None,
        high=None,
        p=None,
        state="undecided",
    )
    before, after = _finite(baseline, metric, part.ids), _finite(candidate, metric, part.ids)
    if not len(before) == len(after) == len(part.ids) > 0:
        return nothing
    differences = [new - old for old, new in zip(before, after, strict=True)]
    difference, low, high = mean_interval(differences, seed=seed, clusters=units)
    gains = [-value for value in differences] if direction == "lower" else differences
    enough = len(set(units)) >= FEWEST
    return replace(
        nothing,
        baseline=fmean(before),
        candidate=fmean(after),
        difference=difference,
        low=low,
        high=high,
        p=randomization(gains, seed=seed, clusters=units, alternative="less") if enough else None,
    )


def _finite(scores: Scores, metric: str, ids: Iterable[str]) -> list[float]:
    values = (scores.get(id_, {}).get(metric) for id_ in ids)
    return [value for value in values if value is not None and math.isfinite(value)]


def _judged(result: SliceResult, p: float) -> SliceResult:
    return replace(result, p=p, state="worse" if p < LEVEL else "not worse")
