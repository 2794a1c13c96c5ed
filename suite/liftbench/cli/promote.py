"""`bench promote`: a measured run becomes a baseline that later runs are gated against."""

from __future__ import annotations

from pathlib import Path

import click

from ..gating.promote import Promotion
from ..runs.directory import find_run
from ..text.phrases import pluralize
from ..workflow.promote import promote_run
from .next_steps import after_promotion
from .options import baselines_option, json_option, run_argument, runs_option
from .output import echo
from .show import FEEDBACK, print_json, say


@click.command("promote")
@run_argument("run_name", metavar="RUN")
@click.argument("name")
@click.option("--why", default="", metavar="TEXT", help="Why the baseline changes; required if it exists already.")
@click.option("--texts", is_flag=True, help="Keep the summaries too; without it only their hashes are kept.")
@click.option(
    "--data-dir",
    envvar="LIFTBENCH_DATA_DIR",
    show_envvar=True,
    help="Where the data are now, for the controls (default: where they were for the run).",
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

    For an untuned model, the scores of the controls, the humans and the best prompt (`bench baseline --tune`) are kept
    too, because lifts over it are judged with them. Promoting the same run again does not change the file.
    """
    run = find_run(run_name, runs).require_complete()
    done, missing = promote_run(run, name, baselines, why=why, texts=texts, data_dir=data_dir, feedback=FEEDBACK)
    if as_json:
        print_json({"path": str(done.path), "change": done.change, "versions": done.promoted.versions})
    else:
        echo(f"{done.path}: {_words(done)}")
    if "controls" in missing:
        say(
            "warning: no lift over this baseline can be verified, because controls and human summaries are missing: "
            f"{missing['controls']}"
        )
    if not as_json:
        after_promotion(name, run, runs, baselines)


def _words(done: Promotion) -> str:
    promoted = done.promoted
    last = promoted.versions[-1]
    if done.change == "unchanged":
        return f"unchanged, version {last.number}"
    beside = ["controls and human summaries"] if promoted.floors else []
    if promoted.best_prompted:
        beside.append(f"the best prompt of {promoted.best_prompted.manifest.id}")
    held = f", with {' and '.join(beside)}" if beside else ""
    return f"version {last.number}, {last.run}, {pluralize(len(promoted.samples), 'conversation')}{held}"
