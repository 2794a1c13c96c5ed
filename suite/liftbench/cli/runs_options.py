"""The options that say which runs are meant."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any, get_args

import click

from ..runs.filtering import Kind, RunFilter, Status


class Day(click.ParamType[str]):
    """A day, `2026-11-30`."""

    name = "DATE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return date.fromisoformat(str(value)).isoformat()
        except ValueError:
            self.fail(f"{value!r} is not a date; write it as 2026-11-30", param, ctx)


def filter_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that choose runs; the command hands their values to `filter_of`."""
    options = [
        click.option("--system", default="", metavar="TEXT", help="Only systems with this in their name."),
        click.option("--dataset", default="", metavar="TEXT", help="Only data sets with this in their name."),
        click.option("--status", type=click.Choice(get_args(Status)), help="Only runs with this status."),
        click.option("--kind", type=click.Choice(get_args(Kind)), help="Only runs of this kind."),
        click.option("--since", type=Day(), metavar="DATE", help="Only runs of this day or later (UTC)."),
        click.option("--until", type=Day(), metavar="DATE", help="Only runs of this day or earlier (UTC)."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def filter_of(given: dict[str, Any]) -> RunFilter:
    """The filter from the values of `filter_options`."""
    return RunFilter(**{name: value for name, value in given.items() if value is not None})
