"""`bench runs`: lists the runs."""

from __future__ import annotations

from pathlib import Path

import click

from ..report.terminal.runs import runs_table
from ..runs.directory import runs_in, unreadable_in
from .options import json_option, runs_option
from .output import echo, print_list
from .show import print_json, say


@click.command("runs")
@json_option
@runs_option
def command(as_json: bool, runs: Path) -> None:
    """List the runs, oldest first.

    A run is damaged if a file is missing or is not the one that it was completed with. Runs that cannot be read, such
    as those of an older version, are named with the reason.
    """
    found = runs_in(runs)
    for reason in unreadable_in(runs):
        say(f"warning: {reason}")
    if as_json:
        print_json([{"folder": str(run.folder), "manifest": run.manifest, "changed": run.changed} for run in found])
        return
    if not found:
        echo(f"no runs in {runs}; `bench baseline` makes one")
        return
    print_list(runs_table(found))
