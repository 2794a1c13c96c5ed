"""`bench judge model`: a language model judges the pairs of a sheet."""

from __future__ import annotations

from pathlib import Path

import click

from ..records.preferences import Rival
from ..report.terminal.preferences import preference_table
from ..workflow.judge import judge_by_model
from .judge_options import sheet_for, sheet_options
from .next_steps import after_judging
from .options import json_option, runs_option
from .output import console
from .show import FEEDBACK, print_json


@click.command("model")
@sheet_options
@click.option("--model", required=True, help="The model's name on the server.")
@click.option("--base-url", required=True, metavar="URL", help="The server, such as https://api.openai.com/v1.")
@click.option(
    "--api-key-env",
    default="OPENAI_API_KEY",
    show_default=True,
    metavar="NAME",
    help="The environment variable that holds the server's key.",
)
@json_option
@runs_option
def command(
    candidate: str,
    baseline: str | None,
    against: Rival,
    n: int,
    seed: int,
    model: str,
    base_url: str,
    api_key_env: str,
    as_json: bool,
    runs: Path,
) -> None:
    """Let a language model judge pairs of summaries of CANDIDATE (a run) and another system.

    The conversations and summaries are sent to the server, which has to speak OpenAI's chat completions. The model
    judges each pair in both orders, and two different answers count as a tie. The result informs and decides nothing;
    it says how far the model agrees with people who judged the same pairs. A stopped command continues where it was.
    """
    found = judge_by_model(
        sheet_for(candidate, baseline, against, n, seed, runs), model, base_url, api_key_env, runs, FEEDBACK
    )
    if as_json:
        print_json(found)
    else:
        console().print(preference_table(found))
        after_judging(runs)
