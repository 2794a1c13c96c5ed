"""A group that imports each command when it is called; the group itself holds the help of all commands."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from functools import cache, wraps
from typing import Any

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from ..errors import LiftbenchError, RunFailed, Terminated, unknown
from .examples import examples_of
from .output import echo, results_apart

MODULES = {"show": "show_conversation"}
"""Commands whose module has another name; `cli/show.py` is what all commands print with."""

RESOLVED = "liftbench.resolved"
"""Where a command leaves its resolved recipe in the context, so that an error can say where a wrong name was given."""


class LazyGroup(click.Group):
    """A group whose commands are `command` in `liftbench/cli/<prefix><name>.py`, with `_` for `-`.

    `sections` are the headings of its help, each with the names of its commands; the others come last. Alone, the group
    prints its help, or is its command `default`: `bench runs --json` is `bench runs list --json`.
    """

    def __init__(
        self,
        *arguments: Any,
        commands_help: Mapping[str, str],
        prefix: str = "",
        sections: Mapping[str, Sequence[str]] | None = None,
        default: str = "",
        **options: Any,
    ) -> None:
        super().__init__(*arguments, **{**options, "invoke_without_command": True})
        self._help = commands_help
        self._prefix = prefix
        self._sections = sections or {}
        self._default = default

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return list(self._help)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._help:
            return None
        return _load(self._prefix, cmd_name)

    def full_arguments(self, args: Sequence[str]) -> list[str]:
        """The arguments in full: where a group has a short form, with the command that it stands for."""
        asks_for_help = bool(args) and args[0] in ("-h", "--help")
        if self._default and (not args or (args[0].startswith("-") and not asks_for_help)):
            return [self._default, *args]
        return list(args)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # While a shell completes, the words after the group are not there yet.
        return super().parse_args(ctx, self.full_arguments(args) if args or not ctx.resilient_parsing else args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self._help and not ctx.resilient_parsing:
            raise unknown("command", args[0], self._help)
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The commands that begin so. None is imported, because a shell waits."""
        found = [CompletionItem(name, help=words) for name, words in self._help.items() if name.startswith(incomplete)]
        return found + click.Command.shell_complete(self, ctx, incomplete)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; its return value is the exit code.

        None of our commands calls `sys.exit`. A plugin's code that does would end the command before its result is
        there, possibly with 0 as if all were well.
        """
        try:
            code = super().invoke(ctx)
        except BrokenPipeError as error:
            # Click would exit with 1. It is no reader of ours: that is `ReaderGone`.
            raise RunFailed(
                f"something wrote to a process or a connection that had ended ({error})", "See --debug for where."
            ) from error
        except Terminated:
            raise
        except SystemExit as error:
            raise RunFailed(
                f"something called sys.exit({error.code!r}) before the command was done",
                "See --debug for where; switch a plugin off with LIFTBENCH_NO_PLUGIN=NAME.",
            ) from error
        if ctx.invoked_subcommand is None:
            echo(ctx.get_help())
            return 0
        return code

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        named = {name for names in self._sections.values() for name in names}
        others = [name for name in self._help if name not in named]
        width = max(map(len, self._help))
        for title, names in {**self._sections, "Other commands" if named else "Commands": others}.items():
            rows = [(name.ljust(width), self._help[name]) for name in names if name in self._help]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


class NearChoice(click.Choice[str]):
    """One of some words; another word is answered with the nearest of them."""

    def get_invalid_choice_message(self, value: object, ctx: click.Context | None) -> str:
        del ctx
        error = unknown("value", str(value), map(str, self.choices))
        return f"{error.what}. {error.fix}"


@cache
def _load(prefix: str, name: str) -> click.Command:
    """A command, with its examples below its help, which has standard output for its results alone."""
    own = f"{prefix}{name.replace('-', '_')}"
    module = MODULES.get(own, own)
    command: click.Command = importlib.import_module(f"liftbench.cli.{module}").command
    command.epilog = examples_of(own)
    for parameter in command.params:
        if type(parameter.type) is click.Choice:
            parameter.type = NearChoice(parameter.type.choices)
    if command.callback is not None and not isinstance(command, click.Group):
        command.callback = results_apart(_naming_options(command.callback))
    return command


def _naming_options(callback: Callable[..., Any]) -> Callable[..., Any]:
    """A command's callback whose errors about a name say where it was given."""

    @wraps(callback)
    def run(*arguments: Any, **options: Any) -> Any:
        try:
            return callback(*arguments, **options)
        except LiftbenchError as error:
            located = _locate(error, click.get_current_context())
            if located is error:
                raise
            raise located from error

    return run


def _locate(error: LiftbenchError, ctx: click.Context) -> LiftbenchError:
    resolved = ctx.meta.get(RESOLVED)
    located: LiftbenchError = resolved.located(error) if resolved else error
    if located is not error or not error.name:
        return located
    for option in ctx.command.params:
        name, value = option.name or "", ctx.params.get(option.name or "")
        typed = ctx.get_parameter_source(name) == ParameterSource.COMMANDLINE
        if (
            isinstance(option, click.Option)
            and typed
            and error.name in (value if isinstance(value, tuple) else (value,))
        ):
            return error.within(option.opts[-1])
    return error
