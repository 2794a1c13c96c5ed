"""`bench report`: the HTML of any runs."""

from __future__ import annotations

from pathlib import Path

import click

from ..files import digest, write_text
from ..report.html import render_runs
from ..runs.directory import find_run
from .acts import say
from .job import runs_option


@click.command("report")
@click.argument("names", nargs=-1, required=True, metavar="RUN...")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Where to write it.")
@runs_option
def command(names: tuple[str, ...], html: Path | None, runs: Path) -> None:
    """Write one self-contained HTML page about any runs (folders, ids or parts of ids)."""
    found = [find_run(name, runs).require_complete() for name in names]
    path = html or runs.parent / f"report-{digest(*(run.id for run in found))[:8]}.html"
    write_text(path, render_runs(found))
    say(f"report: {path}")
