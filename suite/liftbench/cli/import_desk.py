"""`bench data import --from NAME`: which help desk exported the files, by the option or by what is in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import click
from msgspec import Struct
from msgspec.structs import replace
from rich.text import Text

from ..data.intake.columns import Columns
from ..data.intake.desks import Desk, Export, columns_of, export_of, message_rows, records_of
from ..data.intake.guessing import guess
from ..data.intake.paths import exists
from ..data.intake.tables import Row, Table
from ..data.intake.tally import Tally
from ..errors import PrerequisiteError, UsageError, unknown
from ..extension.loader import Plugins, load_plugins
from ..report.terminal.tables import Table as Grid
from ..text.phrases import join_words
from .import_columns import Mapping, Origin, mapping_of, parse_role, show_value

NONE = "none"
SAMPLE_ROWS = 500
PLACES = ("id", "speaker", "text", "time", "transcript", "messages", "message_speaker", "message_text", "internal")
"""Options that say what a desk says, too."""

CHOICES = ("others", "keep_internal")
"""Options that hold for a desk's messages as for any others."""


class DeskMapping(Mapping, frozen=True, kw_only=True):
    """The columns of a desk's messages, and what was given or guessed in addition."""

    title: str
    """Which desk, and which of its exports."""
    fields: tuple[tuple[str, str, Origin], ...]
    """Field, paths in the export, origin."""
    speakers: int
    """How many speakers were given a role."""

    def __str__(self) -> str:
        return self.without_people()

    def without_people(self) -> str:
        """As text, without the names of speakers."""
        given = [f"{field} = {value} ({origin})" for field, value, origin in self.fields]
        roles = [f"roles of {self.speakers} speakers (given)"] if self.speakers else []
        return ", ".join([f"those of {self.title}", *given, *roles])

    def table(self) -> Grid:
        """What was given or guessed as a table for the terminal, under the name of the export."""
        table = Grid("field", "column", "origin", title=f"columns: those of {self.title}")
        for field, value, origin in self.fields:
            table.add_row(field, Text(value), origin)
        return table


class Source(Struct, frozen=True, kw_only=True):
    """What the columns of some files hold, and how their rows become rows with these columns."""

    tables: Sequence[Table]
    samples: Sequence[Sequence[Row]]
    """The first rows of each file."""
    mapping: Mapping
    exports: tuple[Export, ...] = ()
    notes: tuple[str, ...] = ()

    def rows(self, rows: Iterable[Row], tally: Tally) -> Iterator[Row]:
        """The rows of the files, or of a desk's messages."""
        return message_rows(rows, self.exports, tally) if self.exports else iter(rows)


