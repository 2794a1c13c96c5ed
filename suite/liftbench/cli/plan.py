"""`bench plan`: how many conversations, seeds and minutes a proven lift would need."""

from __future__ import annotations

from pathlib import Path

import click
from rich.text import Text

from ..errors import UsageError
from ..report.terminal.tables import Table
from ..statistics.lift import FEWEST
from ..text.phrases import join_words, metric_label, percent
from ..workflow.size_plan import CORRELATION, DEVIATIONS, MOST_SEEDS, SEED_DEVIATION, SizePlan
from ..workflow.size_plan import plan as make_plan
from .next_steps import after_plan
from .options import json_option, run_argument, runs_option
from .output import echo, print_list
from .show import print_json, say


@click.command("plan")
@run_argument("names", nargs=-1, metavar="[BASELINE] [CANDIDATE]")
@click.option("--assume", type=float, nargs=2, metavar="BEFORE AFTER", help="Assume these mean scores; no pilot.")
@click.option("--deviations", type=float, nargs=2, default=DEVIATIONS, show_default=True, help="With --assume.")
@click.option("--correlation", type=click.FloatRange(-1, 1), default=CORRELATION, show_default=True, help="As above.")
@click.option(
    "--target", type=float, help="The lift to prove, as a fraction (default: the baseline's recipe's, or 0.4)."
)
@click.option(
    "--seeds", type=click.IntRange(1, MOST_SEEDS), default=1, show_default=True, help="Trainings that must all pass."
)
@click.option(
    "--seed-deviation",
    type=click.FloatRange(0),
    default=SEED_DEVIATION,
    show_default=True,
    help="Of a lift over seeds.",
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
    if len(names) > 2:
        raise UsageError(f"a pilot is two runs, not {len(names)}")
    plan = make_plan(
        *names,
        assume=assume,
        deviations=deviations,
        correlation=correlation,
        target=target,
        seeds=seeds,
        seed_deviation=seed_deviation,
        conversations=conversations,
        runs=runs,
        say=say,
    )
    if as_json:
        print_json(plan)
        return
    echo(describe(plan))
    print_list(table(plan))
    after_plan(plan, runs)


def describe(plan: SizePlan) -> str:
    """The plan in two sentences."""
    labels = [metric_label(name) for name in plan.headlines]
    lifts = join_words([f"{lift:+.0%} on {label}" for lift, label in zip(plan.lifts, labels, strict=True)])
    source = f"as in the pilot of {plan.pilot} conversations" if plan.pilot else "as assumed"
    truth = f"If the true {'lifts are' if len(labels) > 1 else 'lift is'} {lifts} ({source})"
    goal = f"+{percent(plan.target)}" + (f" for each of {plan.seeds} seeds" if plan.seeds > 1 else "")
    enough = {n: power for power, n in plan.fewest.items() if n is not None}
    if not enough:
        return f"{truth}, no number of conversations proves {goal} reliably."
    if list(enough) == [FEWEST]:
        words = f"{FEWEST} conversations prove {goal} in {enough[FEWEST]} of measurements or more"
        return f"{truth}, {words}; fewer are not judged."
    needed = [f"{n:,} conversations prove {goal} in {power} of measurements" for n, power in enough.items()]
    return f"{truth}, {needed[0]}" + "".join(f", {n:,} in {power}" for n, power in list(enough.items())[1:]) + "."


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
