"""Any data set that the `datasets` library can load; the recipe maps its columns. No code of a data set is run.

```toml
[data]
dataset = "datasets"
[data.options]
path = "org/name"
splits = { validation = "dev" }
[data.options.columns]
transcript = "dialogue"
references = ["summary"]
others = "names"               # speakers are not roles: each keeps the name
```

The library finds the files of each split. Delimited text and JSON are then read as `bench data import` reads them: a
text stays a text, also if it is `NA`, `null`, `007` or `1e5`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from textwrap import shorten
from typing import Any, Literal

from msgspec import Struct

from liftbench.plugin_api import (
    SUFFIXES,
    Columns,
    Conversation,
    Dataset,
    Row,
    Tally,
    UnclearSpeakers,
    UsageError,
    check_names,
    conversations,
    hub,
    open_table,
    unknown,
)

from .reading import sort_splits

BUILDERS = ("csv", "json", "parquet")
"""Formats that the library reads from `data_files`, without a data set of its own."""

ON_THE_HUB = re.compile(r"(?:hub:)?([\w.-]+/[\w.-]+)(?:@([\w./-]+))?")

INSTEAD = "Give the files themselves: data.options.path = csv, json or parquet, and data.options.data_files."

SCRIPTS = ("*.py",)
"""Files that are not downloaded."""


class MappedOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which data set to load, and what its columns mean."""

    path: str
    """`org/name` on the hub, a folder, or csv, json or parquet together with `data_files`."""
    name: str | None = None
    """Name of the configuration, if the data set has several."""
    revision: str | None = None
    """Branch, tag or commit on the hub."""
    data_files: str | list[str] | dict[str, str | list[str]] | None = None
    """Files by split; patterns are allowed. From a repository on the hub, only these are downloaded. Local files are
    searched in the data folder if one is given, else in the working directory."""
    splits: dict[str, str] = {}
    """Name of a split in the suite → its name in the data set."""
    columns: Columns = Columns()
    """What each column holds."""
    unusable: Literal["refuse", "leave out"] = "refuse"
    """What to do with rows that hold no conversation, and with conversations without a reference."""


