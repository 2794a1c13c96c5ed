"""The terminal's list of runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...runs.directory import Run
from ...runs.filtering import kind_of
from ...text.phrases import metric_label
from .. import numbers
from .tables import Table
from .text import new_table, plain


def runs_table(runs: Sequence[Run], sizes: Mapping[str, int] | None = None) -> Table:
    """One line for each run: its id, what made it, how much was scored, and its headline, status or damage.

    With `sizes`, bytes on the disk by id, each line ends in what the run takes.
    """
    headlines = {metric_label(run.manifest.headlines[0]) for run in runs}
    one_headline = len(headlines) == 1
    table = new_table()
    table.add_column("run", overflow="fold", ratio=3, min_width=12)
    table.add_column("made by", overflow="fold")
    table.add_column("n", justify="right")
    table.add_column(plain(min(headlines)) if one_headline else "headline", overflow="fold")
    if sizes is not None:
        table.add_column("size", justify="right")
    for run in runs:
        manifest = run.manifest
        headline: str = manifest.status
        if changed := run.changed:
            headline = f"damaged: {', '.join(changed)}"
        elif manifest.status == "complete":
            found = [row for row in run.summary.metrics if row.name == manifest.headlines[0]]
            headline = numbers.format_score(found[0].mean if found else None)
            if not one_headline:
                headline = f"{metric_label(manifest.headlines[0])} {headline}"
        row = [plain(run.id), kind_of(run), numbers.format_count(manifest.protocol.n), plain(headline)]
        table.add_row(*row, *([numbers.format_size(sizes[run.id])] if sizes is not None else []))
    return table
