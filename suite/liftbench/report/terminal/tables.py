"""A table that is still whole in a narrow terminal, where rows become lists of their cells, and as plain columns."""

from __future__ import annotations

from itertools import zip_longest

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Column
from rich.table import Table as WideTable
from rich.text import Text

FOLDED = 18
"""Columns that a long word (a path, an id) may be folded into, where its column says `overflow="fold"`."""

BETWEEN = 3
"""Columns between two cells: the padding and a line."""


class Table(WideTable):
    """A table of rich that shows each cell on a line of its own where its words do not fit beside each other.

    Rich would cut words with an ellipsis, and drop columns without a word.
    """

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        between = BETWEEN * (len(self.columns) - 1)
        if sum(_needs(column, console, options) for column in self.columns) + between <= options.max_width:
            yield from super().__rich_console__(console, options)
            return
        if self.title:
            yield _text(self.title, console, "bold")
        headings = [_flatten(_text(column.header, console, "bold")) for column in self.columns]
        for row, cells in zip(self.rows, zip_longest(*(column.cells for column in self.columns)), strict=False):
            if self.show_header:
                yield Text()
            for number, (heading, cell) in enumerate(zip(headings, cells, strict=True)):
                words = _text(cell, console, row.style or "")
                before = Text.assemble(heading, ": ") if heading else Text("  " if number else "")
                if words:
                    yield Text.assemble(before, words, overflow="fold")
        if self.caption:
            yield _text(self.caption, console, "dim")


def plain_columns(table: WideTable) -> list[str]:
    """A table for other programs: the headings and each row on a line of its own, two spaces between columns.

    Nothing is folded or cut off. An empty cell is `-`, so that every row has as many columns; inside of a cell, white
    space is single spaces.
    """
    headings = [column.header for column in table.columns]
    rows = [headings, *zip_longest(*(column.cells for column in table.columns))]
    words = [[" ".join(_words(cell).split()) or "-" for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(*words, strict=True)]
    rights = [column.justify == "right" for column in table.columns]
    lines = []
    for row in words:
        padded = []
        for word, width, right in zip(row, widths, rights, strict=True):
            gap = " " * (width - cell_len(word))
            padded.append(f"{gap}{word}" if right else f"{word}{gap}")
        lines.append("  ".join(padded).rstrip())
    return lines


def _words(cell: RenderableType) -> str:
    return cell.plain if isinstance(cell, Text) else Text.from_markup(str(cell)).plain


def _needs(column: Column, console: Console, options: ConsoleOptions) -> int:
    """The narrowest width at which a column's words are whole."""
    wide = options.update_width(max(options.max_width, 200))
    words = [column.header, *column.cells]
    longest = max((Measurement.get(console, wide, cell).minimum for cell in words), default=0)
    return min(longest, FOLDED) if column.overflow == "fold" else longest


def _text(cell: RenderableType, console: Console, style: object) -> Text:
    made = cell.copy() if isinstance(cell, Text) else console.render_str(str(cell), highlight=False)
    made.stylize(str(style))
    return made


def _flatten(heading: Text) -> Text:
    """A heading on one line: `longest-⏎copied` is one word."""
    words = heading.plain.replace("-\n", "-").replace("\n", " ")
    return Text(words, "bold")
