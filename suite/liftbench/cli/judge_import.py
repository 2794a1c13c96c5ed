"""`bench judge import`: what the judges' files amount to."""

from __future__ import annotations

from pathlib import Path

import click

from ..preferences.folder import result_path
from ..report.terminal.preferences import preference_table
from ..workflow.judge import import_judgments
from .next_steps import after_judging
from .options import json_option, runs_option
from .output import console
from .show import print_json, say


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@json_option
@runs_option
def command(files: tuple[Path, ...], as_json: bool, runs: Path) -> None:
    """Read the files of one sheet's judges and say which system they prefer.

    The result is made from these files alone: name those of all judges. It is kept beside the key, where an earlier
    result is replaced.
    """
    found = import_judgments(files, runs)
    if as_json:
        print_json(found)
    else:
        console().print(preference_table(found))
    say(f"result: {result_path(runs, found.sheet)}")
    if not as_json:
        after_judging(runs)
