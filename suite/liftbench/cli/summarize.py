"""`bench summarize`: one conversation."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from ..data.cleaning import clean
from ..data.jsonl import parse_conversation
from ..errors import UsageError
from ..measuring.generate import summarize_one
from ..measuring.systems import recipe_shots, resolve_system
from .acts import say
from .job import job_of, print_json, recipe_options


@click.command("summarize")
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@recipe_options
@click.option("--recipe", help="Name or TOML file of a recipe.")
@click.option(
    "--adapter", help="An adapter's folder, or a run: its adapter or its prompt (default: the untuned model)."
)
def command(file: Path | None, adapter: str | None, **given: Any) -> None:
    """Summarize the conversation in FILE, or on standard input.

    JSON with `turns` (role, text), or plain text with a turn a line: `Customer: …`, `Agent: …`.
    """
    job = job_of(given)
    if file is not None:
        try:
            raw, source = file.read_bytes(), str(file)
        except OSError as error:
            raise UsageError(f"cannot read {file}: {error.strerror}") from error
    else:
        if sys.stdin.isatty():
            say("reading a conversation from the terminal; end it with Ctrl-D")
        raw, source = sys.stdin.buffer.read(), "standard input"
    conversation = parse_conversation(raw, source)
    recipe = job.resolved.recipe
    if recipe.data.clean:
        conversation = clean(conversation)
    shots = recipe_shots(recipe, job.plugins)
    subject, _ = resolve_system(adapter or recipe.model.reference, recipe, job.runs, shots=shots, base=job.told_model)
    for note in subject.notes:
        say(f"note: {note}")
    prediction = summarize_one(conversation, subject, recipe, job.plugins)
    if job.json:
        print_json({"system": subject.system, "prediction": prediction})
    else:
        click.echo(prediction.text)
