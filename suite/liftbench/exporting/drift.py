"""How far an exported model is from the system that was scored: in logits, and in the texts that both write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import RunFailed
from ..extension.loader import Plugins
from ..measuring.generate import generate_batch, open_backend
from ..measuring.systems import Loadable
from ..progress import Progress
from ..prompts.render import completion_ids, end_token, render
from ..recipe.sections import Recipe
from ..records.conversation import Conversation
from ..records.export import Drift

Ids = tuple[list[int], list[int]]
"""The tokens of a prompt, and those of a summary."""


class Behaviour(NamedTuple):
    """What a system does on some conversations."""

    texts: list[str]
    logits: list[Any]
    """For each summary an array (tokens, vocabulary)."""


def measure_drift(
    scored: Loadable,
    exported: Loadable,
    conversations: Sequence[Conversation],
    recipe: Recipe,
    plugins: Plugins,
    progress: Progress,
) -> Drift:
    """Let both systems summarize the conversations, one after the other, and compare them.

    Logits are those before each token of the scored system's summaries, which both are shown. Raises `RunFailed` where
    they are no numbers, and whatever loading and generating raise.
    """
    stages = Stages(progress, 2 * len(conversations))
    ids, first = _observe(scored, conversations, recipe, plugins, stages)
    _, second = _observe(exported, conversations, recipe, plugins, stages, ids)
    return compare(first, second, [conversation.id for conversation in conversations])


class Stages:
    """Counts what is done, over both systems."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def step(self, message: str, done: int = 1) -> None:
        self._done += done
        self._progress(self._done, self._total, message)


def _observe(
    system: Loadable,
    conversations: Sequence[Conversation],
    recipe: Recipe,
    plugins: Plugins,
    stages: Stages,
    summaries: Sequence[Ids] = (),
) -> tuple[list[Ids], Behaviour]:
    """A system's texts, and its logits on some summaries, by default its own."""
    name, spec = system.system.name, system.system.prompt
    assert spec is not None
    stages.step(f"loading {name}", 0)
    backend = open_backend(system, recipe, plugins)
    try:
        predictions = generate_batch(backend, conversations, spec, recipe, [])
        if not summaries:
            tokenizer, budget = backend.tokenizer, recipe.generation.max_input_tokens
            end = end_token(spec, tokenizer)
            summaries = [
                (
                    render(spec, conversation, tokenizer, budget).token_ids,
                    completion_ids(prediction.text, end, tokenizer),
                )
                for conversation, prediction in zip(conversations, predictions, strict=True)
            ]
        logits = []
        for prompt, summary in summaries:
            logits.append(backend.logits(prompt, summary))
            stages.step(f"comparing {name}")
    finally:
        backend.close()
    return list(summaries), Behaviour([prediction.text for prediction in predictions], logits)


def compare(first: Behaviour, second: Behaviour, ids: Sequence[str]) -> Drift:
    """The drift from a system to another, from what both do on the conversations with these ids."""
    found = [_compare_logits(before, after) for before, after in zip(first.logits, second.logits, strict=True)]
    tokens = sum(len(before) for before in first.logits)
    return Drift(
        conversations=list(ids),
        tokens=tokens,
        largest=max(one.largest for one in found),
        mean=sum(one.differences for one in found) / tokens,
        # Rounding may leave a divergence of 0 a little below it.
        divergence=max(0.0, sum(one.divergences for one in found) / tokens),
        same_choices=sum(one.same for one in found) / tokens,
        same_texts=sum(a == b for a, b in zip(first.texts, second.texts, strict=True)),
    )


class _Sums(NamedTuple):
    """Over the tokens of one summary, but for `largest`."""

    largest: float
    differences: float
    """Of the mean absolute difference over the vocabulary."""
    divergences: float
    same: int


def _compare_logits(before: Any, after: Any) -> _Sums:
    if not (np.isfinite(before).all() and np.isfinite(after).all()):
        raise RunFailed("the exported model's logits are not all numbers", "Export it in bfloat16.")
    difference = np.abs(after - before)  # (tokens, vocabulary)
    was, now = _log_softmax(before), _log_softmax(after)
    return _Sums(
        largest=float(difference.max()),
        differences=float(difference.mean(axis=-1).sum()),
        divergences=float((np.exp(was) * (was - now)).sum()),
        same=int((before.argmax(-1) == after.argmax(-1)).sum()),
    )


def _log_softmax(logits: Any) -> Any:
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
