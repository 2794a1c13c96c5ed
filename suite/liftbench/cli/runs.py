"""`bench runs`: which runs there are, what one of them is, and deleting some."""

from __future__ import annotations

from collections.abc import Sequence

import click

from .lazy import LazyGroup


class RunsGroup(LazyGroup):
    """`bench runs` is `bench runs list`."""

    def full_arguments(self, args: Sequence[str]) -> list[str]:
        helps = bool(args) and args[0] in ("-h", "--help")
        return ["list", *args] if not args or (args[0].startswith("-") and not helps) else list(args)


@click.group(
    "runs",
    cls=RunsGroup,
    prefix="runs_",
    commands_help={
        "list": "List the runs, or some of them, with what they take on the disk.",
        "show": "Show what one run is, its figures and its files.",
        "delete": "Delete runs.",
    },
)
def command() -> None:
    """Which runs are there, and which of them are still needed?

    \b
    bench runs                              list them
    bench runs --kind train --since 2026-11-01
    bench runs show RUN                     what it is, its figures and its files
    bench runs delete --damaged             delete those that are damaged; it asks first
    """
