"""`bench baseline`: the untuned model."""

from __future__ import annotations

from typing import Any

import click

from ..errors import UsageError
from ..measuring.plan import prepare
from ..prompt_search.plan import plan_tuning
from ..workflow.launch_shards import measure_launched
from ..workflow.measure import measure_baseline, measure_best_prompt, say_problems, untuned_model
from ..workflow.preview import preview_baseline, require_model
from .next_steps import after_dry_run, after_measuring, after_shard
from .options import (
    launch_of,
    launcher_options,
    require_one_division,
    run_options,
    setup_of,
    shard_option,
    wants_launch,
)
from .show import say, show_preview, show_run, show_shard
from .show_prompts import show_search, show_search_plan


@click.command("baseline")
@run_options
@shard_option
@launcher_options
@click.option("--tune", is_flag=True, help="Search for the best prompt on development data, and measure that one.")
def command(tune: bool, shard: str, dry_run: bool, as_json: bool, **given: Any) -> None:
    """Measure the untuned model of RECIPE (a shipped recipe or a TOML file).

    With --tune, prompts that the recipe declares ([tune]) are tried on conversations of the training split, and the
    best of them is measured: what a prompt alone buys. A search that was stopped continues with the same command.
    """
    if tune and (shard or wants_launch(given)):
        option = "--shard" if shard else "--launcher"
        raise UsageError(f"a search for the best prompt has no shards; leave --tune or {option} out")
    require_one_division(shard, given)
    setup = setup_of(given)
    launch = launch_of(given, setup.plugins)
    measurement = prepare(setup.resolved, setup.plugins)
    if tune:
        plan = plan_tuning(setup.recipe, measurement, setup.plugins)
        if dry_run:
            if not as_json:
                shots = plan.shots[: setup.recipe.prompt.shots]
                show_preview(preview_baseline(setup, measurement, shots), as_json=False)
            show_search_plan(plan, as_json=as_json)
            require_model(setup.recipe)
            after_dry_run(as_json=as_json)
            return
        run = measure_best_prompt(setup, measurement, plan)
        show_search(run, as_json=as_json)
    elif dry_run:
        show_preview(preview_baseline(setup, measurement), as_json=as_json)
        after_dry_run(as_json=as_json)
        return
    else:
        if launch:
            run = measure_launched(setup, "baseline", untuned_model(setup), measurement, launch)
        else:
            run = measure_baseline(setup, measurement, shard)
        if shard:
            show_shard(run, as_json=as_json)
            after_shard(setup.runs, as_json=as_json)
            return
        show_run(run, as_json=as_json)
    say_problems(setup.plugins, say)
    after_measuring(setup, run, as_json=as_json)
