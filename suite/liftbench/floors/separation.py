"""Whether a metric separates people from systems without a model on a data set: only such a metric can decide there.

On TweetSumm, for example, ROUGE-L scores the slot template as high as people: a system that beats the template there
has shown nothing, and one that does not may still write as people do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from ..statistics.bootstrap import Bootstrap
from ..statistics.lift import FEWEST
from .control_scores import ControlScores, SystemScores

SeparationState = Literal["separates", "does not separate", "not measured"]


class Separation(Struct, frozen=True, kw_only=True):
    """How the humans, each measured against the others, compare with the controls on one metric."""

    metric: str
    state: SeparationState
    """`separates`: the humans clearly beat every control. `not measured`: too few conversations, or clusters of them,
    have a second reference (see `FEWEST`)."""
    n: int
    """Conversations on which the humans and every control have a score."""
    floor: str = ""
    """The control that the humans are least certain to beat."""
    floor_mean: float | None = None
    human_mean: float | None = None
    low: float | None = None
    high: float | None = None
    """Bounds of the paired 95% interval of humans - control; the sign is turned so that above zero means better."""


def separate(controls: ControlScores, metrics: Sequence[str], bootstrap: Bootstrap) -> list[Separation]:
    """The separation on each metric that has a better direction and that every measured control has a score on."""
    floors = [row for row in controls.rows if row.role == "floor" and not row.missing]
    humans = next((row for row in controls.rows if row.role == "humans"), None)
    directions = {info.name: info.direction for info in controls.metrics}
    return [
        _separate(controls.ids, metric, floors, humans, directions[metric] == "lower", bootstrap)
        for metric in metrics
        if directions.get(metric) in ("higher", "lower") and floors and all(metric in row.scores for row in floors)
    ]


def _separate(
    ids: Sequence[str],
    metric: str,
    floors: Sequence[SystemScores],
    humans: SystemScores | None,
    lower: bool,
    bootstrap: Bootstrap,
) -> Separation:
    own = humans.scores.get(metric, []) if humans else []
    values = {
        id_: (human, *floor_values)
        for id_, human, *floor_values in zip(ids, own, *(row.scores[metric] for row in floors), strict=False)
        if human is not None and None not in floor_values
    }
    shared = list(values)
    units = len(set(bootstrap.labels(shared) or ()))
    if units < FEWEST:
        return Separation(metric=metric, state="not measured", n=len(shared))
    human_column, *columns = zip(*values.values(), strict=True)
    bootstrap = replace(bootstrap, comparisons=1)
    sign = -1 if lower else 1
    gaps = [
        bootstrap.mean([sign * (human - floor) for human, floor in zip(human_column, column, strict=True)], shared)
        for column in columns
    ]
    least = min(range(len(floors)), key=lambda at: -math.inf if (low := gaps[at].low) is None else low)
    low, high = gaps[least].low, gaps[least].high
    return Separation(
        metric=metric,
        state="separates" if low is not None and low > 0 else "does not separate",
        n=len(shared),
        floor=floors[least].name,
        floor_mean=fmean(columns[least]),
        human_mean=fmean(human_column),
        low=low,
        high=high,
    )
