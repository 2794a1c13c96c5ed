"""`bench export`: what a run trained, as users ship it, with a model card."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import get_args

import click

from ..extension.loader import load_plugins
from ..records.export import Dtype, Form
from ..workflow.export import CONVERSATIONS, Export, ExportRequest, export_run, find_baseline, find_trained
from ..workflow.measure import say_problems
from .next_steps import after_export
from .options import json_option, run_argument, runs_option
from .output import echo
from .show import FEEDBACK, print_json, say


@click.command("export")
@run_argument("run", required=False)
@click.option(
    "--as",
    "form",
    type=click.Choice(get_args(Form)),
    default="adapter",
    show_default=True,
    help="The adapter as it is, one model with the adapter merged into its base, or the same as GGUF.",
)
@click.option("--to", required=True, type=click.Path(path_type=Path), metavar="FOLDER", help="The folder to write.")
@click.option(
    "--dtype",
    type=click.Choice(get_args(Dtype)),
    default="bfloat16",
    show_default=True,
    help="Type of the weights of a merged model.",
)
@click.option("--score", is_flag=True, help="Score exactly what was exported, by the run's own protocol.")
@click.option(
    "--baseline", metavar="RUN", help="The run that the card's verdict is over (default: the newest comparable)."
)
@click.option("--model", help="The base, where it lies elsewhere now: alias, folder, GGUF file or hub:org/name.")
@click.option(
    "--conversations",
    type=click.IntRange(min=1),
    default=CONVERSATIONS,
    show_default=True,
    metavar="N",
    help="Measure the drift on N of the scored conversations.",
)
@click.option("--force", is_flag=True, help="Replace another export in the folder.")
@json_option
@runs_option
def command(
    run: str | None,
    form: Form,
    to: Path,
    dtype: Dtype,
    score: bool,
    baseline: str | None,
    model: str | None,
    conversations: int,
    force: bool,
    as_json: bool,
    runs: Path,
) -> None:
    """Export what RUN trained (default: the newest trained run), with a model card.

    A merged model is not quite what was scored: the drift of its logits and texts is measured. A verdict is about what
    was scored, so --score scores the export itself; it can be given later, too.
    """
    plugins = load_plugins()
    request = ExportRequest(
        run=find_trained(run, runs, say),
        form=form,
        to=to,
        dtype=dtype,
        score=score,
        baseline=find_baseline(baseline, runs),
        model=model,
        conversations=conversations,
        force=force,
        runs=runs,
        plugins=plugins,
        feedback=FEEDBACK,
        argv=sys.argv,
    )
    done = export_run(request)
    say_problems(plugins, say)
    if as_json:
        print_json({"folder": str(done.folder), **_as_dict(done)})
    else:
        _show(done)
        after_export(form, done.folder)


def _as_dict(done: Export) -> dict[str, object]:
    return {
        "export": done.record,
        "outcome": done.verdict.outcome if done.verdict else None,
        "verdict": done.verdict.sentence if done.verdict else None,
        "offer": done.offer if done.scored is None else None,
    }


def _show(done: Export) -> None:
    if drift := done.record.drift:
        n = len(drift.conversations)
        echo(
            f"drift from what was scored, over {drift.tokens} tokens of {n} summaries: logits differ by "
            f"{drift.mean:.4f} on average and {drift.largest:.3f} at most, the next token's distribution by "
            f"{drift.divergence:.5f} nats"
        )
        echo(
            f"the most likely token is the same in {drift.same_choices:.1%}; "
            f"{drift.same_texts} of {n} texts are the same"
        )
    if done.verdict:
        echo(f"{'what the training left: ' if done.scored is None else ''}{done.verdict.sentence}")
    if done.scored is None:
        echo(f"A verdict is about what was scored, and this was not. To score exactly this:\n{done.offer}")
    echo(done.folder)
