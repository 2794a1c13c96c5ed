"""What `compare` and `demo` do alike: compare runs and write the report.

Apart from `acts`, because it loads charts and templates, which no other command needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..comparison import best_prompted, compare
from ..plugins import Plugins
from ..records import digest, write_text
from ..report.html import render_comparison
from ..runs import Run, runs_in
from ..types import Against, Comparison
from ..yardsticks import beside
from .acts import say
from .progress import progress_bars


def compared(
    baseline: Run,
    candidates: Sequence[Run],
    plugins: Plugins,
    path: Path,
    *,
    target: float | None = None,
    headlines: Sequence[str] = (),
    against: Against | None = None,
) -> tuple[Comparison, dict[str, Run]]:
    """The comparison, with its HTML report written to `path`, and its runs by id.

    What stands beside it, controls and the validity table, is measured now where it is not kept from before.
    """
    with progress_bars([("controls", "systems"), ("validity", "metrics")]) as (on_controls, on_validity):
        measured = beside(baseline.require_complete(), plugins, on_controls, on_validity)
    given = {run.id for run in (baseline, *candidates)}
    best = best_prompted(baseline, [run for run in runs_in(baseline.folder.resolve().parent) if run.id not in given])
    comparison = compare(
        baseline, candidates, measured, best_prompted=best, target=target, headlines=headlines, against=against
    )
    by_id = {run.id: run for run in (baseline, *([best] if best else []), *candidates)}
    write_text(path, render_comparison(comparison, by_id, plugins.sections(comparison)))
    for problem in plugins.problems:
        say(f"warning: plugin {problem.plugin}: {problem.reason}")
    return comparison, by_id


def report_path(runs: Path, *compared_runs: Run) -> Path:
    """Where the report of some runs goes, beside the folder of runs."""
    return runs.parent / f"compare-{digest(*(run.id for run in compared_runs))[:8]}.html"
