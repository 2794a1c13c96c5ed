"""`bench sweep`: the best options of a trainer, by development data alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.text import Text

from ..records.sweep import Sweep, SweepTrial
from ..report.terminal.tables import Table
from ..text.phrases import pluralize, value_words
from ..training.search_space import OPTIONS
from ..training.sweep import LOSS, SweepPlan
from ..workflow.measure import say_problems
from ..workflow.preview import require_model
from ..workflow.sweep import TRIALS, plan_for, run_sweep
from .next_steps import after_sweep
from .options import run_options, setup_of, trainer_option
from .output import console, echo
from .show import print_json, say


@click.command("sweep")
@run_options
@trainer_option
@click.option("--trials", type=click.IntRange(min=1), default=TRIALS, show_default=True, help="Number of trainings.")
@click.option(
    "--param",
    "params",
    multiple=True,
    metavar="train.options.KEY=VALUES",
    help="Vary this option instead of those that the trainer suggests: 8,16,32 or 1..3 or 1e-4..3e-3:log; may be "
    "repeated.",
)
@click.option(
    "--by",
    default=LOSS,
    show_default=True,
    metavar="METRIC",
    help="Compare trials by the validation loss, or by a metric of texts that they generate (rougeL).",
)
@click.option(
    "--conversations",
    type=click.IntRange(min=2),
    help="Use only this many conversations of the training split.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to write the recipe.  [default: recipe.toml in the sweep's folder]",
)
def command(
    trials: int,
    params: tuple[str, ...],
    by: str,
    conversations: int | None,
    out: Path | None,
    dry_run: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Find the best options of RECIPE's trainer on development data, and write them as a recipe.

    Each trial is a training on one part of the training split, compared on the other part; hopeless ones are stopped.
    The scored split is only read to leave out conversations that resemble it. A sweep that was stopped continues when
    the same command is given again, and more --trials continue a finished one.
    """
    setup = setup_of(given)
    plan = plan_for(setup, params=params, by=by, conversations=conversations)
    if dry_run:
        _show_plan(plan, trials, as_json=as_json)
        require_model(setup.recipe)
        return
    found = run_sweep(setup, plan, trials=trials, out=out)
    say_problems(setup.plugins, say)
    if as_json:
        print_json(found)
    else:
        _show(found)
        after_sweep(found.recipe, setup.runs)


def _show_plan(plan: SweepPlan, trials: int, *, as_json: bool) -> None:
    split, options = plan.training.split, plan.training.options
    if as_json:
        print_json(
            {
                "space": {f"{OPTIONS}{name}": str(values) for name, values in plan.space.items()},
                "by": plan.by,
                "trials": trials,
                "training": len(split.train),
                "development": len(split.validation),
                "left_out": split.left_out,
            }
        )
        return
    table = Table(title=f"{pluralize(trials, 'trial')} of the trainer {plan.training.spec.name}")
    for column in ("option", "values", "the recipe's own"):
        table.add_column(column)
    for name, values in plan.space.items():
        table.add_row(f"{OPTIONS}{name}", str(values), str(getattr(options, name)))
    out = console()
    out.print(table)
    out.print(
        f"{pluralize(len(split.train), 'conversation')} to train on, {len(split.validation)} to compare trials on by "
        f"{plan.by}, {split.left_out} left out (scored, or nearly)",
        highlight=False,
    )


def _show(found: Sweep) -> None:
    table = Table(
        title=f"{pluralize(len(found.trials), 'trial')} on {pluralize(found.development, 'conversation')} "
        f"of {found.split}"
    )
    varied = list(found.trials[0].options)
    table.add_column("trial", justify="right")
    for name in varied:
        table.add_column(name, justify="right", overflow="fold")
    table.add_column("state")
    table.add_column(found.by, justify="right")
    table.add_column("minutes", justify="right")
    for trial in best_first(found):
        value = "–" if trial.value is None else f"{trial.value:.4f}"
        state = f"{trial.state}: {trial.problem}" if trial.problem else trial.state
        cells = [value_words(trial.options[name]) for name in varied]
        table.add_row(str(trial.number), *cells, Text(state), value, f"{trial.seconds / 60:.1f}")
    console().print(table)
    echo(found.recipe)


def best_first(found: Sweep) -> list[SweepTrial]:
    """The trials as a table lists them: the best one, then the other complete ones, then those without a value."""
    best = next(trial for trial in found.trials if trial.number == found.best)
    best_value = best.value or 0.0

    def place(trial: SweepTrial) -> tuple[bool, float, int]:
        # The best value is at one end, so the distance from it orders them whichever direction is better.
        distance = 0.0 if trial.value is None else abs(trial.value - best_value)
        return trial.value is None, distance, trial.number

    return sorted(found.trials, key=place)
