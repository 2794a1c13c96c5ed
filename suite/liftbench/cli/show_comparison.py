"""What `compare` and `demo` show of a comparison; a module apart, since it loads charts and templates."""

from __future__ import annotations

from pathlib import Path

from ..extension.loader import Plugins
from ..report.pages import write_comparison_page
from ..report.terminal.comparison import comparison_table
from ..workflow.compare import RunComparison
from ..workflow.measure import say_problems
from .output import console
from .show import print_json, say


def show_comparison(found: RunComparison, plugins: Plugins, runs: Path, html: Path | None, *, as_json: bool) -> Path:
    """Print a comparison, write its page, and return the page's path."""
    page = write_comparison_page(found.comparison, found.runs, plugins, runs, html)
    say_problems(plugins, say)
    if as_json:
        print_json(found.comparison)
    else:
        console().print(comparison_table(found.comparison, found.runs))
    return page
