"""`bench plugins list`: what is registered, and what is wrong with the rest."""

from __future__ import annotations

import click

from ..extension.loader import load_plugins
from ..report.terminal.tables import Table
from .options import json_option
from .output import console
from .show import print_json


@click.command("list")
@json_option
@click.option("--no-plugin", multiple=True, metavar="NAME", help="Switch a plugin off.")
def command(as_json: bool, no_plugin: tuple[str, ...]) -> None:
    """List trainers, backends, metrics, controls, data sets and desks, and plugins that could not be loaded."""
    plugins = load_plugins(no_plugin)
    if as_json:
        print_json({"specs": plugins.specs, "problems": plugins.problems})
        return
    table = Table()
    for column in ("kind", "name", "what", "plugin", "from"):
        table.add_column(column, overflow="fold")
    for spec in sorted(plugins.specs, key=lambda spec: (spec.kind, spec.name)):
        table.add_row(spec.kind, spec.name, spec.summary, spec.plugin, spec.distribution)
    out = console()
    out.print(table)
    for problem in plugins.problems:
        out.print(f"{problem.plugin} ({problem.distribution}): {problem.reason}", highlight=False, markup=False)
