"""`bench demo`: baseline, training, re-scoring and verdict in one go, on conversations that ship with the package."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from ..measuring.plan import prepare
from ..measuring.systems import planned_system, untuned
from ..models.references import resolve
from ..report.terminal import comparison_table
from ..runs.environment import peak_memory
from ..training.adapter import plan_training
from .acts import completed, measured, say, show_dry_run, trained
from .comparing import compared
from .job import job_of, print_json, run_options
from .progress import progress_bars

STAGES = [
    ("1/3 baseline", "conversations"),
    ("2/3 training", "steps"),
    ("3/3 adapter", "conversations"),
]


@click.command("demo")
@run_options
@click.option("--plugin", help="The trainer plugin (see `bench plugins`). [env: LIFTBENCH_PLUGIN]")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Where to write the HTML report.")
def command(html: Path | None, **given: Any) -> None:
    """Measure the untuned model, train an adapter, measure it the same way, and compare.

    On helpdesk, the corpus that ships with the package; `--dataset` takes another one. A quarter of an hour on two
    CPU cores; what was stopped continues with the same command. Exits with 0 when it is through, whatever the verdict.
    """
    started = time.monotonic()
    job = job_of({**given, "recipe": given["recipe"] or "helpdesk"})
    recipe = job.resolved.recipe
    measurement = prepare(job.resolved, job.plugins)
    plan = plan_training(recipe, measurement, job.plugins)
    if job.dry_run:
        show_dry_run(job, measurement, lambda: planned_system(recipe), plan)
        return
    protocol = measurement.protocol
    say(
        f"{protocol.n} conversations of {protocol.dataset} {protocol.split} are scored, "
        f"{len(plan.split.train)} others trained on with {plan.spec.name}"
    )
    subject = untuned(recipe, resolve(recipe.model.reference))
    with progress_bars(STAGES) as (untuned_bar, training_bar, tuned_bar):
        baseline = measured(job, "baseline", subject, measurement, untuned_bar)
        with trained(job, measurement, plan, training_bar) as (run, adapter):
            candidate = completed(run, measurement, adapter, job, tuned_bar)
    found = compared(baseline, [candidate], job.plugins, job.runs, html=html)
    if job.json:
        print_json(found.comparison)
    else:
        Console().print(comparison_table(found.comparison, found.runs))
    minutes, seconds = divmod(round(time.monotonic() - started), 60)
    say(f"\ntook {minutes} min {seconds} s and at most {peak_memory() / 1e9:.1f} GB of memory")
    say(f"try the adapter: bench summarize --adapter {candidate.id} FILE\nreport: {found.page}")
