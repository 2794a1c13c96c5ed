"""`bench promote`: a measured run becomes a baseline that later runs are gated against."""

from __future__ import annotations

from pathlib import Path

import click
from msgspec.structs import replace

from ..extension.loader import load_plugins
from ..floors.background import Background, measure_background
from ..gating.promote import Promotion, promote
from ..runs.directory import find_run, runs_in
from ..runs.selection import best_prompted
from ..text.phrases import counted
from .acts import say, warn
from .job import baselines_option, json_option, print_json, runs_option
from .progress import progress_bars


@click.command("promote")
@click.argument("run_name", metavar="RUN")
@click.argument("name")
@click.option("--why", default="", metavar="TEXT", help="Why the baseline changes; needed where there is one already.")
@click.option("--texts", is_flag=True, help="Keep the summaries, too; else only their hashes are.")
@click.option(
    "--data-dir",
    envvar="LIFTBENCH_DATA_DIR",
    show_envvar=True,
    help="Where the data lie now, for the controls (default: where they lay for the run).",
)
@baselines_option
@json_option
@runs_option
def command(
    run_name: str,
    name: str,
    why: str,
    texts: bool,
    data_dir: str | None,
    baselines: Path,
    as_json: bool,
    runs: Path,
) -> None:
    """Write RUN as baselines/NAME.json: its scores, protocol and environment, without any text.

    With an untuned model, the controls, the human summaries and the best prompt that was found (`bench baseline
    --tune`) are kept, too, since lifts are judged beside them. The same run promoted again leaves the file as it is.
    """
    run = find_run(run_name, runs).require_complete()
    measured, best = Background(), None
    if run.manifest.system.adapter is None and not run.manifest.tuned:
        plugins = load_plugins()
        if data_dir and isinstance(data := run.manifest.recipe.get("data"), dict):
            run.manifest = replace(run.manifest, recipe=run.manifest.recipe | {"data": data | {"data_dir": data_dir}})
        with progress_bars([("controls", "systems"), ("validity", "metrics")]) as (on_controls, on_validity):
            measured = measure_background(run, plugins, on_controls, on_validity)
        warn(plugins)
        best = best_prompted(run, runs_in(run.folder.parent))
    done = promote(run, name, baselines, why=why, controls=measured.controls, best_prompted=best, texts=texts)
    if as_json:
        print_json({"path": str(done.path), "change": done.change, "versions": done.promoted.versions})
    else:
        click.echo(f"{done.path}: {_words(done)}")
    if "controls" in measured.missing:
        say(
            f"warning: without controls and human summaries, so that no lift over it can be verified: "
            f"{measured.missing['controls']}"
        )


def _words(done: Promotion) -> str:
    promoted = done.promoted
    last = promoted.versions[-1]
    if done.change == "unchanged":
        return f"unchanged, version {last.number}"
    beside = ["controls and human summaries"] if promoted.floors else []
    if promoted.best_prompted:
        beside.append(f"the best prompt of {promoted.best_prompted.manifest.id}")
    held = f", with {' and '.join(beside)}" if beside else ""
    return f"version {last.number}, {last.run}, {counted(len(promoted.samples), 'conversation')}{held}"
