"""`bench plugins`: what is registered, and what one of it takes."""

from __future__ import annotations

import click

from .lazy import LazyGroup


@click.group(
    "plugins",
    cls=LazyGroup,
    prefix="plugins_",
    default="list",
    commands_help={
        "list": "List everything that plugins register.",
        "show": "Show what one plugin is and which options it takes.",
    },
)
def command() -> None:
    """Which trainers, backends, metrics, controls, data sets, help desks and launchers are there?

    \b
    bench plugins                list them, and plugins that could not be loaded
    bench plugins show qlora     what it is, who registers it, its options
    """
