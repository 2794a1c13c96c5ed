"""Summarizing one conversation, or a stream of them, with any system."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple, Unpack

from ..data.cleaning import clean
from ..data.jsonl import parse_conversation
from ..errors import UsageError
from ..measuring.generate import generate_batch, open_backend, summarize_one
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

    Each call loads the model; `bench summarize FILE.jsonl` loads it once for many conversations.

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


def summarize_each(
    conversations: Iterable[Conversation], total: int, adapter: str | None, setup: Setup
) -> Iterator[list[Prediction]]:
    """The summaries of a stream of conversations, a batch at a time and in their order; memory holds one batch.

    `total` is the number of conversations, 0 where it is not known. The model is loaded once, and not before the first
    batch was read. An error in the stream is raised after the summaries of the conversations before it.
    """
    recipe = setup.recipe
    batches = _batches(conversations, recipe.generation.batch_size)
    first = next(batches, None)
    if first is None:
        return
    subject, _ = find_system(setup, adapter or recipe.model.reference)
    notes = [*subject.notes]
    with setup.feedback.bars([("", "conversations")]) as (progress,):
        progress(0, 0, "loading the model")
        backend = open_backend(subject, recipe, setup.plugins)
        try:
            assert subject.system.prompt is not None
            message, done, told = f"summarizing on {backend.device}", 0, 0
            progress(done, total, message)
            for batch in chain([first], batches):
                read = [clean(one) for one in batch] if recipe.data.clean else batch
                made = generate_batch(backend, read, subject.system.prompt, recipe, notes)
                for note in notes[told:]:
                    setup.feedback.say(f"note: {note}")
                told, done = len(notes), done + len(made)
                progress(done, total, message)
                yield made
        finally:
            backend.close()


def _batches(conversations: Iterable[Conversation], size: int) -> Iterator[list[Conversation]]:
    """Batches in order; what was read before an error comes before the error."""
    stream, batch = iter(conversations), []
    while True:
        try:
            batch.append(next(stream))
        except StopIteration:
            break
        except UsageError:
            if batch:
                yield batch
            raise
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def read_file(path: Path) -> bytes:
    """A file's bytes. Raises `UsageError`."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
