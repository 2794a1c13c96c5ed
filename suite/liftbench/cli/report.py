"""`bench report`: the HTML of any runs."""

from __future__ import annotations

from pathlib import Path

import click

from ..report.pages import write_runs_page
from ..runs.directory import find_run
from .options import run_argument, runs_option
from .show import say


@click.command("report")
@run_argument("names", nargs=-1, required=True, metavar="RUN...")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Where to write it.")
@runs_option
def command(names: tuple[str, ...], html: Path | None, runs: Path) -> None:
    """Write one self-contained HTML page about any runs (folders, ids or parts of ids)."""
    found = [find_run(name, runs).require_complete() for name in names]
    say(f"report: {write_runs_page(found, runs, html)}")
