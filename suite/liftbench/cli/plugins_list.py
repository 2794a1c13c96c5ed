"""`bench plugins list`: what is registered, and what is wrong with the rest."""

from __future__ import annotations

from typing import get_args

import click

from ..extension.loader import load_plugins
from ..extension.registry import Kind
from ..report.terminal.tables import Table
from .next_steps import say_next
from .options import json_option
from .output import print_list
from .show import print_json, say


@click.command("list")
@json_option
@click.option("--no-plugin", multiple=True, metavar="NAME", help="Switch a plugin off.")
@click.option("--kind", type=click.Choice(get_args(Kind)), help="List only plugins of this kind.")
def command(as_json: bool, no_plugin: tuple[str, ...], kind: Kind | None) -> None:
    """List trainers, backends, metrics, controls, data sets, desks and launchers, and plugins that did not load."""
    plugins = load_plugins(no_plugin)
    specs = [spec for spec in plugins.specs if kind in (None, spec.kind)]
    if as_json:
        print_json({"specs": specs, "problems": plugins.problems})
        return
    table = Table()
    for column in ("kind", "name", "what", "plugin", "from"):
        table.add_column(column, overflow="fold")
    specs.sort(key=lambda spec: (spec.kind, spec.name))
    for spec in specs:
        table.add_row(spec.kind, spec.name, spec.summary, spec.plugin, spec.distribution)
    print_list(table)
    for problem in plugins.problems:
        say(f"not loaded: {problem.plugin} ({problem.distribution}): {problem.reason}")
    if specs:
        say_next("bench", "plugins", "show", specs[0].name)
