"""`bench plugins show`: what a plugin is, who registers it, and which options it takes."""

from __future__ import annotations

import click

from ..extension.describe import describe
from ..extension.loader import load_plugins
from ..report.terminal.plugins import describe_plugin
from . import complete
from .options import json_option
from .output import console
from .show import print_json


@click.command("show")
@click.argument("name", shell_complete=complete.plugins())
@json_option
@click.option("--no-plugin", multiple=True, metavar="NAME", help="Switch a plugin off.")
def command(name: str, as_json: bool, no_plugin: tuple[str, ...]) -> None:
    """Show what the plugin NAME is, which package registers it, its options, and a command that uses it.

    A name that several kinds of plugins have is shown once for each. Nothing but the type of the options is imported.
    """
    plugins = load_plugins(no_plugin)
    found = [describe(spec, plugins) for spec in plugins.named(name)]
    if as_json:
        print_json(found)
        return
    out = console()
    for number, one in enumerate(found):
        if number:
            out.print()
        out.print(describe_plugin(one))
