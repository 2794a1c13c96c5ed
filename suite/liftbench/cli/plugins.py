"""`bench plugins`: what is registered, and what one of it takes."""

from __future__ import annotations

from collections.abc import Sequence

import click

from .lazy import LazyGroup


class PluginsGroup(LazyGroup):
    """`bench plugins` is `bench plugins list`."""

    def full_arguments(self, args: Sequence[str]) -> list[str]:
        helps = bool(args) and args[0] in ("-h", "--help")
        return ["list", *args] if not args or (args[0].startswith("-") and not helps) else list(args)


@click.group(
    "plugins",
    cls=PluginsGroup,
    prefix="plugins_",
    commands_help={
        "list": "List everything that plugins register.",
        "show": "Show what one plugin is and which options it takes.",
    },
)
def command() -> None:
    """Which trainers, backends, metrics, controls, data sets and help desks are there?

    \b
    bench plugins                list them, and plugins that could not be loaded
    bench plugins show qlora     what it is, who registers it, its options
    """
