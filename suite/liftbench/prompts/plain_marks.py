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
from .insulation import control_tokens

MARK = re.compile(r"<[|｜/]?\w[\w|｜]*>|\[/?[A-Z][A-Z_]+\]|<</?[A-Z]+>>|#{2,} ?\w[\w ]*:|\b[A-Z]{4,}:")
"""What such marks look like."""

QUESTION = "what did the 4711 customers ask?"
ANSWER = "they asked for 1729 parcels."


def plain_marks(spec: PromptSpec, tokenizer: Any) -> list[str]:
    """The marks of the prompt's chat template that are ordinary text, the longest first."""
    if spec.style == "plain":
        return []
    messages = [{"role": "system", "content": spec.system}] if spec.system else []
    exchange = [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": ANSWER}]
    try:
        text = apply_template([*messages, *exchange, exchange[0]], spec, tokenizer, open_answer=True)
    except UsageError:
        return []
    for message in [*messages, *exchange]:
        text = text.replace(message["content"], " ")
    for name in sorted(control_tokens(tokenizer), key=len, reverse=True):
        text = text.replace(name, " ")
    return sorted(set(MARK.findall(text)), key=lambda mark: (-len(mark), mark))


def plain_marks_note(spec: PromptSpec, conversations: Sequence[Conversation], tokenizer: Any) -> str:
    """How many conversations hold such a mark, for the notes of a run; empty if none does."""
    marks = plain_marks(spec, tokenizer)
    texts = [transcript(conversation.turns) for conversation in conversations] if marks else []
    found = [[mark for mark in marks if mark in text] for text in texts]
    names = sorted({mark for some in found for mark in some})
    if not names:
        return ""
    shown = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
    return (
        f"{sum(map(bool, found))} of {len(found)} conversations hold what the chat template marks its messages with "
        f"({shown}); it is ordinary text, so the model cannot tell it from the template's own"
    )
