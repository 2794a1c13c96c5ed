"""What `compare` and `demo` do alike: compare runs and write the report.

Apart from `acts`, because it loads charts and templates, which no other command needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..comparison import compare
from ..plugins import Plugins
from ..records import digest, write_text
from ..report.html import render_comparison
from ..runs import Run
from ..types import Comparison
from .acts import say


def compared(
    baseline: Run,
    candidates: Sequence[Run],
    plugins: Plugins,
    path: Path,
    *,
    target: float | None = None,
    headline: str | None = None,
) -> tuple[Comparison, dict[str, Run]]:
    """The comparison, with its HTML report written to `path`, and its runs by id."""
    comparison = compare(baseline, candidates, target=target, headline=headline)
    by_id = {run.id: run for run in (baseline, *candidates)}
    write_text(path, render_comparison(comparison, by_id, plugins.sections(comparison)))
    for problem in plugins.problems:
        say(f"warning: plugin {problem.plugin}: {problem.reason}")
    return comparison, by_id


def report_path(runs: Path, *compared_runs: Run) -> Path:
    """Where the report of some runs goes, beside the folder of runs."""
    return runs.parent / f"compare-{digest(*(run.id for run in compared_runs))[:8]}.html"
