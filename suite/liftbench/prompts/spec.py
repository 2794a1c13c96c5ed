"""Makes the prompt of a system, with its hash and its worked examples."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from msgspec import UNSET, Struct, to_builtins

from ..errors import UsageError
from ..files import digest
from ..records.conversation import Conversation
from ..records.system import PromptSpec, Shot
from ..text.transcript import transcript
from ..text.words import words


class Prompt(Struct, frozen=True, kw_only=True):
    """A conversation rendered for one model."""

    text: str
    token_ids: list[int]
    """The ids of `text`, with one BOS if the model uses one; the same in training and in generation."""
    sha256: str
    """Hash of `text`."""
    turns_dropped: int = 0
    """Number of turns left out because the conversation did not fit; at least 1 if turns were cut."""


def prompt_spec(
    template: str,
    system: str,
    style: Literal["chat", "plain"],
    *,
    prefill: str = "",
    shots: Sequence[Shot] = (),
    stop: Sequence[str] = (),
    max_words: int = 0,
    template_arguments: Mapping[str, Any] | None = None,
) -> PromptSpec:
    """The prompt with its hash. White space around the prefill is removed, because the model writes the space after it.

    Raises `UsageError` if the template does not have `{conversation}` exactly once, or a stop string is empty.
    """
    if template.count("{conversation}") != 1:
        raise UsageError("prompt.template must contain {conversation} exactly once, where the transcript goes")
    if "" in stop:
        raise UsageError("prompt.stop must not contain the empty string: every text would end before its first word")
    prefill = prefill.strip()
    parts = [style, system, template]
    # Adapters that were trained before these fields existed have the hash without them in their provenance.
    if prefill or shots or stop or max_words:
        parts.append(digest(prefill, [(shot.transcript, shot.summary) for shot in shots], stop, max_words))
    arguments: dict[str, Any] = to_builtins(template_arguments or {})
    if arguments:
        parts.append(digest("template arguments", arguments))
    return PromptSpec(
        template=template,
        system=system,
        style=style,
        prefill=prefill,
        shots=tuple(shots),
        stop=tuple(stop),
        max_words=max_words,
        template_arguments=arguments or UNSET,
        sha256=hashlib.sha256("\0".join(parts).encode()).hexdigest(),
    )


def choose_shots(conversations: Sequence[Conversation], count: int) -> tuple[Shot, ...]:
    """Short conversations with typical summaries. A larger `count` gives the same examples first.

    The shortest quarter of the conversations comes first, then the others. In each part they are ordered by how typical
    the summary is: the cosine between the set of its words and the centroid of all summaries' sets. Raises `UsageError`
    if fewer than `count` conversations have a summary.
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
