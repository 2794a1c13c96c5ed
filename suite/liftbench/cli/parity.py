"""`bench parity`: how far one system is from itself by another backend."""

from __future__ import annotations

from pathlib import Path

import click

from ..judging.parity import measure_parity
from ..report.parity import (
    describe_parity,
    headings,
    tabulate_differences,
    tabulate_headlines,
    tabulate_texts,
    write_parity,
)
from ..report.terminal.tables import Table
from ..report.terminal.text import plain
from ..runs.directory import find_run
from .options import json_option, run_argument, runs_option
from .output import echo, print_list, results
from .show import print_json, say


@click.command("parity")
@run_argument("first", metavar="FIRST")
@run_argument("second", metavar="SECOND")
@click.option(
    "--least",
    type=click.FloatRange(0, 1),
    metavar="SHARE",
    help="Exit with 1 where a smaller share of the texts is equal.",
)
@click.option("--markdown", is_flag=True, help="Print the report as Markdown, for a pull request.")
@json_option
@runs_option
def command(first: str, second: str, least: float | None, markdown: bool, as_json: bool, runs: Path) -> int:
    """Say how far two runs of one system by two backends are apart.

    FIRST and SECOND are runs (a folder, an id or a part of an id) of one system over the same conversations: by
    transformers and by vLLM, served and local, or texts of another program. Shown are the share of equal texts, where
    the others part, ROUGE-L between the two texts, and the difference of each headline with its interval.
    """
    parity = measure_parity(find_run(first, runs), find_run(second, runs))
    if as_json:
        print_json({"sentence": describe_parity(parity), "parity": parity})
    elif markdown:
        results().write(write_parity(parity))
    else:
        echo(describe_parity(parity))
        for line in parity.unknown:
            say(f"not known: {line}")
        _print(headings(parity), tabulate_headlines(parity))
        _print(["texts", "value"], [list(row) for row in tabulate_texts(parity)])
        _print(["differs", *parity.backends], [list(row) for row in tabulate_differences(parity)])
    return int(least is not None and parity.equal < least * parity.n)


def _print(names: list[str], rows: list[list[str]]) -> None:
    if not rows:
        return
    table = Table()
    for name in names:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*map(plain, row))
    echo("")
    print_list(table)
