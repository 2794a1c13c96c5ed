"""How systems rank: floors, baseline, prompts, candidates, bounds and humans in one table, and a candidate's position
between the best control and the humans."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from ..records.system import PromptSpec
from ..runs.measured import MeasuredRun
from ..statistics.bootstrap import Bootstrap, PositionInterval
from .background import Background
from .control_scores import ControlScores, SystemScores


class Position(Struct, frozen=True, kw_only=True):
    """A candidate against the best control, and its position between that (0) and the humans (1), on one metric."""

    metric: str
    floor: str
    """Name of the best-scoring control among those that saw no reference."""
    n: int
    """Conversations on which the candidate and the controls have a score."""
    floor_mean: float
    candidate_mean: float
    gap_low: float | None
    gap_high: float | None
    """Bounds of the paired bootstrap interval of candidate - floor, at the level of the lift's interval."""
    n_humans: int
    """Conversations on which the humans have a score, too: the position is measured on these."""
    ceiling_mean: float | None
    value: float | None
    """(candidate - floor) / (ceiling - floor)."""
    low: float | None
    high: float | None
    """Bounds of its 95% interval (see `Bootstrap.position`)."""
    problem: str = ""
    """Why `value` is None, for example because the humans do not score better than the best control; else empty."""


class SystemMeans(Struct, frozen=True, kw_only=True):
    """One system's means on every metric: a line of the table of all systems."""

    name: str
    role: Literal["floor", "baseline", "best-prompted", "candidate", "bound", "consensus", "humans"]
    note: str = ""
    means: dict[str, float | None]
    """Metric name → mean over the conversations that have a value; empty where nothing could be measured."""
    intervals: dict[str, tuple[float, float]] = {}
    """Headline → its mean's 95% interval, where there are enough conversations for one."""


def positions(
    candidate: MeasuredRun, headlines: Sequence[str], controls: ControlScores, bootstrap: Bootstrap
) -> list[Position]:
    """The candidate's position between the best control and the humans, on each headline that a control has a score on.

    The interval between candidate and control has the level of `bootstrap`; that of the position is a 95% interval.
    """
    found = (_position(candidate, name, controls, bootstrap) for name in headlines)
    return [position for position in found if position is not None]


def unmeasured(background: Background) -> list[str]:
    """The parts of the background that could not be measured, with the reason."""
    rows = background.controls.rows if background.controls else []
    missing = {row.missing: row.name for row in rows if row.missing}
    return [f"{name}: {why}" for name, why in background.missing.items()] + [
        f"{', '.join(row.name for row in rows if row.missing == why)}: {why}" for why in missing
    ]


def _position(candidate: MeasuredRun, metric: str, controls: ControlScores, bootstrap: Bootstrap) -> Position | None:
    """The position on one metric; None where no control has a score, or the candidate has none."""
    own = [candidate.scores.get(id_, {}).get(metric) for id_ in controls.ids]
    floors = {row.name: row.scores[metric] for row in controls.rows if row.role == "floor" and metric in row.scores}
    floors = {name: column for name, column in floors.items() if any(value is not None for value in column)}
    whole = _whole(own, *floors.values())
    if not floors or not whole:
        return None
    lower = next(info for info in controls.metrics if info.name == metric).direction == "lower"
    sign, better = (-1, "below") if lower else (1, "above")
    best = max(floors, key=lambda name: sign * _mean(floors[name], whole))
    gaps = [one - other for one, other in zip(_some(own, whole), _some(floors[best], whole), strict=True)]
    _, gap_low, gap_high = bootstrap.mean(gaps, [controls.ids[at] for at in whole])
    humans = next(row for row in controls.rows if row.role == "humans").scores[metric]
    common = _whole(own, floors[best], humans)
    values, floor, ceiling = (_some(column, common) for column in (own, floors[best], humans))
    if common and sign * _mean(humans, common) <= sign * _mean(floors[best], common):
        # On a reversed scale, a candidate far below both would rank above the humans.
        found = PositionInterval(None, None, None, f"humans do not score {better} the best control")
    else:
        found = bootstrap.position(values, floor, ceiling, [controls.ids[at] for at in common])
    return Position(
        metric=metric,
        floor=best,
        n=len(whole),
        floor_mean=_mean(floors[best], whole),
        candidate_mean=_mean(own, whole),
        gap_low=gap_low,
        gap_high=gap_high,
        n_humans=len(common),
        ceiling_mean=_mean(humans, common) if common else None,
        value=found.value,
        low=found.low,
        high=found.high,
        problem=found.problem,
    )


