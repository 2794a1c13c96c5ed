"""`bench plan`: how many conversations, seeds and minutes a proven lift would need."""

from __future__ import annotations

import math
from pathlib import Path

import click
from rich.text import Text

from ..errors import UsageError
from ..report.terminal.tables import Table
from ..runs.directory import find_run
from ..statistics.power import assume_figures
from ..text.phrases import join_words, metric_label, percent
from ..workflow.compare import choose_runs
from ..workflow.size_plan import SizePlan, assume_pilot, plan_size
from .options import json_option, run_argument, runs_option
from .output import echo, print_list
from .show import print_json, say

DEVIATIONS, CORRELATION = (0.08, 0.09), 0.17
"""Of ROUGE-L on TweetSumm, for the untuned model and its adapter (`baselines/paired-scores.json`)."""


@click.command("plan")
@run_argument("names", nargs=-1, metavar="[BASELINE] [CANDIDATE]")
@click.option("--assume", type=float, nargs=2, metavar="BEFORE AFTER", help="Assume these mean scores; no pilot.")
@click.option("--deviations", type=float, nargs=2, default=DEVIATIONS, show_default=True, help="With --assume.")
@click.option("--correlation", type=click.FloatRange(-1, 1), default=CORRELATION, show_default=True, help="As above.")
@click.option(
    "--target", type=float, help="The lift to prove, as a fraction (default: the baseline's recipe's, or 0.4)."
)
@click.option(
    "--seeds", type=click.IntRange(1, 100), default=1, show_default=True, help="Trainings that must all pass."
)
@click.option(
    "--seed-deviation", type=click.FloatRange(0), default=0.02, show_default=True, help="Of a lift over seeds."
)
@click.option("--conversations", type=click.IntRange(1), multiple=True, help="A number to look at (repeatable).")
@json_option
@runs_option
def command(
    names: tuple[str, ...],
    assume: tuple[float, float] | None,
    deviations: tuple[float, float],
    correlation: float,
    target: float | None,
    seeds: int,
    seed_deviation: float,
    conversations: tuple[int, ...],
    as_json: bool,
    runs: Path,
) -> None:
    """Say how many conversations, seeds and minutes a proven lift would need.

    A pilot of two runs says how scores vary and what time they take; without arguments, the newest comparable pair is
    taken. --assume BEFORE AFTER takes mean scores instead.
    """
    if assume and names:
        raise UsageError("give a pilot of two runs or --assume, not both")
    of_seeds = seed_deviation if seeds > 1 else 0.0
    if not all(map(math.isfinite, (*(assume or ()), *deviations, target or 0.0))) or min(deviations) <= 0:
        raise UsageError("means and targets must be finite numbers, and --deviations above 0")
    if assume:
        before, after = assume
        if before <= 0:
            raise UsageError(f"--assume: the mean before must be above 0, not {before:g}")
        goal = 0.4 if target is None else target
        assumption = assume_figures(
            before, after, deviations=deviations, correlation=correlation, target=goal, name="the score"
        )
        plan = plan_size(assumption, seeds=seeds, of_seeds=of_seeds, sizes=conversations)
    else:
        baseline, candidates = choose_runs([find_run(name, runs) for name in names], runs, say)
        pilot = (baseline, candidates[0])
        assumption = assume_pilot(*pilot, target)
        plan = plan_size(assumption, seeds=seeds, of_seeds=of_seeds, sizes=conversations, pilot=pilot)
    if as_json:
        print_json(plan)
        return
    echo(describe(plan))
    print_list(table(plan))


def describe(plan: SizePlan) -> str:
    """The plan in two sentences."""
    labels = [metric_label(name) for name in plan.headlines]
    lifts = join_words([f"{lift:+.0%} on {label}" for lift, label in zip(plan.lifts, labels, strict=True)])
    source = f"as in the pilot of {plan.pilot} conversations" if plan.pilot else "as assumed"
    seeds = f", for all of {plan.seeds} seeds" if plan.seeds > 1 else ""
    goal = f"+{percent(plan.target)}{seeds}"
    enough = {power: n for power, n in plan.fewest.items() if n is not None}
    if not enough:
        return f"If the true lifts are {lifts} ({source}), no number of conversations proves {goal} reliably."
    needed = join_words([f"{n:,} conversations prove it in {power} of cases" for power, n in enough.items()])
    return f"If the true lifts are {lifts} ({source}), then of {goal}: {needed}."


def table(plan: SizePlan) -> Table:
    """Each number of conversations with its chance, the intervals' width and the time."""
    made = Table()
    made.add_column("conversations", justify="right")
    made.add_column("proven in", justify="right")
    for name in plan.headlines:
        made.add_column(f"{metric_label(name)} ±", justify="right")
    if plan.rows[0].minutes is not None:
        made.add_column("minutes", justify="right")
    for row in plan.rows:
        widths = [f"{width:.0%}" for width in row.half_widths]
        minutes = [] if row.minutes is None else [f"{row.minutes:,.0f}"]
        made.add_row(*map(Text, [f"{row.conversations:,}", f"{row.power:.0%}", *widths, *minutes]))
    return made
