"""`bench runs`: which runs there are, what one of them is, and deleting some."""

from __future__ import annotations

import click

from .lazy import LazyGroup


@click.group(
    "runs",
    cls=LazyGroup,
    prefix="runs_",
    default="list",
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
