"""`bench runs list`: the runs, with what they take on the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..report import numbers
from ..report.terminal.runs import runs_table
from ..runs.directory import read_runs
from ..runs.removal import disk_use
from ..text.phrases import pluralize
from .next_steps import after_runs
from .options import json_option, runs_option
from .output import console, echo, error_console, print_list, results
from .runs_options import filter_of, filter_options
from .show import print_json, say

WIDE = 104
"""Columns of a terminal in which the sizes fit beside whole ids."""


@click.command("list")
@filter_options
@json_option
@runs_option
def command(as_json: bool, runs: Path, **given: Any) -> None:
    """List the runs, oldest first, with what they take on the disk.

    A run is damaged if a file is missing or is not the one that it was completed with. Runs that cannot be read, such
    as those of an older version, are named with the reason.
    """
    there, unreadable = read_runs(runs)
    found = filter_of(given).choose(there)
    for one in unreadable:
        say(f"warning: {one.why}")
    sizes = {run.id: disk_use(run.folder) for run in found}
    if as_json:
        print_json(
            [
                {"folder": str(run.folder), "manifest": run.manifest, "changed": run.changed, "bytes": sizes[run.id]}
                for run in found
            ]
        )
        return
    if not there:
        echo(f"no runs in {runs}; `bench baseline` makes one")
        return
    if not found:
        echo(f"none of {pluralize(len(there), 'run')} in {runs} fits these options")
        return
    out = console()
    print_list(runs_table(found, sizes if out.width >= WIDE or not out.file.isatty() else None))
    largest = max(found, key=lambda run: sizes[run.id])
    results().flush()  # A list that could not be printed needs no total.
    errors = error_console()
    errors.print(
        f"{pluralize(len(found), 'run')}, {numbers.format_size(sum(sizes.values()))} (the largest: {largest.id}, "
        f"{numbers.format_size(sizes[largest.id])}); all of {runs} takes {numbers.format_size(disk_use(runs))}",
        highlight=False,
        markup=False,
        soft_wrap=not errors.file.isatty(),
    )
    after_runs(found, runs)
