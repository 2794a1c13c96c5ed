"""A prompt as recipes describe it, and as it is rendered for one conversation."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from ..errors import UsageError
from ..files import digest
from ..records.conversation import Conversation
from ..records.system import PromptSpec, Shot
from ..text.transcript import transcript
from ..text.words import words

# ---------------------------------------------------------------------------------------------------------- backends


class Prompt(Struct, frozen=True, kw_only=True):
    """A conversation rendered for one model."""

    text: str
    token_ids: list[int]
    """`text` in tokens, with one BOS where the model wants one; the same in training and in generation."""
    sha256: str
    """Of `text`."""
    turns_dropped: int = 0


def prompt_spec(
    template: str,
    system: str,
    style: Literal["chat", "plain"],
    *,
    prefill: str = "",
    shots: Sequence[Shot] = (),
    stop: Sequence[str] = (),
    max_words: int = 0,
) -> PromptSpec:
    """A prompt with its hash. White space around the prefill is dropped: the model writes the space that follows it.

    Raises `UsageError` where the template does not say where the conversation goes, and for an empty stop string.
    """
    if template.count("{conversation}") != 1:
        raise UsageError("prompt.template must contain {conversation} exactly once, where the transcript goes")
    if "" in stop:
        raise UsageError("prompt.stop must not contain the empty string: every text would end before its first word")
    prefill = prefill.strip()
    parts = [style, system, template]
    # Without any of these, the hash is the one in the provenance of adapters that were trained before there were any.
    if prefill or shots or stop or max_words:
        parts.append(digest(prefill, [(shot.transcript, shot.summary) for shot in shots], stop, max_words))
    return PromptSpec(
        template=template,
        system=system,
        style=style,
        prefill=prefill,
        shots=tuple(shots),
        stop=tuple(stop),
        max_words=max_words,
        sha256=hashlib.sha256("\0".join(parts).encode()).hexdigest(),
    )


def choose_shots(conversations: Sequence[Conversation], count: int) -> tuple[Shot, ...]:
    """Short conversations with typical summaries; more of them begin with the same ones.

    Taken from the shorter quarter, while it lasts, by the cosine of the summary's set of words with the centroid of all
    summaries' sets. Raises `UsageError` if there are fewer with a summary.
    """
    summarized = [conversation for conversation in conversations if conversation.references]
    if len(summarized) < count:
        raise UsageError(
            f"prompt.shots asks for {count} examples, but the training split has only {len(summarized)} conversations "
            "with a summary that are not scored",
            "Lower prompt.shots.",
        )
    sets = {text: set(words(text)) for conversation in summarized for text in conversation.references}
    frequency = Counter(word for conversation in summarized for text in conversation.references for word in sets[text])

    def typicality(text: str) -> float:
        return sum(frequency[word] for word in sets[text]) / math.sqrt(len(sets[text]) or 1)

    by_length = sorted(summarized, key=lambda c: (len(transcript(c.turns)), c.id))
    examples = [(c, max(c.references, key=typicality)) for c in by_length]
    quarter = math.ceil(len(examples) / 4)
    ranked = [
        *sorted(examples[:quarter], key=lambda example: -typicality(example[1])),
        *sorted(examples[quarter:], key=lambda example: -typicality(example[1])),
    ]
    return tuple(Shot(id=c.id, transcript=transcript(c.turns), summary=text.strip()) for c, text in ranked[:count])
