"""`bench runs show`: what one run is, its figures and its files."""

from __future__ import annotations

from pathlib import Path

import click

from ..report import numbers
from ..report.terminal.text import new_table, plain
from ..runs.directory import Run, find_run
from ..runs.filtering import kind_of
from ..runs.removal import disk_use
from ..text.phrases import join_words, pluralize
from .next_steps import after_run
from .options import json_option, run_argument, runs_option
from .output import console
from .show import print_json, show_run


@click.command("show")
@run_argument("name", metavar="RUN")
@json_option
@runs_option
def command(name: str, as_json: bool, runs: Path) -> None:
    """Show RUN (a folder, an id or a part of one): what it is, its figures, its files and what they take."""
    run = find_run(name, runs)
    if as_json:
        _print_json(run)
        return
    table = new_table()
    table.show_header = False
    table.add_column("what")
    table.add_column("value", overflow="fold")
    for what, value in _facts(run).items():
        table.add_row(what, plain(value))
    console().print(table)
    if run.manifest.status == "complete" and not run.changed:
        show_run(run, as_json=False)
    after_run(run, runs)


def _facts(run: Run) -> dict[str, str]:
    manifest, protocol = run.manifest, run.manifest.protocol
    found = {
        "run": run.id,
        "made by": kind_of(run),
        "status": f"damaged: {join_words(run.changed)}" if run.changed else manifest.status,
        "system": manifest.system.name,
        "scored on": f"{pluralize(protocol.n, 'conversation')} of {protocol.dataset} {protocol.split}",
        "made": f"{manifest.created[:16].replace('T', ' ')} UTC, liftbench {manifest.version}",
    }
    if manifest.parent:
        found["adapter of"] = manifest.parent
    if (training := run.training) is not None:
        took = (
            f"{numbers.format_duration(training.seconds)}, {numbers.format_bytes(training.peak_memory_bytes)} of memory"
        )
        steps = f", {pluralize(training.steps, 'step')}" if training.steps else ""
        found["training"] = f"{training.trainer}, {took}{steps}"
    files = sorted((path for path in run.folder.iterdir()), key=lambda path: path.name)
    sizes = [(f"{path.name}/" if path.is_dir() else path.name, _size(path)) for path in files]
    found["files"] = ", ".join(f"{name} {numbers.format_size(size)}" for name, size in sizes)
    found["on the disk"] = numbers.format_size(sum(size for _, size in sizes))
    return found


def _size(path: Path) -> int:
    return disk_use(path) if path.is_dir() else path.lstat().st_size


def _print_json(run: Run) -> None:
    complete = run.manifest.status == "complete" and not run.changed
    print_json(
        {
            "run": run.id,
            "folder": str(run.folder),
            "kind": kind_of(run),
            "manifest": run.manifest,
            "changed": run.changed,
            "summary": run.summary if complete else None,
            "training": run.training,
            "bytes": disk_use(run.folder),
        }
    )
