"""`bench compare`: the answer in a few lines, and the HTML report."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import click

from ..extension.loader import load_plugins
from ..judging.compare import exit_code
from ..records.run import Against
from ..report.plots import write_plots
from ..runs.directory import find_run
from ..workflow.compare import choose_runs, compare_runs
from .options import json_option, run_argument, runs_option
from .show import FEEDBACK, say
from .show_comparison import Form, show_comparison


@click.command("compare")
@run_argument("names", nargs=-1, metavar="[BASELINE] [CANDIDATE]...")
@click.option("--target", type=float, help="The lift to reach, as a fraction (default: the baseline's recipe's).")
@click.option("--headline", "headlines", multiple=True, help="A metric to judge on (default: the baseline's recipe's).")
@click.option(
    "--against",
    type=click.Choice(get_args(Against)),
    help="Judge the lift over this baseline; both are shown (default: the baseline's recipe's).",
)
@click.option(
    "--slice",
    "slices",
    multiple=True,
    metavar="FIELD",
    help="A metadata field whose slices must not get worse, in addition to the recipe's (guards.slices).",
)
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Where to write the HTML report.")
@click.option(
    "--plots",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Also write the plot of each headline there, as SVG and PNG.",
)
@click.option("--verbose", is_flag=True, help="Print all tables and findings before the answer.")
@click.option("--markdown", is_flag=True, help="Print the answer as Markdown, for a pull request.")
@json_option
@runs_option
def command(
    names: tuple[str, ...],
    target: float | None,
    headlines: tuple[str, ...],
    against: Against | None,
    slices: tuple[str, ...],
    html: Path | None,
    plots: Path | None,
    verbose: bool,
    markdown: bool,
    as_json: bool,
    runs: Path,
) -> int:
    """Compare runs by folder, id or a part of an id: whether to ship the candidate, why, and an HTML report.

    A single run is compared with its newest comparable counterpart; without arguments, the newest comparable pair is
    compared. Other seeds of a candidate's training (`bench train --seeds`) are always judged with it.
    The exit code is 0 only if the lift is verified, else 1.
    """
    baseline, candidates = choose_runs([find_run(name, runs) for name in names], runs, say)
    plugins = load_plugins()
    found = compare_runs(
        baseline,
        candidates,
        plugins,
        runs,
        FEEDBACK,
        target=target,
        headlines=headlines,
        against=against,
        slices=slices,
    )
    if plots:
        write_plots(found.comparison, plots)
        say(f"plots: {plots}")
    form: Form = "json" if as_json else "markdown" if markdown else "verbose" if verbose else "short"
    show_comparison(found, plugins, runs, html, form)
    return exit_code(found.comparison)
