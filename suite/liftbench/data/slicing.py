"""Slices: the conversations of a data set that are alike in one field."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

from msgspec import Struct

from ..errors import unknown
from ..records.conversation import Conversation, Scalar
from ..statistics.lift import FEWEST
from ..text.words import words_of

FEW_VALUES = 6
"""A metadata field with at most this many different numbers (0 and 1, stars, a priority) gets a slice per number."""

NOT_GIVEN = "not given"


class Slice(Struct, frozen=True, kw_only=True):
    """The conversations that are alike in one field."""

    field: str
    label: str
    """The value or range that they share: `Acme`, `8 to 10`."""
    ids: tuple[str, ...]
    """Sorted ids of the conversations."""
    pooled: int = 0
    """How many small slices were put together; 0 for a slice as it was cut."""


_MEASURED: dict[str, Callable[[Conversation], Scalar]] = {
    "turns": lambda conversation: len(conversation.turns),
    "length": lambda conversation: len(words_of(conversation)),
    "references": lambda conversation: len(conversation.references),
}
"""Fields that are counted, in turns, words and references; a metadata field of the same name is ignored."""


def require_fields(conversations: Iterable[Conversation], fields: Iterable[str]) -> None:
    """Raise `UsageError`, with the nearest name, for a field in which no conversation has a value."""
    wanted = [field for field in fields if field not in _MEASURED]
    if not wanted:
        return
    given = {name for row in conversations for name in row.metadata if _value(row, name) is not None}
    for field in wanted:
        if field not in given:
            raise unknown("field to slice by", field, given | set(_MEASURED))


def slices(conversations: Iterable[Conversation], fields: Iterable[str], clusters: Mapping[str, str]) -> list[Slice]:
    """The slices by each field: `turns`, `length` (in words), `references`, or any field of the metadata.

    `clusters` maps an id to the unit that the conversation is resampled with.

    - If all values of a field are numbers, they are cut into three ranges of similar size, or two, each with at least
      `FEWEST` units. If that is impossible, a measured field has no slices. A metadata field is cut in two all the
      same, because somebody declared it: a slice that is too small is then named, not left out.
    - A metadata field with at most `FEW_VALUES` different numbers gets a slice for each number, and a field with other
      values a slice for each value (text is stripped), however small, so that no value is hidden in a range.
    - Ranges and numbers are in rising order, other values by falling size. Conversations without a value form the last
      slice, `not given`.
    - A field with only one slice is left out. In any other field, each conversation is in exactly one slice.

    Raises `UsageError` as `require_fields` does.
    """
    rows = sorted(conversations, key=lambda conversation: conversation.id)
    wanted = list(dict.fromkeys(fields))
    require_fields(rows, wanted)
    return [part for field in wanted for part in _slices_by(field, rows, clusters)]


def pool_small(found: Iterable[Slice], clusters: Mapping[str, str]) -> list[Slice]:
    """The same slices, but those of fewer than `FEWEST` units of one field as one, the last of the field.

    A field with a long tail (a hundred companies, few of them with thirty conversations) would otherwise have slices
    about which nothing can ever be said. A small slice without another one of its field stays as it is, but counts as
    pooled.
    """
    by_field: dict[str, list[Slice]] = {}
    for one in found:
        by_field.setdefault(one.field, []).append(one)
    pooled: list[Slice] = []
    for some in by_field.values():
        small: list[Slice] = []
        for one in some:
            (small if count_units(one.ids, clusters) < FEWEST else pooled).append(one)
        if small:
            pooled.append(_pool(small))
    return pooled


def count_units(ids: Iterable[str], clusters: Mapping[str, str]) -> int:
    """Of conversations: as many clusters as they are of; one that has none is a cluster of its own."""
    return len({clusters.get(id_, id_) for id_ in ids})


def _pool(small: Sequence[Slice]) -> Slice:
    label = small[0].label if len(small) == 1 else f"{len(small)} others"
    ids = sorted(id_ for one in small for id_ in one.ids)
    return Slice(field=small[0].field, label=label, ids=tuple(ids), pooled=len(small))


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
        # A value in the data may have the same name.
        parts[NOT_GIVEN] = sorted(parts.pop(NOT_GIVEN, []) + missing)
    if len(parts) < 2:
        return []
    return [Slice(field=field, label=label, ids=tuple(ids)) for label, ids in parts.items()]


def _value(conversation: Conversation, field: str) -> Scalar:
    """The value of a field; None if it is missing, blank, or not a finite number."""
    if field in _MEASURED:
        return _MEASURED[field](conversation)
    value = conversation.metadata.get(field)
    if isinstance(value, str):
        return value.strip() or None
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _by_name(given: Mapping[str, Scalar]) -> dict[str, list[str]]:
    """Label → ids, one entry per value, the largest first."""
    parts = defaultdict(list)
    for id_, value in given.items():
        parts[label_value(value)].append(id_)
    return dict(sorted(parts.items(), key=lambda part: (-len(part[1]), part[0])))


class _Number(NamedTuple):
    """A value, the ids of the conversations that have it, and the units that they belong to."""

    value: float
    ids: list[str]
    units: set[str]


def _by_number(field: str, given: Mapping[str, float], clusters: Mapping[str, str]) -> dict[str, list[str]]:
    """Label → ids, by rising value: one entry per value, or per range of values."""
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
    """Cut numbers into `wanted` parts of at least `fewest` units each; returns no parts if that is impossible.

    The first cut is the possible one that brings the first part nearest to its share of the conversations; the rest is
    cut in the same way. Equal values stay together.
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
    """The largest number of parts with at least `fewest` units each; greedily, a part ends once it has them."""
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
    low, high = label_value(part[0].value), label_value(part[-1].value)
    if len(part) == 1:
        return low
    if place == 0:
        return f"up to {high}"
    return f"{low} or more" if place == parts - 1 else f"{low} to {high}"


def label_value(value: Scalar) -> str:
    """A value of the metadata in words.

    >>> label_value(True), label_value(3.0), label_value("Acme")
    ('yes', '3', 'Acme')
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value).removesuffix(".0") if isinstance(value, float) else str(value)
