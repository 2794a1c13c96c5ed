"""The columns of an import with their origins: given by options, guessed, or asked for on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import click
from msgspec import Struct, to_builtins
from msgspec.structs import replace
from rich.table import Table
from rich.text import Text

from ..data.intake.columns import Columns, Role, check_form, check_names, missing_fields
from ..data.intake.guessing import guess, kind_of
from ..data.intake.tables import Row
from ..data.intake.values import list_in, words
from ..errors import UsageError
from .show import say

Origin = Literal["given", "guessed", "asked"]

ROLES: dict[str, Role] = {"customer": "customer", "agent": "agent"}
SHOWN_VALUES = 3
SHOWN_CHARACTERS = 32

HOLDS = {
    "text": "the text (--text; --transcript or --messages where a row is a whole conversation)",
    "speaker": "the speaker (--speaker)",
    "id": "the conversation's id (--id)",
}


class Mapping(Struct, frozen=True, kw_only=True):
    """The columns, and where each of them comes from."""

    columns: Columns
    origins: dict[str, Origin]

    def __str__(self) -> str:
        return ", ".join(f"{field} = {value} ({origin})" for field, value, origin in self._fields())

    def without_people(self) -> str:
        """The columns, with the number of speakers that were given a role instead of their names."""
        given = len(self.columns.roles)
        named = [f"{field} = {value} ({origin})" for field, value, origin in self._fields() if field != "roles"]
        return ", ".join(named + ([f"roles of {given} speakers (given)"] if given else []))

    def table(self) -> Table:
        """The columns as a table for the terminal."""
        table = Table(title="columns")
        for column in ("field", "column", "origin"):
            table.add_column(column, overflow="fold")
        for field, value, origin in self._fields():
            table.add_row(field, Text(value), origin)
        return table

    def _fields(self) -> list[tuple[str, str, Origin]]:
        values = to_builtins(self.columns)
        return [(field, show_value(values[field]), origin) for field, origin in self.origins.items()]


_column = partial(click.option, metavar="COLUMN")


def column_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--id`, `--speaker`, … `--others`; the command hands their values to `mapping_of`."""
    options = [
        _column("--id", help="The conversation's id."),
        _column("--speaker", help="The speaker of a message."),
        _column("--text", help="The text of a message, if a row is a message."),
        _column("--time", help="The time or number of a message (default: the order of the rows)."),
        _column("--transcript", help="The whole conversation as text, if a row is a conversation."),
        _column("--messages", help="The list of messages, if a row is a conversation."),
        click.option("--message-speaker", metavar="KEY", help="The speaker's key in a list of messages (author.type)."),
        click.option("--message-text", metavar="KEY", help="The text's key in the list of messages."),
        click.option(
            "--internal",
            multiple=True,
            metavar="NAME[=VALUE]",
            help="A column or key that marks internal notes, and the value that does; may be repeated.",
        ),
        click.option("--keep-internal", is_flag=True, help="Keep internal notes and events."),
        _column("--reference", "references", multiple=True, help="A human summary; may be repeated."),
        _column("--keep", multiple=True, help="A column to keep as metadata; may be repeated."),
        _column("--cluster", help="The customer's id."),
        click.option(
            "--role",
            "roles",
            multiple=True,
            metavar="VALUE=ROLE",
            help="The role of a speaker, customer or agent, by the value in the speaker's column; may be repeated.",
        ),
        click.option("--others", type=click.Choice(list(ROLES)), help="The role of all other speakers."),
        click.option("--keep-quotes", is_flag=True, help="Keep the history that mails quote."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def mapping_of(given: dict[str, Any], files: Sequence[Path], samples: Sequence[Sequence[Row]]) -> Mapping:
    """The columns from the values of `column_options` and the first rows of each file.

    Raises `UsageError` naming the columns where a needed one is not given and cannot be guessed or asked for, and
    where a file does not have a column.
    """
    optional = {field: given[field] or None for field in ("keep", "internal")}
    named = Columns(**{**given, **optional, "roles": dict(map(parse_role, given["roles"]))})
    names = [_column_names(rows, path) for path, rows in zip(files, samples, strict=True)]
    check_names(named, names[0])
    guessed = guess(names[0], samples[0], named)
    columns = guessed
    if missing_fields(guessed):
        if not sys.stdin.isatty():
            raise UsageError(_open_question(guessed, names[0], samples[0]))
        columns = _ask_columns(guessed, names[0], samples[0])
    check_form(columns)
    for path, known in zip(files[1:], names[1:], strict=True):
        _check_like_first(columns, path, known, files[0])
    by_origin: list[tuple[Origin, Columns]] = [("given", named), ("guessed", guessed), ("asked", columns)]
    origins = {
        field: next(origin for origin, source in by_origin if getattr(source, field) == getattr(columns, field))
        for field in to_builtins(columns)
    }
    return Mapping(columns=columns, origins=origins)


def parse_role(text: str) -> tuple[str, Role]:
    """The speaker and the role of `VALUE=ROLE`. Raises `UsageError`."""
    # Split at the last equals sign: a name may hold one, a role does not.
    value, equals, role = text.rpartition("=")
    if not equals or not value.strip() or role.strip() not in ROLES:
        raise UsageError(f"--role {text!r}: write VALUE=customer or VALUE=agent, for example --role 'Ann Lee=agent'")
    return value.strip(), ROLES[role.strip()]


def _column_names(rows: Sequence[Row], path: Path) -> list[str]:
    names = list(dict.fromkeys(name for row in rows for name in row.values))
    if not names:
        fault = next((f"; {row.place}: {row.fault}" for row in rows if row.fault), "")
        raise UsageError(f"{path}: there is no row below the header that can be read{fault}")
    return names


def _check_like_first(columns: Columns, path: Path, known: Sequence[str], first: Path) -> None:
    try:
        check_names(columns, known)
    except UsageError as error:
        raise error.within(f"{path} has other columns than {first}") from error


# ------------------------------------------------------------------------------------------------- what is missing


def _open_question(columns: Columns, names: Sequence[str], rows: Sequence[Row]) -> str:
    holds = " and ".join(HOLDS[field] for field in missing_fields(columns))
    return f"cannot tell which column holds {holds}\ncolumns: {', '.join(_with_values(name, rows) for name in names)}"


def _ask_columns(columns: Columns, names: Sequence[str], rows: Sequence[Row]) -> Columns:
    say("columns:")
    for name in names:
        say(f"  {_with_values(name, rows)}")
    if columns.text is None:
        name = _ask("the column of the text", names)
        values = [row.values[name] for row in rows if words(row.values.get(name)) or list_in(row.values.get(name))]
        columns = replace(columns, **{"text" if columns.speaker else kind_of(values): name})
    for field, question in (("speaker", "the column of the speaker"), ("id", "the column of the conversation's id")):
        if field in missing_fields(columns):
            columns = replace(columns, **{field: _ask(question, names)})
    return columns


def _ask(question: str, names: Sequence[str]) -> str:
    answer: str = click.prompt(question, type=click.Choice(list(names)), show_choices=False, err=True)
    return answer


def _with_values(name: str, rows: Sequence[Row]) -> str:
    values = dict.fromkeys(filter(None, (show_value(row.values.get(name)) for row in rows)))
    cut = (value if len(value) <= SHOWN_CHARACTERS else f"{value[:SHOWN_CHARACTERS]}…" for value in values)
    return f"{name} ({', '.join(map(repr, islice(cut, SHOWN_VALUES)))})"


def show_value(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, dict):
        return ", ".join(f"{key}={role}" for key, role in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return words(value)
