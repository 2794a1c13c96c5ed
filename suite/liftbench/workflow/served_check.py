"""Asks a served model for one short answer, to see whether it answers, as which model, and how fast."""

from __future__ import annotations

import time
from collections.abc import Iterator

from msgspec.structs import replace

from ..errors import LiftbenchError
from ..extension.loader import Plugins
from ..measuring.generate import open_backend
from ..measuring.systems import untuned
from ..models.references import resolve
from ..prompts.render import render
from ..recipe.sections import Recipe
from ..records.conversation import Conversation, Turn
from ..text.phrases import pluralize
from .check import Finding

CONVERSATION = Conversation(
    id="doctor",
    turns=(
        Turn(role="customer", text="My parcel has not come. Where is it?"),
        Turn(role="agent", text="It is on its way and comes tomorrow."),
    ),
)
TOKENS = 16


def check_server(recipe: Recipe, plugins: Plugins) -> Iterator[Finding]:
    """One request to the recipe's served model, with the recipe's prompt, without its examples."""
    recipe = replace(recipe, prompt=replace(recipe.prompt, shots=0))
    recipe = replace(recipe, generation=replace(recipe.generation, max_new_tokens=TOKENS))
    model = resolve(recipe.model.reference)
    subject = untuned(recipe, model)
    assert subject.system.prompt is not None
    assert model.record.served is not None
    try:
        backend = open_backend(subject, recipe, plugins)
        try:
            prompt = render(subject.system.prompt, CONVERSATION, backend.tokenizer, recipe.generation.max_input_tokens)
            started = time.perf_counter()
            [made] = backend.generate([prompt], TOKENS)
            seconds = time.perf_counter() - started
            notes = backend.notes()
        finally:
            backend.close()
    except LiftbenchError as error:
        yield Finding(part="server", state="wrong", what=error.what, fix=error.fix)
        return
    what = f"{notes[0]}, {model.record.source}: {pluralize(made.new_tokens, 'token')} in {seconds:.1f} s"
    yield Finding(part="server", state="ok", what=what)
    if made.served and not made.served.believed:
        said = f"{made.served.prompt_tokens} tokens of the prompt and {made.served.new_tokens} of the answer"
        what = f"the numbers of tokens that it gives do not fit the texts ({said}); they are counted here instead"
        yield Finding(part="server", state="note", what=what)