class MappedDataset(Dataset):
    """A data set of the `datasets` library."""

    options: MappedOptions

    def splits(self) -> list[str]:
        """The data set's splits; a split in `options.splits` has the suite's name."""
        renamed = set(self.options.splits.values())
        return sort_splits([*self.options.splits, *(name for name in self._tables if name not in renamed)])

    def read(self, split: str) -> list[Conversation]:
        """The conversations of a split.

        Raises `UsageError` for an unknown split or column, with the nearest name, and, unless `unusable` leaves them
        out, for rows that cannot be used, with their numbers.
        """
        name = self.options.splits.get(split, split)
        if split not in self.splits():
            raise unknown("split", split, self.splits())
        columns, where = self.options.columns, f"{self.options.path} {name}"
        table = self._tables[name]
        tally = Tally()
        found = conversations(table.rows(where), columns, tally)
        check_names(columns, table.column_names)
        if not columns.references:
            raise UsageError(
                "data.options.columns.references is not set", "Set it to the columns that hold the human summaries."
            )
        try:
            scorable = list(_keep_scorable(found, tally))
        except UnclearSpeakers as error:
            raise UsageError(
                f"{where}: {error.what}",
                "Name their roles in data.options.columns.roles, and the role of all others in columns.others "
                "('names' keeps their names).",
            ) from error
        except UsageError as error:
            raise error.within(where) from error
        # A message that is left out is a chat model's system or tool message, which the conversation does not lack.
        left_out = [some for some in tally.report().left_out if some.what != "message"]
        if left_out and self.options.unusable == "refuse":
            raise UsageError(
                f"{where}: {left_out[0]}", "To go on without them, set data.options.unusable = 'leave out'."
            )
        if not scorable:
            raise UsageError(f"{where}: the split has no conversations")
        return scorable

    @cached_property
    def _tables(self) -> dict[str, _Files | _Loaded]:
        """Name of a split in the data set → its rows."""
        import datasets

        options = self.options
        path, files = self._place()
        loaded: dict[str, _Files | _Loaded]
        try:
            with _silence_library():
                builder = datasets.load_dataset_builder(path, options.name, data_files=files)
                texts = _text_files(builder)
                if texts is None:
                    tables = datasets.load_dataset(path, options.name, data_files=files)
                    loaded = {str(name): _Loaded(table) for name, table in tables.items()}
                else:
                    loaded = {name: _Files(paths) for name, paths in texts.items()}
        except datasets.exceptions.DatasetGenerationError as error:
            raise UsageError(f"{options.path} cannot be read: {_reason(error.__cause__ or error)}") from error
        except (FileNotFoundError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as error:
            raise UsageError(f"{options.path} cannot be loaded: {_reason(error)}") from error
        for theirs in options.splits.values():
            if theirs not in loaded:
                raise unknown("split", theirs, loaded)
        return loaded

    def _place(self) -> tuple[str, Any]:
        """What the library loads: a builder or a local folder, and the files of each split."""
        options = self.options
        base = Path(self.data_dir or ".")
        for name in _patterns(options.data_files):
            if "://" in name:
                raise UsageError(
                    f"data.options.data_files: {name} is not a local file", "Download it, or give a path on the hub."
                )
        if options.path in BUILDERS:
            if options.data_files is None:
                raise UsageError(
                    f"data.options.path is {options.path!r}, and data.options.data_files is not set", "Name its files."
                )
            return options.path, _join_base(base, options.data_files)
        if (base / options.path).is_dir():
            return str(base / options.path), options.data_files
        matched = ON_THE_HUB.fullmatch(options.path)
        if matched is None:
            error = unknown("builder", options.path, BUILDERS)
            raise UsageError(
                f"data.options.path: {error.what}", f"{error.fix} A folder or org/name on the hub works, too."
            )
        allow = list(_patterns(options.data_files)) or ["*"]
        snapshot = hub.download(
            matched[1],
            options.revision or matched[2],
            kind="dataset",
            allow=allow,
            ignore=SCRIPTS,
            instead=INSTEAD,
        )
        return str(snapshot), options.data_files


class _Loaded:
    """A table of the library."""

    def __init__(self, table: Any) -> None:
        self._table = table
        self.column_names: list[str] = table.column_names

    def rows(self, source: str) -> Iterator[Row]:
        for number, values in enumerate(self._table, start=1):
            yield Row(number=number, values=values, source=source)


class _Files:
    """The files of a split, read as text: the library would guess types (`007` becomes 7, `NA` nothing)."""

    def __init__(self, paths: list[Path]) -> None:
        self._paths = paths

    @cached_property
    def column_names(self) -> list[str]:
        return list(dict.fromkeys(name for row in self.rows("") for name in row.values))

    def rows(self, _source: str) -> Iterator[Row]:
        for path in self._paths:
            yield from open_table(path).rows()


def _text_files(builder: Any) -> dict[str, list[Path]] | None:
    """Split → its files, if these are delimited text or JSON Lines; None if the library must read them.

    JSON in other files (`.txt`, `.zip`), or in a field of an object, is left to the library, which keeps a text in
    quotation marks a text.
    """
    files = getattr(builder.config, "data_files", None) or {}
    found = {str(split): [Path(str(name)) for name in names] for split, names in files.items()}
    paths = [path for some in found.values() for path in some]
    if builder.name == "csv":
        return found
    plain = all(path.name.lower().endswith(SUFFIXES["lines"]) and path.is_file() for path in paths)
    return found if builder.name == "json" and plain and not builder.config.field else None


def _keep_scorable(found: Iterable[Conversation], tally: Tally) -> Iterator[Conversation]:
    for conversation in found:
        if not conversation.turns:
            tally.leave_out("conversation", "nobody says anything", conversation.id)
        elif not conversation.references:
            tally.leave_out("conversation", "no reference", conversation.id)
        else:
            yield conversation


def _reason(error: BaseException) -> str:
    """The library's message on one short line; some messages go on with example code or a list of all suffixes."""
    return shorten(str(error), 240, placeholder=" …") or type(error).__name__


def _join_base(base: Path, files: Any) -> Any:
    """The same files, with relative names resolved against a folder."""
    if isinstance(files, dict):
        return {split: _join_base(base, names) for split, names in files.items()}
    if isinstance(files, list):
        return [_join_base(base, name) for name in files]
    return str(base / files)


def _patterns(files: Any) -> Iterator[str]:
    if isinstance(files, str):
        yield files
    elif files is not None:
        for some in files.values() if isinstance(files, dict) else files:
            yield from _patterns(some)


@contextmanager
def _silence_library() -> Iterator[None]:
    """Hide the library's progress bars and log; its exceptions contain what went wrong."""
    import datasets

    hidden = datasets.are_progress_bars_disabled()
    verbosity = datasets.logging.get_verbosity()
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)
    try:
        yield
    finally:
        datasets.logging.set_verbosity(verbosity)
        if not hidden:
            datasets.enable_progress_bars()
