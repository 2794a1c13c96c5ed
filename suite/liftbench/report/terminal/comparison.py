"""A comparison in the terminal, in full (`--verbose`): all systems, then what led to each verdict."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby, zip_longest

from rich.console import Group, RenderableType
from rich.text import Text

from ...floors.ranking import Position
from ...floors.validity import describe_validity
from ...judging.compare import CandidateResult, Comparison
from ...runs.directory import Run
from ...statistics.lift import Lift, LiftResult, NoLift
from ...text.phrases import metric_label
from .. import numbers
from ..answer import Answer, answer_candidate, answer_comparison
from ..metric_groups import label_metric
from ..outcomes import SYMBOLS
from ..separations import describe_separation
from ..systems import list_steps
from .preferences import preferences_table
from .ranking import ranking_table
from .systems import systems_table
from .text import STYLES, new_table, plain
from .verdict import list_checks, list_verdict, tabulate_seeds


def comparison_table(comparison: Comparison, runs: Mapping[str, Run]) -> RenderableType:
    """All systems, then seeds judged together, then each candidate with its verdict; `runs` holds the runs by id."""
    baseline = runs[comparison.baseline]
    parts: list[RenderableType] = [systems_table(comparison.metrics, comparison.systems)]
    for name in comparison.headlines:
        steps = [
            " or ".join(f"{step.name} {numbers.format_score(step.value)}" for step in some)
            for _, some in groupby(list_steps(comparison, name), key=lambda step: step.role)
        ]
        parts.append(plain(f"{metric_label(name)}: {' → '.join(steps)}"))
    if comparison.validity is not None:
        parts += [Text(), *(plain(describe_validity(comparison.validity, name)) for name in comparison.headlines)]
    parts += [plain(f"{name}: {why}", "dim") for name, why in comparison.missing.items()]
    if not comparison.candidates:
        parts.append(plain(f"There is no candidate to judge; the baseline is {baseline.id}."))
    if comparison.ranking is not None:
        parts += [Text(), ranking_table(comparison, comparison.ranking)]
    seeds = {run: seed for family in comparison.seeds for run, seed in zip(family.runs, family.seeds, strict=True)}
    by_run = {result.run: result for result in comparison.candidates}
    answers = answer_comparison(comparison)
    several = {run: answer for answer in answers for run in answer.runs if len(answers) > 1}
    for family in comparison.seeds:
        parts += [Text(), *_say_answer(several.get(family.runs[0])), *list_verdict(family.verdict)]
        parts += [Text(), tabulate_seeds(family, by_run)]
    for result in comparison.candidates:
        seed = seeds.get(result.run)
        if seed is None:
            parts += [Text(), _candidate(baseline, runs[result.run], comparison, result), Text()]
            parts += [*_say_answer(several.get(result.run)), *list_verdict(result.verdict), Text()]
            if result.preferences:
                names = {id_: run.manifest.system.name for id_, run in runs.items()}
                parts += [preferences_table(result.preferences, names), Text()]
        else:
            name = runs[result.run].manifest.system.name
            parts += [Text(), plain(f"{name}, seed {seed} on its own", "bold")]
            parts += _say_answer(answer_candidate(comparison, result, name))
        parts += list_checks(comparison, result)
    return Group(*parts)


def _say_answer(answer: Answer | None) -> list[RenderableType]:
    """The badge and the reasons, where the answer at the end does not say them."""
    if answer is None:
        return []
    badge = Text(f"{SYMBOLS[answer.outcome]} {answer.headline}", STYLES[answer.outcome])
    return [badge, plain(". ".join(filter(None, [answer.about, answer.reason])))]


def _candidate(baseline: Run, candidate: Run, comparison: Comparison, result: CandidateResult) -> RenderableType:
    """A candidate's table of metrics, and its place among controls and humans."""
    verdict = result.verdict
    names = [run.manifest.system.name for run in (baseline, candidate)]
    table = new_table()
    table.title = plain(f"{names[1]} against {names[0]}")
    table.add_column("metric", overflow="fold")
    for heading in ("baseline", "candidate", "lift", "interval", *(["over best\nprompt"] if result.prompted else [])):
        table.add_column(heading, justify="right", overflow="fold")
    described = {metric.name for metric in comparison.metrics if metric.direction == "neither"}
    labels = {metric.name: label_metric(metric) for metric in comparison.metrics}
    for lift, other in zip_longest(result.lifts, result.prompted):
        if lift.metric not in described:
            more = [plain(numbers.format_lift(other, verdict.target))] if other else []
            table.add_row(
                *_cells(lift, labels[lift.metric], verdict.target),
                *more,
                style="bold" if lift.metric in verdict.headlines else "",
            )
    method = next((lift.method for lift in result.lifts if isinstance(lift, Lift)), "")
    about = plain(f"bold: the headlines; {method}" if method else "bold: the headlines", "dim")
    reasons = [
        plain(f"{metric_label(lift.metric)}: {lift.reason}", "dim") for lift in result.lifts if isinstance(lift, NoLift)
    ]
    separations = [plain(describe_separation(one), "dim") for one in comparison.separations]
    return Group(table, about, *reasons, *separations, *map(_describe_position, result.positions))


def _describe_position(position: Position) -> Text:
    metric = metric_label(position.metric)
    if position.value is None:
        return plain(f"{metric}: no position between {position.floor} and the humans: {position.problem}", "dim")
    return plain(
        f"{metric}: {numbers.format_position(position.value)} of the way from the best control ({position.floor}, "
        f"{numbers.format_score(position.floor_mean)}) to the humans ({numbers.format_score(position.ceiling_mean)}); "
        f"95% interval {numbers.format_position(position.low)} to {numbers.format_position(position.high)}"
    )


def _cells(lift: LiftResult, name: str, target: float) -> list[Text]:
    words = [
        name,
        numbers.format_score(lift.baseline),
        numbers.format_score(lift.candidate),
        numbers.format_lift(lift, target),
        "" if isinstance(lift, NoLift) else numbers.format_lift_interval(lift, target),
    ]
    return [plain(word) for word in words]
