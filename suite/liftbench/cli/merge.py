"""`bench merge`: joins the shards of a run."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ..extension.loader import load_plugins
from ..measuring.shards import require_all
from ..runs.directory import find_run
from ..workflow.measure import say_problems
from ..workflow.merge import gather_shards, merge_shards, recipe_of
from ..workflow.setup import Setup
from .next_steps import after_measuring
from .options import json_option, run_argument, runs_option
from .show import FEEDBACK, say, show_run


@click.command("merge")
@run_argument("names", nargs=-1, metavar="[SHARD]...")
@click.option("--fresh", is_flag=True, help="Merge again instead of reusing a merged run.")
@json_option
@runs_option
def command(names: tuple[str, ...], fresh: bool, as_json: bool, runs: Path) -> None:
    """Join shards (`bench score --shard I/N`) to one run, and score it.

    Its texts and scores are those that one process would have made. Without names, the shards of the newest one's run
    are joined; copy the runs of other machines into the folder first.
    """
    shards = gather_shards(runs, [find_run(name, runs) for name in names])
    require_all(shards)
    plugins = load_plugins()
    setup = Setup(
        resolved=recipe_of(shards[0]), plugins=plugins, runs=runs, fresh=fresh, argv=sys.argv, feedback=FEEDBACK
    )
    run = merge_shards(setup, shards)
    say_problems(plugins, say)
    show_run(run, as_json=as_json)
    after_measuring(setup, run, as_json=as_json)
