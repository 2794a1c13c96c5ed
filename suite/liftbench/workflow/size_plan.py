"""How many conversations, seeds and minutes a proven lift would need, from a pilot or from assumed scores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from ..errors import UsageError
from ..runs.directory import Run, find_run
from ..runs.selection import require_comparable
from ..statistics.lift import FEWEST
from ..statistics.power import Assumption, assume_figures, assume_pairs, fewest_for, half_width, power
from .compare import RunLike, choose_runs
from .feedback import Say, feedback_to
from .setup import RUNS

DEVIATIONS, CORRELATION = (0.08, 0.09), 0.17
"""Of ROUGE-L on TweetSumm, for the untuned model and its adapter (`baselines/paired-scores.json`)."""

SEED_DEVIATION = 0.02
TARGET = 0.4

SIZES = (50, 100, 200, 500, 1000, 2000)
WANTED = (0.8, 0.9)
MOST_SEEDS = 100


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
    pilot_runs: list[str] = []
    """Ids of the pilot's runs, the baseline first."""
    rows: list[SizeRow]
    fewest: dict[str, int | None]
    """Power in percent → the fewest conversations with it; None where no number is enough."""


def plan(
    baseline: RunLike | None = None,
    candidate: RunLike | None = None,
    *,
    assume: tuple[float, float] | None = None,
    deviations: tuple[float, float] = DEVIATIONS,
    correlation: float = CORRELATION,
    target: float | None = None,
    seeds: int = 1,
    seed_deviation: float = SEED_DEVIATION,
    conversations: Sequence[int] = (),
    runs: str | Path = RUNS,
    say: Say | None = None,
) -> SizePlan:
    """Say how many conversations, seeds and minutes a proven lift would need, as `bench plan` does.

    Parameters:
        baseline: The pilot's untuned model: a run (as an object, a folder, an id or a part of one). If only one run is
            given, its newest comparable counterpart is taken; if none is, the newest comparable pair.
        candidate: The pilot's other run.
        assume: Mean scores before and after, instead of a pilot.
        deviations: With `assume`: the standard deviations of single conversations' scores, before and after.
        correlation: With `assume`: the correlation of these scores.
        target: The lift to prove, as a fraction (default: that of the baseline's recipe, or 0.4).
        seeds: Trainings that must all pass.
        seed_deviation: The standard deviation of a lift over seeds.
        conversations: Numbers to look at (default: a few usual ones, and those that are enough).
        runs: The folder of the run directories.
        say: Called with each message, for example `print`.

    Returns:
        The plan: `fewest["80%"]` conversations prove the lift in 80% of cases, and each row has a number of
        conversations with its power.

    Raises:
        UsageError: A run is unknown or the two cannot be compared, both a pilot and `assume` are given, or a number is
            out of its range.

    Example:
        >>> liftbench.plan(assume=(0.2, 0.31), seeds=3).fewest["80%"]  # doctest: +SKIP
        197
    """
    if assume and (baseline is not None or candidate is not None):
        raise UsageError("give a pilot of two runs or --assume, not both")
    if not all(map(math.isfinite, (*(assume or ()), *deviations, target or 0.0))) or min(deviations) <= 0:
        raise UsageError("means and targets must be finite numbers, and --deviations above 0")
    if not (1 <= seeds <= MOST_SEEDS and 0 <= seed_deviation < math.inf and -1 <= correlation <= 1):
        raise UsageError(
            f"seeds must be 1 to {MOST_SEEDS}, their deviation 0 or more, and the correlation from -1 to 1"
        )
    of_seeds = seed_deviation if seeds > 1 else 0.0
    if assume:
        before, after = assume
        if before <= 0:
            raise UsageError(f"--assume: the mean before must be above 0, not {before:g}")
        assumption = assume_figures(
            before,
            after,
            deviations=deviations,
            correlation=correlation,
            target=TARGET if target is None else target,
            name="the score",
        )
        return plan_size(assumption, seeds=seeds, of_seeds=of_seeds, sizes=conversations)
    given = [one for one in (baseline, candidate) if one is not None]
    named = [one if isinstance(one, Run) else find_run(str(one), Path(runs)) for one in given]
    first, others = choose_runs(named, Path(runs), feedback_to(None, say).say)
    pilot = (first, others[0])
    assumption = assume_pilot(*pilot, target)
    return plan_size(assumption, seeds=seeds, of_seeds=of_seeds, sizes=conversations, pilot=pilot)


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
        pilot_runs=[run.id for run in pilot],
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
