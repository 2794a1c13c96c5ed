"""`bench demo`: baseline, training, re-scoring and verdict in one go, on conversations that ship with the package."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from ..measuring.plan import prepare
from ..recipe.measured import DEMO
from ..report import numbers
from ..runs.environment import peak_memory
from ..workflow.compare import compare_runs
from ..workflow.demo import run_demo
from ..workflow.preview import preview_trainings
from ..workflow.train import plan_trainings
from .next_steps import after_dry_run
from .options import run_options, setup_of, trainer_option
from .show import FEEDBACK, say, show_preview
from .show_comparison import show_comparison


@click.command("demo")
@run_options
@trainer_option
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Where to write the HTML report.")
def command(html: Path | None, dry_run: bool, as_json: bool, **given: Any) -> None:
    """Measure the untuned model, train an adapter, measure it the same way, and compare.

    It runs on helpdesk, the corpus that ships with the package, unless --dataset names another, and takes {demo}.
    If it was stopped, the same command continues it. Exits with 0 once it has finished, whatever the verdict.
    """
    started = time.monotonic()
    setup = setup_of({**given, "recipe": given["recipe"] or "helpdesk"})
    measurement = prepare(setup.resolved, setup.plugins)
    trainings = plan_trainings(setup, measurement, 1)
    if dry_run:
        show_preview(preview_trainings(trainings, measurement), as_json=as_json)
        after_dry_run(as_json=as_json)
        return
    baseline, candidate = run_demo(trainings[0], measurement)
    found = compare_runs(baseline, [candidate], setup.plugins, setup.runs, FEEDBACK)
    show_comparison(found, setup.plugins, setup.runs, html, "json" if as_json else "short")
    taken = numbers.format_duration(time.monotonic() - started)
    say(f"\ntook {taken} and at most {numbers.format_bytes(peak_memory())} of memory")
    say(f"try the adapter: bench summarize --adapter {candidate.id} FILE")


command.help = (command.help or "").replace("{demo}", DEMO)
