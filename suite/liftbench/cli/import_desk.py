"""`bench data import --from NAME`: which help desk exported the files, by the option or by what is in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click
from msgspec import Struct
from msgspec.structs import replace
from rich.table import Table
from rich.text import Text

from ..data.intake.columns import Columns
from ..data.intake.desks import Desk, Export, columns_of, message_rows, records_of
from ..data.intake.guessing import guess
from ..data.intake.paths import exists
from ..data.intake.tables import Row
from ..data.intake.tally import Tally
from ..errors import PrerequisiteError, UsageError, unknown
from ..extension.loader import Plugins, load_plugins
from .import_columns import Mapping, Origin, mapping_of, parse_role, show_value

NONE = "none"
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

    def table(self) -> Table:
        """What was given or guessed as a table for the terminal, under the name of the export."""
        table = Table("field", "column", "origin", title=f"columns: those of {self.title}")
        for field, value, origin in self.fields:
            table.add_row(field, Text(value), origin)
        return table


class Source(Struct, frozen=True, kw_only=True):
    """What the columns of some files hold, and how their rows become rows with these columns."""

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


def source_of(given: dict[str, Any], files: Sequence[Path], samples: Sequence[Sequence[Row]]) -> Source:
    """How to read the files: by the desk that is named or recognized, else by columns (see `mapping_of`).

    Raises `UsageError` for an unknown desk, for files that are not its exports, and for options that exclude it.
    """
    given = dict(given)
    name = given.pop("desk", None)
    places = [option.replace("_", "-") for option in PLACES if given.get(option)]
    if name == NONE or (name is None and places):
        return Source(mapping=mapping_of(given, files, samples))
    plugins = load_plugins()
    if name is None:
        found = _recognize(plugins, samples)
        return _by_desk(*found, given, samples) if found else Source(mapping=mapping_of(given, files, samples))
    if name not in (known := _names(plugins)):
        raise unknown("desk", name, [*known, NONE])
    if places:
        raise UsageError(
            f"--{places[0]} and --from {name} exclude each other", f"Leave out --from {name}, or give none."
        )
    desk = _load(plugins, name)
    exports = [_named_export(desk, path, rows) for path, rows in zip(files, samples, strict=True)]
    return _by_desk(name, desk, exports, given, samples)


def _names(plugins: Plugins) -> list[str]:
    return sorted({spec.name for spec in plugins.specs if spec.kind == "desk"})


def _load(plugins: Plugins, name: str) -> Desk:
    spec = plugins.find("desk", name)
    desk = plugins.load(spec)
    if not isinstance(desk, Desk):
        raise PrerequisiteError(f"the desk {name!r} of {spec.distribution} is no Desk: {spec.target}")
    return desk


def _recognize(plugins: Plugins, samples: Sequence[Sequence[Row]]) -> tuple[str, Desk, list[Export]] | None:
    """The one desk that all files are from; None if there is none or more than one."""
    found = []
    for name in _names(plugins):
        try:
            desk = _load(plugins, name)
        except (PrerequisiteError, UsageError):
            # A plugin that cannot be used takes no part; `bench plugins` and --from NAME say what is wrong with it.
            continue
        exports = [desk.recognize(rows) for rows in samples]
        if known := [export for export in exports if export]:
            found.append((name, desk, known))
    return found[0] if len(found) == 1 and len(found[0][2]) == len(samples) else None


def _named_export(desk: Desk, path: Path, rows: Sequence[Row]) -> Export:
    export = desk.recognize(rows, share=0)
    if export is None:
        needed = " or ".join(f"{', '.join(export.signature)} ({export.what})" for export in desk.exports)
        raise UsageError(
            f"{path} is not an export of {desk.title} that can be read: it would have {needed}",
            "Leave out --from, and name the columns.",
        )
    return export


def _by_desk(
    name: str, desk: Desk, exports: Sequence[Export], given: dict[str, Any], samples: Sequence[Sequence[Row]]
) -> Source:
    pairs = [(export, row) for export, rows in zip(exports, samples, strict=True) for row in rows if row.values]
    records = [dict(record) for export, row in pairs for record in records_of(row, export)]
    _check_paths(given, records, [row.values for _, row in pairs])
    known = [*map(str, given["references"])] or [path for export in exports for path in export.references]
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
        for export in {export.what: export for export in exports}.values()
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
    return Source(mapping=mapping, exports=read, notes=(note,))


def _check_paths(given: dict[str, Any], records: Sequence[dict[str, Any]], around: Sequence[dict[str, Any]]) -> None:
    for path in filter(None, (*given["references"], *given["keep"], given["cluster"])):
        if not any(exists(values, path) for values in (*records, *around)):
            raise unknown("column", path, dict.fromkeys(name for record in records for name in record))


def _guess_references(records: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    names = list(dict.fromkeys(name for record in records for name in record))
    rows = [Row(number=number, values=record) for number, record in enumerate(records, start=1)]
    # The desk says where messages are, so only summaries are left to guess.
    return guess(names, rows, Columns(messages="messages")).references
