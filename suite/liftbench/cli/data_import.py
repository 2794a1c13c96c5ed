"""`bench data import`: from files as a help desk exports them to a folder of conversations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import click

from ..data.cards import CardEntry, card_entry, write_card
from ..data.cleaning import CLEANING
from ..data.folders import new_folder, require_free
from ..data.intake.assembly import clean_conversations, conversations
from ..data.intake.records import open_records
from ..data.intake.tables import TEXT_COLUMNS, Row, Table, open_table
from ..data.intake.tally import ImportReport, Tally
from ..data.jsonl import IMPORTED
from ..errors import UsageError
from ..files import append_lines
from ..progress import Progress
from ..records.conversation import Conversation
from ..text.phrases import pluralize
from .import_columns import Mapping, column_options
from .import_desk import Source, desk_option, source_of
from .next_steps import after_import
from .options import json_option
from .output import console, echo
from .progress import progress_bars
from .show import print_json, say

FILE = f"{IMPORTED}.jsonl"
BATCH = 1000


@click.command("import")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@click.option("--to", required=True, metavar="FOLDER", type=click.Path(path_type=Path), help="The folder to create.")
@desk_option
@column_options
@click.option("--encoding", metavar="NAME", help="The encoding of text files, such as cp1252 (default: found out).")
@click.option("--join-files", is_flag=True, help="Equal ids in several files are one conversation.")
@click.option("--force", is_flag=True, help="Replace a folder that is not empty.")
@click.option("--dry-run", is_flag=True, help="Show the columns and the first conversation; write nothing.")
@json_option
def command(
    files: tuple[Path, ...],
    to: Path,
    encoding: str | None,
    join_files: bool,
    force: bool,
    dry_run: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Read conversations from CSV, TSV, JSON Lines or Parquet FILEs, or from transcripts (TXT, VTT, SRT; one a file).

    A row is a message (--id, --speaker, --text), a conversation as text (--transcript), or a conversation as a list of
    messages in the format of chat models (--messages). Columns that are not given are guessed from their names; on a
    terminal, the command asks for those that cannot be guessed.

    \b
    bench data import tickets.csv --to tickets --dry-run
    bench data import tickets.csv --to tickets --speaker author --role "Ann Lee=agent" --others customer
    """
    tables = [open_records(open_table(path, encoding)) for path in files]
    is_text = all(table.form == "text" for table in tables)
    if is_text:
        given = {**given, "id": given["id"] or TEXT_COLUMNS[0], "transcript": given["transcript"] or TEXT_COLUMNS[1]}
    source = source_of(given, tables)
    mapping = source.mapping
    if dry_run:
        _show_first(source, as_json)
        return
    for path in files:
        require_free(to, path, replace=force)
    say(f"columns: {mapping}")
    tally = Tally()
    with new_folder(to) as folder:
        _write(folder / FILE, source, tally, join_files)
        report = tally.report((*source.notes, *(note for table in tables for note in table.notes)))
        if not report.conversations:
            as_text = "Write turns as `Customer: …` and `Agent: …`, one a line." if is_text else ""
            raise UsageError(f"there is no conversation in {_names(files)}; {_why(report)}", as_text)
        write_card(folder, to.resolve().name, [_card_entry(files, mapping, report)])
    _show(to, mapping, report, as_json)


def _write(path: Path, source: Source, tally: Tally, join_files: bool) -> None:
    columns = source.mapping.columns
    stages = [("reading", "KB"), ("writing", "conversations")] if columns.text else [("reading", "KB")]
    with progress_bars(stages) as bars:
        rows = source.rows(_read_with_progress(source.tables, bars[0]), tally)
        found: Iterable[Conversation] = conversations(rows, columns, tally, join_files=join_files)
        if columns.text:
            found = _count_with_progress(found, tally, bars[1])
        clean = clean_conversations(found, tally)
        while batch := list(islice(clean, BATCH)):
            append_lines(path, batch)


def _read_with_progress(tables: Sequence[Table], progress: Progress) -> Iterator[Row]:
    sizes = [table.path.stat().st_size for table in tables]
    total = sum(sizes) // 1024 + 1
    for number, table in enumerate(tables):
        before = sum(sizes[:number])
        for count, row in enumerate(table.rows()):
            if count % BATCH == 0:
                progress(min((before + row.read) // 1024, total - 1), total, table.path.name)
            yield row
    progress(total, total, "done")


def _count_with_progress(found: Iterable[Conversation], tally: Tally, progress: Progress) -> Iterator[Conversation]:
    for count, conversation in enumerate(found, start=1):
        if count % 100 == 0 or count == tally.gathered:
            progress(count, tally.gathered or count, FILE)
        yield conversation


def _card_entry(files: Sequence[Path], mapping: Mapping, report: ImportReport) -> CardEntry:
    # Speakers, ids and remarks are left out: they can be people's names, and cards are passed on.
    lines = [f"columns: {mapping.without_people()}", *_counts(report)]
    lines += [left_out.count_and_reason for left_out in report.left_out]
    return card_entry("Imported", files, [*lines, f"cleaned by {CLEANING}"])


# -------------------------------------------------------------------------------------------------------- shown


def _show(to: Path, mapping: Mapping, report: ImportReport, as_json: bool) -> None:
    if as_json:
        print_json({"folder": str(to), "columns": mapping.columns, "origins": mapping.origins, "report": report})
        return
    for line in (*_counts(report), *map(str, report.left_out), *(f"note: {note}" for note in report.notes)):
        echo(line)
    echo(f"{to / FILE} and a data card are written")
    after_import(to)


def _show_first(source: Source, as_json: bool) -> None:
    rows, mapping, tally = source.samples[0], source.mapping, Tally()
    # Read all conversations, because speakers that cannot be told apart are reported at the end.
    found = list(clean_conversations(conversations(source.rows(rows, tally), mapping.columns, tally), tally))
    report = tally.report(note for table in source.tables for note in table.notes)
    if not found:
        raise UsageError(f"there is no conversation in the first {len(rows)} rows; {_why(report)}")
    if as_json:
        print_json({"columns": mapping.columns, "origins": mapping.origins, "conversation": found[0]})
        return
    out = console()
    out.print(mapping.table())
    out.print(f"the first conversation in the first {len(rows)} rows:", style="bold", highlight=False)
    for line in _list_turns(found[0]):
        out.print(line, highlight=False, markup=False, soft_wrap=True)


def _list_turns(conversation: Conversation) -> Iterator[str]:
    yield f"id: {conversation.id}"
    yield from (f"{name}: {value}" for name, value in conversation.metadata.items())
    yield from (f"reference: {text}" for text in conversation.references)
    yield from (f"{turn.role.capitalize()}: {turn.text}" for turn in conversation.turns)


def _counts(report: ImportReport) -> tuple[str, str]:
    rows = f"{report.rows_used} of {report.rows} rows"
    return (
        f"{pluralize(report.conversations, 'conversation')} with {pluralize(report.turns, 'turn')}, from {rows}",
        f"{report.with_references} with human summaries, {report.without_references} without",
    )


def _why(report: ImportReport) -> str:
    return "; ".join(map(str, report.left_out[:2])) or "there are no rows"


def _names(files: Sequence[Path]) -> str:
    return ", ".join(path.name for path in files)
