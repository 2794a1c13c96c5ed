"""`bench runs delete`: runs that are no longer needed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click

from ..errors import LiftbenchError, UsageError
from ..report import numbers
from ..runs.directory import Run, UnreadableRun, find_run, read_runs
from ..runs.filtering import RunFilter
from ..runs.removal import delete_run, dependents, disk_use, require_inside
from ..text.phrases import join_words, pluralize
from .options import json_option, run_argument, runs_option
from .runs_options import filter_of, filter_options
from .show import print_json, say


class Doomed(NamedTuple):
    """A run to be deleted."""

    folder: Path
    key: str | None
    """None for a run that cannot be read."""
    size: int


@click.command("delete")
@run_argument("names", nargs=-1, metavar="[RUN]...")
@click.option("--damaged", is_flag=True, help="Those that are damaged or cannot be read.")
@click.option("--incomplete", is_flag=True, help="Those that are not complete.")
@filter_options
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@runs_option
def command(
    names: tuple[str, ...], damaged: bool, incomplete: bool, yes: bool, as_json: bool, runs: Path, **given: Any
) -> int:
    """Delete runs: those that are named, or all that the options choose. It asks first.

    A run that another process works on stays, and the exit code is 4. What was measured once for a data set
    (`yardsticks`) and judgments stay, too.
    """
    chosen = filter_of(given)
    if names and (damaged or incomplete or chosen != RunFilter()):
        raise UsageError("name runs, or choose them by options, not both")
    if not names and not damaged and not incomplete and chosen == RunFilter():
        raise UsageError("name the runs to delete, or choose them: --damaged, --incomplete, --kind, --until, …")
    there, unreadable = read_runs(runs)
    if names:
        found = _named(names, runs, unreadable)
    else:
        found = _chosen(chosen, there, unreadable, damaged=damaged, incomplete=incomplete)
    if not found:
        say("there is no such run; nothing was deleted")
        if as_json:
            print_json({"deleted": [], "kept": {}, "bytes": 0})
        return 0
    _confirm(found, there, yes=yes)
    deleted: list[Doomed] = []
    kept: dict[str, str] = {}
    for doomed in found:
        try:
            delete_run(doomed.folder, runs, doomed.key)
            deleted.append(doomed)
        except LiftbenchError as error:
            kept[doomed.folder.name] = error.line
            say(f"error: {error.line}")
    freed = sum(doomed.size for doomed in deleted)
    if as_json:
        print_json({"deleted": [doomed.folder.name for doomed in deleted], "kept": kept, "bytes": freed})
    else:
        say(f"deleted {pluralize(len(deleted), 'run')}, {numbers.format_size(freed)}")
    return LiftbenchError.exit_code if kept else 0


def _named(names: tuple[str, ...], runs: Path, unreadable: Sequence[UnreadableRun]) -> list[Doomed]:
    found = {}
    unread = {one.folder.name: one.folder for one in unreadable}
    for name in names:
        folder, key = unread.get(Path(name).name), None
        if folder is None:
            run = find_run(name, runs)
            folder, key = run.folder, run.manifest.key
        require_inside(folder, runs)
        found[folder.resolve()] = Doomed(folder, key, disk_use(folder))
    return list(found.values())


def _chosen(
    chosen: RunFilter,
    there: Sequence[Run],
    unreadable: Sequence[UnreadableRun],
    *,
    damaged: bool,
    incomplete: bool,
) -> list[Doomed]:
    found = []
    for run in chosen.choose(there):
        is_meant = not (damaged or incomplete) or (damaged and run.changed)
        if is_meant or (incomplete and run.manifest.status != "complete"):
            found.append(Doomed(run.folder, run.manifest.key, disk_use(run.folder)))
    if damaged and chosen == RunFilter():
        found += [Doomed(one.folder, None, disk_use(one.folder)) for one in unreadable]
    return found


def _confirm(found: list[Doomed], there: Sequence[Run], *, yes: bool) -> None:
    """Name what is deleted, and ask. Raises `UsageError` where nobody can answer, and `Abort` for a no."""
    folders = {doomed.folder.resolve() for doomed in found}
    for doomed in found:
        say(f"{doomed.folder.name}  {numbers.format_size(doomed.size)}")
    for run in there:
        if run.folder.resolve() in folders:
            others = [one for one in there if one.folder.resolve() not in folders]
            if users := dependents(run, others):
                say(f"warning: {join_words(users)} was scored with the adapter of {run.id}, which is deleted with it")
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("nothing was deleted: there is no terminal to ask at", "Give --yes.")
    total = numbers.format_size(sum(doomed.size for doomed in found))
    if not click.confirm(f"delete {pluralize(len(found), 'run')}, {total}?", err=True):
        raise UsageError("nothing was deleted")