def desk_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--from`; the command hands its value to `source_of` with those of `column_options`."""
    return click.option(
        "--from",
        "desk",
        metavar="DESK",
        help="The help desk that exported the files (`bench plugins` lists them); none: look at the columns only. "
        "Default: recognized where that is certain.",
    )(command)


def source_of(given: dict[str, Any], tables: Sequence[Table]) -> Source:
    """How to read the files: by the desk that is named or recognized, else by columns (see `mapping_of`).

    Raises `UsageError` for an unknown desk, for files that are not its exports, and for options that exclude it.
    """
    given = dict(given)
    name = given.pop("desk", None)
    places = [option.replace("_", "-") for option in PLACES if given.get(option)]
    if name not in (None, NONE):
        return _from_named(name, places, given, [_whole(table) for table in tables])
    if name is None and not places:
        found = _from_recognized(given, [_whole(table) for table in tables])
        if found:
            return found
    samples = _samples(tables)
    mapping = mapping_of(given, [table.path for table in tables], samples)
    return Source(tables=tables, samples=samples, mapping=mapping)


def _from_named(name: str, places: Sequence[str], given: dict[str, Any], tables: Sequence[Table]) -> Source:
    plugins = load_plugins()
    if name not in (known := _names(plugins)):
        raise unknown("desk", name, [*known, NONE])
    if places:
        raise UsageError(f"--{places[0]} and --from {name} exclude each other", "Give one of them.")
    desk, samples = _load(plugins, name), _samples(tables)
    exports = [desk.named(rows) for rows in samples]
    if () in exports:
        needed = "; or ".join(
            f"{join_words([path.replace('|', ' or ') for path in export.signature])} ({export.what})"
            for export in desk.exports
        )
        raise UsageError(
            f"{tables[exports.index(())].path} is not an export of {desk.title}, whose records have {needed}",
            f"Name the columns instead: --from {NONE}.",
        )
    return _by_desk(name, desk, exports, given, tables, samples)


def _from_recognized(given: dict[str, Any], tables: Sequence[Table]) -> Source | None:
    """How to read the files by the one desk that all of them are from; None if there is none or more than one."""
    plugins, samples = load_plugins(), _samples(tables)
    found: list[tuple[str, Desk, list[tuple[Export, ...]]]] = []
    for name in _names(plugins):
        try:
            desk = _load(plugins, name)
        except (PrerequisiteError, UsageError):
            # A plugin that cannot be used takes no part; `--from NAME` says what is wrong with it.
            continue
        exports = [desk.recognize(rows) for rows in samples]
        if any(exports):
            found.append((name, desk, exports))
    if len(found) != 1 or () in found[0][2]:
        return None
    return _by_desk(*found[0], given, tables, samples)


def _whole(table: Table) -> Table:
    """The table with the objects that wrap its records, because these may hold more, such as the list of people."""
    return replace(table, **{"wrapper": ""}) if getattr(table, "wrapper", "") else table


def _samples(tables: Sequence[Table]) -> list[list[Row]]:
    return [list(islice(table.rows(), SAMPLE_ROWS)) for table in tables]


def _names(plugins: Plugins) -> list[str]:
    return sorted({spec.name for spec in plugins.specs if spec.kind == "desk"})


def _load(plugins: Plugins, name: str) -> Desk:
    spec = plugins.find("desk", name)
    desk = plugins.load(spec)
    if not isinstance(desk, Desk):
        raise PrerequisiteError(f"the desk {name!r} of {spec.distribution} is not a Desk: {spec.target}")
    return desk


def _by_desk(
    name: str,
    desk: Desk,
    exports: Sequence[tuple[Export, ...]],
    given: dict[str, Any],
    tables: Sequence[Table],
    samples: Sequence[Sequence[Row]],
) -> Source:
    distinct = tuple({export.what: export for some in exports for export in some}.values())
    rows = [row for sample in samples for row in sample if row.values]
    records = _records(rows, distinct)
    _check_paths(given, records, [row.values for row in rows])
    known = list(given["references"]) or [path for export in distinct for path in export.references]
    references = known or _guess_references(records)
    roles = {speaker.casefold(): role for speaker, role in map(parse_role, given["roles"])}
    read = tuple(
        replace(
            export,
            references=tuple(references),
            keep=(*export.keep, *given["keep"]),
            customer=given["cluster"] or export.customer,
            roles=export.roles | roles,
        )
        for export in distinct
    )
    origins: dict[str, Origin] = {
        field: "given" for field in ("references", "keep", "cluster", "others") if given[field]
    }
    if references and not known:
        origins["references"] = "guessed"
    title = f"{desk.title}'s export of {' and of '.join(export.what for export in read)} (--from {name})"
    shown = {**given, "references": references}
    mapping = DeskMapping(
        columns=replace(columns_of(read), **{field: given[field] for field in CHOICES if field in given}),
        origins=origins,
        title=title,
        fields=tuple((field, show_value(shown[field]), origin) for field, origin in origins.items()),
        speakers=len(roles),
    )
    lists = any(export.messages or export.chatlog for export in read)
    how = "; each message counts as a row" if lists else ""
    note = f"read as {title}{how}; to name columns yourself: --from {NONE}"
    return Source(tables=tables, samples=samples, mapping=mapping, exports=read, notes=(note,))


def _records(rows: Sequence[Row], exports: Sequence[Export]) -> list[dict[str, Any]]:
    pairs = ((row, export_of(row, exports)) for row in rows)
    return [dict(record) for row, export in pairs if export for record in records_of(row, export)]


def _check_paths(given: dict[str, Any], records: Sequence[dict[str, Any]], around: Sequence[dict[str, Any]]) -> None:
    for path in filter(None, (*given["references"], *given["keep"], given["cluster"])):
        if not any(exists(values, path) for values in (*records, *around)):
            raise unknown("column", path, dict.fromkeys(name for record in records for name in record))


def _guess_references(records: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    names = list(dict.fromkeys(name for record in records for name in record))
    rows = [Row(number=number, values=record) for number, record in enumerate(records, start=1)]
    # The desk says where messages are, so only summaries are left to guess.
    return guess(names, rows, Columns(messages="messages")).references
