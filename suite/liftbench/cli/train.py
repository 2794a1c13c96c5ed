"""`bench train`: an adapter, or one for each of several seeds, and its score by the same harness."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
import msgspec

from ..measuring.plan import Measurement, prepare
from ..recipe.measured import TRAININGS
from ..runs.directory import Run
from ..workflow.measure import say_problems
from ..workflow.preview import expect_trainings, preview_trainings
from ..workflow.train import Training, plan_trainings, train_adapters, with_launch
from .next_steps import after_dry_run, after_measuring, after_training_alone
from .options import run_options, setup_of, trainer_option
from .output import echo
from .show import print_json, say, show_preview, show_run, show_seeds
from .show_expectation import show_expectation


@click.command("train")
@run_options
@trainer_option
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=1,
    metavar="N",
    help="Train N adapters, with the seed and those that follow it.",
)
@click.option("--no-score", is_flag=True, help="Stop after training.")
@click.option(
    "--launch",
    metavar="N|CONFIG",
    help="Train in N processes by `accelerate launch`, or as its configuration says: a YAML file, or fsdp2:N.",
)
@click.option(
    "--no-calibration", is_flag=True, help="With --dry-run: predict neither time nor memory, which takes a minute."
)
def command(
    seeds: int,
    no_score: bool,
    launch: str | None,
    no_calibration: bool,
    dry_run: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Train an adapter for RECIPE's model through a trainer plugin, then score it.

    Without --plugin the recipe's trainer is taken. Before it begins, the command says what it will cost. Measured:
    {measured}.

    A training that was stopped continues from its newest checkpoint when the same command is given again. With --seeds
    each adapter is a run of its own, and `bench compare` judges them together. With --launch several processes share
    the conversations of every step; the adapter is that of one process but for rounding. With --dry-run a few steps are
    tried; they predict time and peak memory, and tell which micro-batch fits.
    """
    setup = with_launch(setup_of(given), launch)
    measurement = prepare(setup.resolved, setup.plugins)
    trainings = plan_trainings(setup, measurement, seeds)
    if dry_run:
        _preview(trainings, measurement, calibrate=not no_calibration, as_json=as_json)
        after_dry_run(as_json=as_json)
        return
    runs = train_adapters(trainings, measurement, score=not no_score)
    if no_score:
        _show_adapters(runs, as_json=as_json)
        after_training_alone(as_json=as_json)
        return
    say_problems(setup.plugins, say)
    if seeds == 1:
        show_run(runs[0], as_json=as_json)
    else:
        show_seeds(runs, as_json=as_json)
    after_measuring(setup, runs[-1], as_json=as_json)


command.help = (command.help or "").replace("{measured}", TRAININGS)


def _preview(trainings: Sequence[Training], measurement: Measurement, *, calibrate: bool, as_json: bool) -> None:
    preview = preview_trainings(trainings, measurement)
    if as_json:
        expected = expect_trainings(trainings) if calibrate else None
        show_preview(msgspec.structs.replace(preview, expected=expected), as_json=True)
        return
    show_preview(preview, as_json=False)
    if calibrate:
        show_expectation(expect_trainings(trainings))


def _show_adapters(runs: Sequence[Run], *, as_json: bool) -> None:
    if any(run.manifest.status == "trained" for run in runs):
        say("trained, not scored; the same command without --no-score scores it")
    if as_json:
        rows = [{"run": run.id, "folder": str(run.folder), "adapter": str(run.adapter)} for run in runs]
        print_json(rows if len(rows) > 1 else rows[0])
        return
    for run in runs:
        echo(run.adapter)
