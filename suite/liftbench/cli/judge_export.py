"""`bench judge export`: a page with pairs of summaries, for judges who do not know which is whose."""

from __future__ import annotations

from pathlib import Path

import click

from ..records.preferences import Rival
from ..report.pages import write_sheet_page
from ..text.phrases import pluralize
from .judge_options import sheet_for, sheet_options
from .next_steps import after_sheet
from .options import json_option, runs_option
from .show import print_json, say


@click.command("export")
@sheet_options
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), help="The page's folder (default: beside the runs')."
)
@json_option
@runs_option
def command(
    candidate: str,
    baseline: str | None,
    against: Rival,
    n: int,
    seed: int,
    out: Path | None,
    as_json: bool,
    runs: Path,
) -> None:
    """Write a page on which people judge pairs of summaries of CANDIDATE (a run) and another system.

    The page is one file that works offline. It does not say which summary is whose: that is in the key, which stays in
    the folder of the runs. Send the page to two judges or more, and import the files that they download from it.
    """
    prepared = sheet_for(candidate, baseline, against, n, seed, runs)
    page = write_sheet_page(prepared.sheet, runs, out)
    identical = [one.conversation for one in prepared.key.identical]
    if as_json:
        print_json(
            {
                "sheet": prepared.sheet.id,
                "candidate": prepared.key.candidate,
                "other": prepared.key.other,
                "pairs": len(prepared.sheet.pairs),
                "identical": identical,
                "page": str(page),
                "key": str(prepared.key_path),
            }
        )
        return
    say(f"sheet {prepared.sheet.id}: {pluralize(len(prepared.sheet.pairs), 'pair')} to judge")
    if identical:
        are = "summaries are identical" if len(identical) > 1 else "summary is identical"
        say(f"left out: {pluralize(len(identical), 'pair')} whose {are} on both sides; they count as ties")
    say(f"page: {page}\nkey:  {prepared.key_path} (not for the judges)")
    after_sheet(runs)
