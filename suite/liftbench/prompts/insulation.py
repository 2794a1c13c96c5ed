"""Keeps a customer's text apart from the model's control tokens: `<|im_end|>` in a message is text, not the end of it.

A tokenizer makes one control token of such a text wherever it stands. So the text is cut inside the token's name by a
mark, and the tokenizer is given the pieces.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct

from ..errors import UsageError
from ..records.conversation import Conversation
from ..text.transcript import transcript
from .chat_template import chat_template, literals

MARKS = [chr(code) for code in range(0xFDD0, 0xFDF0)]
"""Unicode's noncharacters: no text means anything by them."""

BARS = re.compile(r"<[|｜].+[|｜]>", re.DOTALL)
"""What control tokens look like, whether a tokenizer flags them as special or not."""


class Insulation(Struct, frozen=True):
    """What cuts the names of control tokens in the texts of a prompt."""

    pattern: re.Pattern[str] | None
    """Matches the names of the control tokens; None if there are none."""
    mark: str

    def cut(self, text: str) -> str:
        """The text with a mark inside each name of a control token; most texts have none and stay as they are."""
        while self.pattern is not None and self.pattern.search(text):
            text = self.pattern.sub(lambda found: f"{found[0][0]}{self.mark}{found[0][1:]}", text)
        return text

    def restore(self, text: str) -> str:
        """The text without its marks."""
        return text.replace(self.mark, "")

    def encode(self, text: str, tokenizer: Any) -> list[int]:
        """The token ids of a text with marks: of its pieces, one after the other."""
        first, *others = text.split(self.mark)
        ids: list[int] = tokenizer(first, add_special_tokens=False)["input_ids"]
        return ids + [id_ for piece in others for id_ in encode_inside(piece, tokenizer)]


def insulation(tokenizer: Any, texts: Iterable[str]) -> Insulation:
    """The insulation of a prompt that is made of these texts."""
    used = set().union(*texts)
    return Insulation(control_pattern(tokenizer), next(mark for mark in MARKS if mark not in used))


def control_pattern(tokenizer: Any) -> re.Pattern[str] | None:
    """What matches the names of a tokenizer's control tokens; None if it has none."""
    names = sorted(control_tokens(tokenizer), key=lambda name: (-len(name), name))
    names = [name for name in names if len(name) > 1]
    if not names:
        return None
    folds = _ids("A", tokenizer) == _ids("a", tokenizer)
    return re.compile("|".join(map(re.escape, names)), re.IGNORECASE if folds else 0)


def control_tokens(tokenizer: Any) -> dict[str, int]:
    """Name → id of each token that steers the model: the special tokens, and other added ones that look like it.

    An added token that is a word or white space (`refund`, or Gemma's line ends) stays what it is: text.
    """
    added: dict[int, Any] = getattr(tokenizer, "added_tokens_decoder", {})
    try:
        written = literals(chat_template(tokenizer))
    except UsageError:
        written = ""
    special = set(getattr(tokenizer, "all_special_tokens", ()))
    return {
        token.content: id_
        for id_, token in added.items()
        if not token.content.isspace()
        and (
            token.special
            or token.content in special
            or BARS.fullmatch(token.content)
            or (not token.content.isalnum() and token.content in written)
        )
    }


def encode_inside(text: str, tokenizer: Any) -> list[int]:
    """The token ids of a text that follows another: without the space that SentencePiece puts before a first word."""
    before, whole = _ids("\n", tokenizer), _ids(f"\n{text}", tokenizer)
    return whole[len(before) :] if whole[: len(before)] == before else _ids(text, tokenizer)


def insulation_note(conversations: Sequence[Conversation], tokenizer: Any) -> str:
    """How many conversations hold the name of a control token, for the notes of a run; empty if none does."""
    pattern = control_pattern(tokenizer)
    if pattern is None:
        return ""
    found = [frozenset(pattern.findall(transcript(conversation.turns))) for conversation in conversations]
    return tell_held(found, "the name of a control token of the model", "the model was given it as text")


def tell_held(found: Sequence[frozenset[str]], what: str, outcome: str) -> str:
    """How many conversations hold something, with examples of it, as a note of a run; empty if none does.

    `found` has what each conversation holds.
    """
    names = sorted(set().union(*found))
    if not names:
        return ""
    shown = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
    return f"{sum(map(bool, found))} of {len(found)} conversations hold {what} ({shown}); {outcome}"


def _ids(text: str, tokenizer: Any) -> list[int]:
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids
