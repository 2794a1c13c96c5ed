"""`bench summarize`: one conversation, or many as JSON Lines."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TextIO

import click
import msgspec

from ..data.jsonl import each_in_lines, parse_conversation
from ..errors import UsageError
from ..files import writing
from ..recipe.sections import DEFAULT_RECIPE
from ..records.run import Prediction
from ..workflow.feedback import Feedback
from ..workflow.setup import Setup
from ..workflow.summarize import read_file, summarize_conversation, summarize_each
from . import complete
from .options import recipe_options, setup_of
from .output import echo, results
from .show import print_json, say


@click.command("summarize")
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@recipe_options
@click.option("--recipe", help="Name of a recipe, or a TOML file.", shell_complete=complete.recipes)
@click.option(
    "--adapter", help="An adapter's folder, or a run: its adapter or its prompt (default: the untuned model)."
)
@click.option("--jsonl", is_flag=True, help="Read JSON Lines, a conversation a line, from standard input or any file.")
@click.option(
    "--to", type=click.Path(dir_okay=False, path_type=Path), help="Write the lines to this file, which is replaced."
)
def command(file: Path | None, adapter: str | None, jsonl: bool, to: Path | None, as_json: bool, **given: Any) -> None:
    """Summarize the conversation in FILE, or on standard input; or many, as JSON Lines.

    A conversation is JSON with `id` and `turns` (role, text), or plain text with a turn a line: `Customer: …`,
    `Agent: …`.

    Of a .jsonl file, or with --jsonl, each line is a conversation. A line of JSON with `id` and `text` is written for
    each, in their order, while the next ones are read. A line that is no conversation ends the command with its number,
    after the summaries of those before it.
    """
    setup = setup_of({**given, "recipe": given["recipe"] or DEFAULT_RECIPE})
    if jsonl or (file is not None and file.suffix == ".jsonl"):
        _summarize_lines(file, to, adapter, setup)
        return
    if to is not None:
        raise UsageError("--to is for many conversations: JSON Lines in a .jsonl file, or --jsonl")
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


def _summarize_lines(file: Path | None, to: Path | None, adapter: str | None, setup: Setup) -> None:
    if to is None and results().isatty():
        # The summaries would be written into the bar.
        setup = msgspec.structs.replace(setup, feedback=Feedback(say))
    with ExitStack() as files:
        lines, total = _open_lines(file, files)
        if to is not None and file is not None and to.exists() and to.samefile(file):
            raise UsageError("--to names the file that is read")
        if to is not None:
            files.enter_context(writing(to))
            out: TextIO = files.enter_context(to.open("w", encoding="utf-8"))
        else:
            out = results()
        count = 0
        source = "standard input" if file is None else str(file)
        for batch in summarize_each(each_in_lines(lines, source), total, adapter, setup):
            for made in batch:
                out.write(msgspec.json.encode(_line(made)).decode() + "\n")
            out.flush()
            count += len(batch)
    if not count:
        raise UsageError(f"{source} has no conversations")


def _open_lines(file: Path | None, files: ExitStack) -> tuple[Iterable[bytes], int]:
    """The lines, and how many of them are not empty: 0 where that is not known before they are read."""
    if file is None:
        return sys.stdin.buffer, 0
    try:
        lines = files.enter_context(file.open("rb"))
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from error
    if not lines.seekable():
        return lines, 0
    total = sum(1 for line in lines if line.strip())
    lines.seek(0)
    return lines, total


def _line(made: Prediction) -> dict[str, object]:
    """A line of output; `bench score --predictions` reads it."""
    return {
        "id": made.id,
        "text": made.text,
        "finish_reason": made.finish_reason,
        "turns_dropped": made.turns_dropped,
    }
