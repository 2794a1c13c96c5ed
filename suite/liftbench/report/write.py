"""`liftbench.write_report`: the page of a comparison or of some runs, for callers from Python."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..extension.loader import Plugins, load_plugins
from ..judging.compare import Comparison
from ..runs.directory import Run, find_run
from ..workflow.compare import RunLike
from ..workflow.setup import RUNS
from .pages import write_comparison_page, write_runs_page


def write_report(
    subject: Comparison | RunLike | Sequence[RunLike],
    to: str | Path | None = None,
    *,
    runs: str | Path = RUNS,
    plugins: Plugins | None = None,
) -> Path:
    """Write one self-contained HTML page: of a comparison as `bench compare` does, of runs as `bench report` does.

    Parameters:
        subject: What `compare` returned, or one or several complete runs (as objects, folders, ids or parts of ids).
        to: The file to write (default: a name of its own beside the folder of the runs).
        runs: The folder of the run directories; the runs that a comparison names must be in it.
        plugins: Plugins that are loaded already (default: the installed ones).

    Returns:
        The path of the page.

    Raises:
        UsageError: A run is unknown or incomplete, or the file cannot be written.

    Example:
        >>> comparison = liftbench.compare(baseline, adapter)  # doctest: +SKIP
        >>> liftbench.write_report(comparison, "report.html")  # doctest: +SKIP
    """
    folder, page = Path(runs), None if to is None else Path(to)
    if isinstance(subject, Comparison):
        named = [subject.baseline, subject.best_prompted, *(one.run for one in subject.candidates)]
        by_id = {id_: find_run(id_, folder) for id_ in named if id_}
        return write_comparison_page(subject, by_id, plugins or load_plugins(), folder, page)
    given = [subject] if isinstance(subject, Run | str | Path) else subject
    shown = [one if isinstance(one, Run) else find_run(str(one), folder) for one in given]
    return write_runs_page([run.require_complete() for run in shown], folder, page)
