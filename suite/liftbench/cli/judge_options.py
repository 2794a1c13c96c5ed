"""The options that decide which pairs are judged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import click

from ..extension.loader import load_plugins
from ..records.preferences import Rival
from ..runs.directory import find_run
from ..workflow.judge import PreparedSheet, prepare_sheet
from .show import FEEDBACK


def sheet_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `CANDIDATE` and the options that decide which pairs its sheet has; the command hands them to `sheet_for`."""
    options = [
        click.argument("candidate"),
        click.option(
            "--baseline", metavar="RUN", help="What to compare with (default: the newest comparable baseline)."
        ),
        click.option(
            "--against",
            type=click.Choice(get_args(Rival)),
            default="baseline",
            show_default=True,
            help="Compare with the baseline, a human summary, or the best control.",
        ),
        click.option(
            "--n", "n", type=click.IntRange(min=1), default=30, show_default=True, help="Conversations to draw."
        ),
        click.option("--seed", type=int, default=0, show_default=True, help="Seed of the sample and the sides."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def sheet_for(candidate: str, baseline: str | None, against: Rival, n: int, seed: int, runs: Path) -> PreparedSheet:
    """The sheet that the values of `sheet_options` describe."""
    return prepare_sheet(
        find_run(candidate, runs),
        load_plugins(),
        runs,
        FEEDBACK,
        baseline=None if baseline is None else find_run(baseline, runs),
        against=against,
        n=n,
        seed=seed,
    )
