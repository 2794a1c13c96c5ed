"""What `compare` and `demo` show of a comparison; a module apart, since it loads charts and templates."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ..extension.loader import Plugins
from ..report.document import answer_in_full
from ..report.markdown import write_markdown
from ..report.pages import write_comparison_page
from ..report.terminal.answer import list_answers
from ..report.terminal.comparison import comparison_table
from ..workflow.compare import RunComparison
from ..workflow.measure import say_problems
from .output import console, results
from .progress import progress_bar
from .show import print_json, say

Form = Literal["short", "verbose", "markdown", "json"]


def show_comparison(found: RunComparison, plugins: Plugins, runs: Path, html: Path | None, form: Form) -> Path:
    """Print a comparison, write its page, and return the page's path."""
    with progress_bar("") as progress:
        progress(0, 0, "writing the page")
        page = write_comparison_page(found.comparison, found.runs, plugins, runs, html)
    say_problems(plugins, say)
    if form == "json":
        print_json(answer_in_full(found.comparison))
    elif form == "markdown":
        results().write(write_markdown(found.comparison, page))
    else:
        out = console()
        if form == "verbose":
            out.print(comparison_table(found.comparison, found.runs))
            out.print()
        # Whole lines: a path or a command that is cut at the terminal's edge cannot be copied.
        out.print(list_answers(found.comparison, page, runs), crop=False)
    if form in ("json", "markdown"):
        say(f"report: {page}")
    return page