Column = Sequence[float | None]


def _whole(*columns: Column) -> list[int]:
    """The places at which all columns have a value."""
    return [at for at, values in enumerate(zip(*columns, strict=True)) if all(value is not None for value in values)]


def _some(column: Column, places: Sequence[int]) -> list[float]:
    return [value for at in places if (value := column[at]) is not None]


def _mean(column: Column, places: Sequence[int]) -> float:
    return sum(_some(column, places)) / len(places)


def system_table(
    baseline: MeasuredRun,
    best: MeasuredRun | None,
    candidates: Sequence[MeasuredRun],
    controls: ControlScores | None,
    bootstrap: Bootstrap,
    headlines: Sequence[str],
) -> list[SystemMeans]:
    """The means of all systems, in the order of a report, with 95% intervals on the headlines."""
    single = replace(bootstrap, comparisons=1)
    intervals = _intervals(controls, headlines, single) if controls else {}
    known = [
        replace(system_means(row), intervals=intervals.get(row.name, {})) for row in (controls.rows if controls else [])
    ]
    measured: list[tuple[Literal["baseline", "best-prompted", "candidate"], MeasuredRun]] = [("baseline", baseline)]
    measured += [("best-prompted", best)] if best else []
    measured += [("candidate", run) for run in candidates]
    return [
        *(row for row in known if row.role == "floor"),
        *(
            SystemMeans(
                name=run.manifest.system.name,
                role=role,
                note=_prompt_words(run.manifest.system.prompt) if role == "best-prompted" else "",
                means={row.name: row.mean for row in run.summary.metrics},
                intervals={
                    row.name: (row.low, row.high)
                    for row in run.summary.metrics
                    if row.name in headlines and row.low is not None and row.high is not None
                },
            )
            for role, run in measured
        ),
        *(row for role in ("bound", "consensus", "humans") for row in known if row.role == role),
    ]


def _intervals(
    controls: ControlScores, headlines: Sequence[str], bootstrap: Bootstrap
) -> dict[str, dict[str, tuple[float, float]]]:
    """System → headline → the interval of its mean; systems with a score on the same conversations share the draws."""
    groups: dict[tuple[int, ...], list[tuple[str, str, Column]]] = {}
    for row in controls.rows:
        for name in headlines:
            column = row.scores.get(name, [])
            whole = tuple(_whole(column))
            if 10 * len(whole) >= len(column) > 0:
                groups.setdefault(whole, []).append((row.name, name, column))
    found: dict[str, dict[str, tuple[float, float]]] = {}
    for whole, cells in groups.items():
        ids = [controls.ids[at] for at in whole]
        means = bootstrap.means([_some(column, whole) for _, _, column in cells], ids)
        for (system, name, _), (_, low, high) in zip(cells, means, strict=True):
            if low is not None and high is not None:
                found.setdefault(system, {})[name] = (low, high)
    return found


def _prompt_words(prompt: PromptSpec | None) -> str:
    """The best prompt that was found, in words."""
    if prompt is None:
        return ""
    words = [f"begun with {prompt.prefill!r}"] if prompt.prefill else []
    words += [f"{len(prompt.shots)} examples shown"] if prompt.shots else []
    words += [f"cut after {prompt.max_words} words"] if prompt.max_words else []
    words += [f"ended at {', '.join(map(repr, prompt.stop))}"] if prompt.stop else []
    return "; ".join([*words, f"template: {prompt.template}"])


def system_means(row: SystemScores) -> SystemMeans:
    """A system's means over the conversations that have a value; a metric with values for under a tenth has no mean."""
    known = {name: [value for value in column if value is not None] for name, column in row.scores.items()}
    means = {
        name: sum(values) / len(values) if values and 10 * len(values) >= len(row.scores[name]) else None
        for name, values in known.items()
    }
    return SystemMeans(name=row.name, role=row.role, note=row.note or row.missing, means=means)
