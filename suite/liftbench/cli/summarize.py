"""`bench summarize`: one conversation."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from ..data.jsonl import parse_conversation
from ..workflow.summarize import read_file, summarize_conversation
from . import complete
from .options import recipe_options, setup_of
from .output import echo
from .show import print_json, say


@click.command("summarize")
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@recipe_options
@click.option("--recipe", help="Name of a recipe, or a TOML file.", shell_complete=complete.recipes)
@click.option(
    "--adapter", help="An adapter's folder, or a run: its adapter or its prompt (default: the untuned model)."
)
def command(file: Path | None, adapter: str | None, as_json: bool, **given: Any) -> None:
    """Summarize the conversation in FILE, or on standard input.

    JSON with `turns` (role, text), or plain text with a turn a line: `Customer: …`, `Agent: …`.
    """
    setup = setup_of(given)
    if file is not None:
        raw, source = read_file(file), str(file)
    else:
        if sys.stdin.isatty():
            say("reading a conversation from the terminal; end it with Ctrl-D")
        raw, source = sys.stdin.buffer.read(), "standard input"
    found = summarize_conversation(parse_conversation(raw, source), adapter, setup)
    if as_json:
        print_json({"system": found.system, "prediction": found.prediction})
    else:
        echo(found.prediction.text)
