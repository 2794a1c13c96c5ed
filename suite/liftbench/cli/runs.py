"""`bench runs`: lists the runs."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from ..report.terminal.runs import runs_table
from ..runs.directory import runs_in
from .options import json_option, runs_option
from .show import print_json


@click.command("runs")
@json_option
@runs_option
def command(as_json: bool, runs: Path) -> None:
    """List the runs, oldest first."""
    found = runs_in(runs)
    if as_json:
        print_json([{"folder": str(run.folder), "manifest": run.manifest} for run in found])
        return
    if not found:
        click.echo(f"no runs in {runs}; `bench baseline` makes one")
        return
    Console().print(runs_table(found))
