"""A group that imports each command when it is called; the group itself holds the help of all commands."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import click

from ..errors import RunFailed, unknown
from .output import results_apart


class LazyGroup(click.Group):
    """A group whose commands are `command` in `liftbench/cli/<prefix><name>.py`, with `_` for `-`."""

    def __init__(self, *arguments: Any, commands_help: Mapping[str, str], prefix: str = "", **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._help = commands_help
        self._prefix = prefix

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(self._help)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._help:
            return None
        return _load(f"liftbench.cli.{self._prefix}{cmd_name.replace('-', '_')}")

    def full_arguments(self, args: Sequence[str]) -> list[str]:
        """The arguments in full: where a group has a short form, with the command that it stands for."""
        return list(args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, self.full_arguments(args))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self._help:
            raise unknown("command", args[0], self._help)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; its return value is the exit code.

        None of our commands calls `sys.exit`. A plugin's code that does would end the command before its result is
        there, possibly with 0 as if all were well.
        """
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            # Click would exit with 1. It is no reader of ours: that is `ReaderGone`.
            raise RunFailed(
                f"something wrote to a process or a connection that had ended ({error})", "See --debug for where."
            ) from error
        except SystemExit as error:
            raise RunFailed(
                f"something called sys.exit({error.code!r}) before the command was done",
                "See --debug for where; switch a plugin off with LIFTBENCH_NO_PLUGIN=NAME.",
            ) from error

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(self._help.items()))


@cache
def _load(module: str) -> click.Command:
    """A command, which has standard output for its results alone."""
    command: click.Command = importlib.import_module(module).command
    if command.callback is not None and not isinstance(command, click.Group):
        command.callback = results_apart(command.callback)
    return command
