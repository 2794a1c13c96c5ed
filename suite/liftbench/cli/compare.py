"""`bench compare`: the table, the verdict, and the HTML report."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import get_args

import click
from rich.console import Console

from ..extension.loader import load_plugins
from ..judging.compare import exit_code
from ..records.run import Against
from ..report.terminal import comparison_table
from ..runs.directory import Run, find_run, runs_in
from ..runs.selection import newest_pair
from .acts import say
from .comparing import compared
from .job import json_option, print_json, runs_option


@click.command("compare")
@click.argument("names", nargs=-1, metavar="[BASELINE] [CANDIDATE]...")
@click.option("--target", type=float, help="The lift to reach, as a fraction (default: the baseline's recipe's).")
@click.option("--headline", "headlines", multiple=True, help="A metric to judge on (default: the baseline's recipe's).")
@click.option(
    "--against",
    type=click.Choice(get_args(Against)),
    help="Over which of the two to judge the lift (default: the baseline's recipe's); both are shown.",
)
@click.option(
    "--slice",
    "slices",
    multiple=True,
    metavar="FIELD",
    help="A part of the data that must not get worse: a metadata field, beside the recipe's (guards.slices).",
)
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Where to write the HTML report.")
@json_option
@runs_option
def command(
    names: tuple[str, ...],
    target: float | None,
    headlines: tuple[str, ...],
    against: Against | None,
    slices: tuple[str, ...],
    html: Path | None,
    as_json: bool,
    runs: Path,
) -> None:
    """Compare runs by folder, id or a part of an id: floors and ceilings, the verdict and an HTML report.

    Of a single run the newest comparable counterpart is taken; without arguments, the newest comparable pair. Other
    seeds of a candidate's training (`bench train --seeds`) are always judged with it.
    Exits with 0 only if the lift is verified, else with 1.
    """
    baseline, candidates = _chosen(names, runs)
    found = compared(
        baseline,
        candidates,
        load_plugins(),
        runs,
        html=html,
        target=target,
        headlines=headlines,
        against=against,
        slices=slices,
    )
    if as_json:
        print_json(found.comparison)
    else:
        Console().print(comparison_table(found.comparison, found.runs))
    say(f"report: {found.page}")
    sys.exit(exit_code(found.comparison))


def _chosen(names: tuple[str, ...], runs: Path) -> tuple[Run, list[Run]]:
    if len(names) > 1:
        baseline, *candidates = (find_run(name, runs) for name in names)
        return baseline, candidates
    there = runs_in(runs)
    if names:
        named = find_run(names[0], runs)
        is_baseline = named.manifest.command == "baseline" and not named.manifest.tuned
        there = [named, *(run for run in there if (run.manifest.command == "baseline") != is_baseline)]
    baseline, candidate = newest_pair(there)
    say(f"baseline:  {baseline.id}\ncandidate: {candidate.id}")
    return baseline, [candidate]
