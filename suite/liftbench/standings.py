"""Where systems stand among each other: floors, baseline, prompts, candidates, bounds and humans in one table, and a
candidate's place between the best control and the humans."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from . import stats
from .runs import Run
from .types import Position, PromptSpec, Standing, Yardstick, Yardsticks


def positions(candidate: Run, headlines: Sequence[str], yardsticks: Yardsticks, seed: int) -> list[Position]:
    """The candidate's place on each headline on which both a control and the humans have a score."""
    return [position for name in headlines if (position := _position(candidate, name, yardsticks, seed)) is not None]


def _position(candidate: Run, metric: str, yardsticks: Yardsticks, seed: int) -> Position | None:
    """The candidate between the best control and the humans; None where one of the two was not measured."""
    humans = next(row for row in yardsticks.rows if row.role == "humans").scores[metric]
    floors = [row for row in yardsticks.rows if row.role == "floor" and row.scores]
    own = [candidate.scores.get(id_, {}).get(metric) for id_ in yardsticks.ids]
    whole = [
        at
        for at, columns in enumerate(zip(humans, own, *(row.scores[metric] for row in floors), strict=True))
        if all(value is not None for value in columns)
    ]
    if not floors or not whole:
        return None
    lower = next(info for info in yardsticks.metrics if info.name == metric).direction == "lower"

    def some(column: Sequence[float | None]) -> list[float]:
        return [value for at in whole if (value := column[at]) is not None]

    def mean(values: Sequence[float]) -> float:
        return sum(values) / len(values)

    floor = max(floors, key=lambda row: (-1 if lower else 1) * mean(some(row.scores[metric])))
    bottom, middle, top = some(floor.scores[metric]), some(own), some(humans)
    found = stats.position(middle, bottom, top, seed=seed)
    return Position(
        metric=metric,
        floor=floor.name,
        n=len(whole),
        floor_mean=mean(bottom),
        candidate_mean=mean(middle),
        ceiling_mean=mean(top),
        value=found.value,
        low=found.low,
        high=found.high,
        problem=found.problem,
    )


def standings(
    baseline: Run, best: Run | None, candidates: Sequence[Run], yardsticks: Yardsticks | None
) -> list[Standing]:
    """All systems with their means, in the order of a report."""
    rows = yardsticks.rows if yardsticks else []
    measured: list[tuple[Literal["baseline", "best-prompted", "candidate"], Run]] = [("baseline", baseline)]
    measured += [("best-prompted", best)] if best else []
    measured += [("candidate", run) for run in candidates]
    return [
        *(standing(row) for row in rows if row.role == "floor"),
        *(
            Standing(
                name=run.manifest.system.name,
                role=role,
                note=_prompt_words(run.manifest.system.prompt) if role == "best-prompted" else "",
                means={row.name: row.mean for row in run.summary.metrics},
            )
            for role, run in measured
        ),
        *(standing(row) for role in ("bound", "humans") for row in rows if row.role == role),
    ]


def _prompt_words(prompt: PromptSpec | None) -> str:
    """What was found to be the best prompt."""
    if prompt is None:
        return ""
    words = [f"begun with {prompt.prefill!r}"] if prompt.prefill else []
    words += [f"{len(prompt.shots)} examples shown"] if prompt.shots else []
    words += [f"cut after {prompt.max_words} words"] if prompt.max_words else []
    words += [f"ended at {', '.join(map(repr, prompt.stop))}"] if prompt.stop else []
    return "; ".join([*words, f"template: {prompt.template}"])


def standing(row: Yardstick) -> Standing:
    """A yardstick's means over the conversations that have a value; none where those are fewer than a tenth."""
    known = {name: [value for value in column if value is not None] for name, column in row.scores.items()}
    means = {
        name: sum(values) / len(values) if values and 10 * len(values) >= len(row.scores[name]) else None
        for name, values in known.items()
    }
    return Standing(name=row.name, role=row.role, note=row.note or row.missing, means=means)
