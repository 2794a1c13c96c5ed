"""How many conversations, seeds and minutes a proven lift would need, from a pilot or from assumed scores."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from ..errors import UsageError
from ..runs.directory import Run
from ..runs.selection import require_comparable
from ..statistics.lift import FEWEST
from ..statistics.power import Assumption, assume_pairs, fewest_for, half_width, power

SIZES = (50, 100, 200, 500, 1000, 2000)
WANTED = (0.8, 0.9)


class SizeRow(Struct, frozen=True, kw_only=True):
    """A number of conversations, and what it would bring."""

    conversations: int
    power: float
    """How often the lift would be proven on all headlines for all seeds."""
    half_widths: list[float]
    """Of each headline: half the width of the lift's interval, as a fraction."""
    minutes: float | None
    """Scoring the baseline and every seed, and training every seed; None without a pilot whose time is known."""


class SizePlan(Struct, frozen=True, kw_only=True):
    """What a proven lift would need."""

    headlines: list[str]
    lifts: list[float]
    """Assumed true lifts."""
    target: float
    seeds: int
    of_seeds: float
    """Standard deviation of a lift over seeds, as a fraction."""
    pilot: int | None
    """Conversations of the pilot; None for assumed scores."""
    rows: list[SizeRow]
    fewest: dict[str, int | None]
    """Power in percent → the fewest conversations with it; None where no number is enough."""


def plan_size(
    assumption: Assumption,
    *,
    seeds: int = 1,
    of_seeds: float = 0.0,
    sizes: Sequence[int] = (),
    pilot: Sequence[Run] = (),
) -> SizePlan:
    """What the assumption asks for; `pilot` are the runs that it comes from, baseline first.

    Raises `UsageError` for a size that no lift is judged on.
    """
    if few := [size for size in sizes if size < FEWEST]:
        raise UsageError(f"{few[0]} conversations are too few: a lift is judged on {FEWEST} or more")

    def power_of(n: int) -> float:
        return power(assumption, n, seeds=seeds, of_seeds=of_seeds)

    fewest = {f"{wanted:.0%}": fewest_for(wanted, power_of) for wanted in WANTED}
    shown = sorted({*(sizes or SIZES), *(n for n in fewest.values() if n and not sizes)})
    return SizePlan(
        headlines=list(assumption.headlines),
        lifts=list(assumption.lifts),
        target=assumption.target,
        seeds=seeds,
        of_seeds=of_seeds,
        pilot=pilot[0].manifest.protocol.n if pilot else None,
        rows=[
            SizeRow(
                conversations=n,
                power=power_of(n),
                half_widths=half_width(assumption, n),
                minutes=_minutes(pilot, n, seeds),
            )
            for n in shown
        ],
        fewest=fewest,
    )


def assume_pilot(baseline: Run, candidate: Run, target: float | None) -> Assumption:
    """That the conversations of two runs are like all others. Raises `UsageError` where they cannot be compared."""
    require_comparable(baseline, candidate)
    pairs = {}
    for name in baseline.manifest.headlines:
        values = [
            (before, after)
            for id_ in baseline.scores
            if (before := baseline.scores[id_].get(name)) is not None
            and (after := candidate.scores[id_].get(name)) is not None
        ]
        if len(values) < len(baseline.scores):
            raise UsageError(f"{name} has no number for some conversations of the pilot")
        pairs[name] = ([before for before, _ in values], [after for _, after in values])
    return assume_pairs(pairs, baseline.manifest.target if target is None else target)


def _minutes(pilot: Sequence[Run], n: int, seeds: int) -> float | None:
    per_conversation = []
    for run in pilot:
        seconds = [one.seconds for one in run.predictions.values() if one.seconds is not None]
        if len(seconds) < len(run.predictions) or not seconds:
            return None  # Texts from elsewhere, or from the cache of generations, took no time here.
        per_conversation.append(sum(seconds) / len(seconds))
    if not pilot:
        return None
    baseline, candidate = per_conversation
    training = pilot[1].training.seconds if pilot[1].training else 0.0
    return (n * (baseline + seeds * candidate) + seeds * training) / 60
