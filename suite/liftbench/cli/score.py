"""`bench score`: any model or adapter, or a file of texts made elsewhere."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, get_args

import click

from ..errors import UsageError
from ..measuring.harness import is_measured, measure_texts, new_manifest
from ..measuring.plan import prepare, read_texts
from ..measuring.systems import recipe_shots, resolve_system
from ..recipe.sections import Precision
from ..records.system import System
from ..runs.directory import Run
from ..runs.open_run import open_run
from .acts import announce, measured, scored, show_dry_run, show_run
from .job import Job, job_of, run_options
from .progress import progress_bar


@click.command("score")
@click.argument("system", required=False)
@run_options
@click.option(
    "--predictions",
    type=click.Path(dir_okay=False, path_type=Path),
    help='Score these texts instead: JSON Lines of {"id": …, "text": …}.',
)
@click.option("--name", help="What to call the texts of --predictions (default: the file's name).")
@click.option(
    "--precision",
    type=click.Choice(get_args(Precision)),
    help="Of the base; an adapter's own by default.",
)
@click.option("--allow-mismatch", is_flag=True, help="Score an adapter on another base or precision than its own.")
def command(
    system: str | None,
    predictions: Path | None,
    name: str | None,
    precision: str | None,
    allow_mismatch: bool,
    **given: Any,
) -> None:
    """Measure SYSTEM under RECIPE: a model reference, an adapter's folder, or a run.

    An adapter is scored on the base and in the precision that it was trained on.
    """
    if predictions is not None:
        # The texts are the system, so what stands first is the recipe.
        if (system is not None and given["recipe"] is not None) or precision or allow_mismatch:
            raise UsageError("name a SYSTEM (with --precision, --allow-mismatch) or give --predictions FILE, not both")
        _score_texts(job_of({**given, "recipe": system}), predictions, name or predictions.stem)
        return
    if system is None:
        raise UsageError("name a SYSTEM (a model, an adapter's folder or a run), or give --predictions FILE")
    job = job_of(given)
    measurement = prepare(job.resolved, job.plugins)
    subject, parent = resolve_system(
        system,
        job.resolved.recipe,
        job.runs,
        shots=recipe_shots(job.resolved.recipe, job.plugins),
        base=job.told_model,
        precision=precision,
        allow_mismatch=allow_mismatch,
    )
    if job.dry_run:
        show_dry_run(job, measurement, lambda: subject)
        return
    with progress_bar("conversations") as progress:
        run = measured(job, "score", subject, measurement, progress, parent)
    show_run(run, job)


def _score_texts(job: Job, path: Path, name: str) -> None:
    measurement = prepare(job.resolved, job.plugins)
    texts, digest = read_texts(path, measurement)
    if job.dry_run:
        show_dry_run(job, measurement, None)
        return
    system = System(kind="predictions", name=name, file_sha256=digest, generation_verified=False)
    manifest = new_manifest("score", system, measurement, job.resolved, argv=sys.argv)
    with open_run(manifest, scored(measurement), job.runs, fresh=job.fresh) as run:
        announce(run, manifest, job.plugins)
        done = is_measured(run, measurement)
        show_run(Run(run.folder) if done else measure_texts(run, measurement, texts, job.plugins), job)
