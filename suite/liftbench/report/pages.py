"""Where a page goes: to the requested file, else beside the folder of the runs, under a name that no other page has."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from ..extension.loader import Plugins
from ..files import digest, write_text
from ..gating.gate import Against, GateReport
from ..judging.compare import Comparison
from ..preferences.sheet import Sheet
from ..runs.directory import Run
from ..workflow.index import Index
from .gate.page import render_gate
from .html.comparison import render_comparison
from .html.index import Links, render_index
from .html.runs import render_runs
from .html.sheet import render_sheet


def write_comparison_page(
    comparison: Comparison, by_id: Mapping[str, Run], plugins: Plugins, runs: Path, html: Path | None = None
) -> Path:
    """Write the page of a comparison with the sections that plugins add; `by_id` holds the runs that it names."""
    # Named by its content, so that the page is the same whichever seed of a training was given.
    key = digest(comparison.baseline, *(result.run for result in comparison.candidates))
    page = html or runs.parent / f"compare-{key[:8]}.html"
    write_text(page, render_comparison(comparison, by_id, plugins.sections(comparison)))
    return page


def write_gate_page(
    report: GateReport, gated: Sequence[Run], against: Against, runs: Path, html: Path | None = None
) -> Path:
    """Write the page of a gate; `gated` are the runs that were checked."""
    key = digest(report.baseline, report.proven, report.runs, [result.rule for result in report.results])
    page = html or runs.parent / f"gate-{key[:8]}.html"
    write_text(page, render_gate(report, gated, against))
    return page


def write_runs_page(shown: Sequence[Run], runs: Path, html: Path | None = None) -> Path:
    """Write the page of any complete runs, without a verdict."""
    page = html or runs.parent / f"report-{digest(*(run.id for run in shown))[:8]}.html"
    write_text(page, render_runs(shown))
    return page


def write_index_page(index: Index, runs: Path, html: Path | None = None) -> Path:
    """Write the index of all runs, as `index.html` beside their folder."""
    page = html or runs.parent / "index.html"

    def link(name: str) -> str:
        return quote(Path(os.path.relpath(runs.parent / name, page.parent)).as_posix())

    write_text(page, render_index(index, Links(page=link)))
    return page


def write_sheet_page(sheet: Sheet, runs: Path, folder: Path | None = None) -> Path:
    """Write the page on which people judge pairs of summaries, in `folder` or beside the folder of the runs."""
    page = (folder or runs.parent) / f"judge-{sheet.id}.html"
    write_text(page, render_sheet(sheet))
    return page
