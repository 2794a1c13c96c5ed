"""`bench score`: any model or adapter, or a file of texts made elsewhere."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, get_args

import click

from ..errors import UsageError
from ..measuring.plan import prepare
from ..measuring.systems import Loadable, require_here
from ..measuring.texts import read_texts
from ..recipe.sections import Precision
from ..workflow.launch_shards import measure_launched
from ..workflow.measure import find_system, measure_subject, measure_subjects, say_problems, score_texts
from ..workflow.preview import preview_system
from .next_steps import after_dry_run, after_measuring, after_shard
from .options import (
    launch_of,
    launcher_options,
    read_pairs,
    require_one_division,
    run_options,
    setup_of,
    shard_option,
    wants_launch,
)
from .show import say, show_preview, show_runs, show_shard


@click.command("score")
@click.argument("system", required=False)
@run_options
@click.option(
    "--predictions",
    type=click.Path(dir_okay=False, path_type=Path),
    help='Score these texts instead: JSON Lines of {"id": …, "text": …}, a table, or the log of another program.',
)
@click.option("--format", "form", default="", metavar="NAME|FILE", help="The format of --predictions (default: found).")
@click.option("--pick", multiple=True, metavar="KEY=VALUE", help="Choose among several texts of a conversation.")
@click.option("--also", multiple=True, metavar="SYSTEM", help="Measure this one, too, on a base that is loaded once.")
@shard_option
@launcher_options
@click.option("--name", help="What to call the texts of --predictions (default: the file's name).")
@click.option(
    "--precision",
    type=click.Choice(get_args(Precision)),
    help="Precision of the base model (default: that of the adapter's training).",
)
@click.option("--allow-mismatch", is_flag=True, help="Score an adapter on another base or precision than its own.")
def command(
    system: str | None,
    predictions: Path | None,
    form: str,
    pick: tuple[str, ...],
    also: tuple[str, ...],
    name: str | None,
    shard: str,
    precision: str | None,
    allow_mismatch: bool,
    dry_run: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Measure SYSTEM under RECIPE: a model reference, an adapter's folder, or a run.

    An adapter is scored on the base and in the precision that it was trained on.
    """
    if predictions is not None:
        # The texts are the system, so the first argument is the recipe.
        of_system = precision or allow_mismatch or shard or also or wants_launch(given)
        if (system is not None and given["recipe"] is not None) or of_system:
            raise UsageError(
                "name a SYSTEM (with --also, --precision, --allow-mismatch, --shard, --launcher) or give --predictions "
                "FILE, not both"
            )
        setup = setup_of({**given, "recipe": system})
        measurement = prepare(setup.resolved, setup.plugins)
        texts = read_texts(predictions, measurement, form=form, picked=read_pairs("--pick", pick))
        if dry_run:
            show_preview(preview_system(setup, measurement, None), as_json=as_json)
            after_dry_run(as_json=as_json)
            return
        runs = [score_texts(setup, measurement, texts, name or predictions.stem)]
    elif form or pick:
        raise UsageError("--format and --pick are for --predictions")
    elif system is None:
        raise UsageError("name a SYSTEM (a model, an adapter's folder or a run), or give --predictions FILE")
    elif also and (shard or dry_run or wants_launch(given)):
        raise UsageError("--also is not for --shard, --launcher and --dry-run", "Name one SYSTEM.")
    else:
        require_one_division(shard, given)
        setup = setup_of(given)
        launch = launch_of(given, setup.plugins)
        measurement = prepare(setup.resolved, setup.plugins)
        find = partial(find_system, setup, precision=precision, allow_mismatch=allow_mismatch)
        if dry_run:

            def find_here() -> Loadable:
                require_here(system)
                return find(system)[0]

            show_preview(preview_system(setup, measurement, find_here), as_json=as_json)
            after_dry_run(as_json=as_json)
            return
        subjects = [find(name) for name in (system, *also)]
        if shard:
            show_shard(measure_subject(setup, measurement, *subjects[0], shard), as_json=as_json)
            after_shard(setup.runs, as_json=as_json)
            return
        if launch:
            subject, parent = subjects[0]
            runs = [measure_launched(setup, "score", subject, measurement, launch, parent)]
        else:
            runs = list(measure_subjects(setup, measurement, subjects))
    say_problems(setup.plugins, say)
    show_runs(runs, as_json=as_json)
    after_measuring(setup, runs[-1], as_json=as_json)
