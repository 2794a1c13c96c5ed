"""Summarizing one conversation with any system."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Unpack

from ..data.cleaning import clean
from ..data.jsonl import parse_conversation
from ..errors import UsageError
from ..measuring.generate import summarize_one
from ..records.conversation import Conversation
from ..records.run import Prediction
from ..records.system import System
from ..runs.directory import Run
from .measure import find_system
from .setup import RunOptions, Setup, setup_for_call


def summarize(
    conversation: str | Path | Conversation,
    *,
    adapter: str | Path | Run | None = None,
    recipe: str | Path | None = None,
    **options: Unpack[RunOptions],
) -> Prediction:
    """Summarize one conversation, as `bench summarize` does.

    Each call loads the model; for many conversations, make a data set of them and use `baseline` or `score`.

    Parameters:
        conversation: The text itself (`Customer: …` and `Agent: …`, a turn a line, or JSON with `turns`), a `Path` of
            a file with such a text, or a `Conversation`.
        adapter: An adapter's folder, or a run: its adapter or its prompt (default: the untuned model).
        recipe: A shipped recipe by name, or the path of a TOML file (default: `smollm2-135m`).
        **options: See `RunOptions`: `model`, `settings`, `runs`, `plugins`, `say`; those about data have no effect.

    Returns:
        The prediction: `prediction.text` is the summary.

    Raises:
        UsageError: The conversation cannot be read, or the recipe, an option or the adapter is wrong.
        PrerequisiteError: A model or a package is missing.

    Example:
        >>> liftbench.summarize("Customer: My seat is wet.\\nAgent: Sorry.", recipe="helpdesk").text  # doctest: +SKIP
        'Customer complains that …'
    """
    setup = setup_for_call("summarize", recipe, options)
    if isinstance(conversation, Path):
        conversation = parse_conversation(read_file(conversation), str(conversation))
    elif isinstance(conversation, str):
        conversation = parse_conversation(conversation.encode(), "the text")
    given = adapter.folder if isinstance(adapter, Run) else adapter
    return summarize_conversation(conversation, None if given is None else str(given), setup).prediction


class Summary(NamedTuple):
    """A summary and the system that wrote it."""

    system: System
    prediction: Prediction


def summarize_conversation(conversation: Conversation, adapter: str | None, setup: Setup) -> Summary:
    """Summarize a conversation with an adapter, a run, or else the recipe's untuned model; `say` is called with what a
    reader must know about the system."""
    if setup.recipe.data.clean:
        conversation = clean(conversation)
    subject, _ = find_system(setup, adapter or setup.recipe.model.reference)
    for note in subject.notes:
        setup.feedback.say(f"note: {note}")
    return Summary(subject.system, summarize_one(conversation, subject, setup.recipe, setup.plugins))


def read_file(path: Path) -> bytes:
    """A file's bytes. Raises `UsageError`."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
