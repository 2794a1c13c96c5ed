"""Finds where people's texts look like the words by which a chat template marks its messages.

Control tokens are kept apart (see `insulation`). But many templates mark messages with ordinary text (`### Response:`,
`[INST]`, a `<|user|>` that is no token), and then no model can tell the two apart: a run can only say so.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ..errors import UsageError
from ..records.conversation import Conversation
from ..records.system import PromptSpec
from ..text.transcript import transcript
from .chat_template import apply_template
from .ending import exchange
from .insulation import control_tokens, tell_held

MARK = re.compile(r"<[|｜/]?\w[\w|｜]*>|\[/?[A-Z][A-Z_]+\]|<</?[A-Z]+>>|#{2,} ?\w[\w ]*:|\b[A-Z]{4,}:")
"""What such marks look like."""


def plain_marks(spec: PromptSpec, tokenizer: Any) -> list[str]:
    """The marks of the prompt's chat template that are ordinary text, the longest first."""
    if spec.style == "plain":
        return []
    messages = exchange(spec)
    try:
        text = apply_template([*messages, messages[-2]], spec, tokenizer, open_answer=True)
    except UsageError:
        return []
    for message in messages:
        text = text.replace(message["content"], " ")
    for name in sorted(control_tokens(tokenizer), key=len, reverse=True):
        text = text.replace(name, " ")
    return sorted(set(MARK.findall(text)), key=lambda mark: (-len(mark), mark))


def plain_marks_note(spec: PromptSpec, conversations: Sequence[Conversation], tokenizer: Any) -> str:
    """How many conversations hold such a mark, for the notes of a run; empty if none does."""
    marks = plain_marks(spec, tokenizer)
    texts = (transcript(conversation.turns) for conversation in (conversations if marks else ()))
    return tell_held(
        [frozenset(mark for mark in marks if mark in text) for text in texts],
        "what the chat template marks its messages with",
        "it is ordinary text, so the model cannot tell it from the template's own",
    )
