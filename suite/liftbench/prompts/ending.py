"""How an answer ends: the same in training and in generation.

Whatever the chat template writes after an answer ends it, be it a special token or not, one token or several.
"""

from __future__ import annotations

import re
from typing import Any

from msgspec import Struct

from ..errors import UsageError
from ..records.system import PromptSpec
from .chat_template import apply_template
from .insulation import control_tokens, encode_inside

QUESTION = "What did the 4711 customers ask?"
ANSWER = "They asked for 1729 parcels."
NEXT = "And then, on day 365?"
"""Messages that no template writes by itself."""


class Ending(Struct, frozen=True, kw_only=True):
    """How an answer ends."""

    ids: tuple[int, ...]
    """The tokens that a training target ends with."""
    tokens: tuple[int, ...] = ()
    """Tokens each of which ends an answer in generation."""
    texts: tuple[str, ...] = ()
    """Texts each of which ends an answer in generation: ends that are not control tokens (`### End`)."""

    def find(self, text: str) -> int:
        """The place in a generated text where one of `texts` ends it, or -1."""
        # An answer may be empty: then the line end of the prompt stands before the end.
        found = [0 for end in self.texts if text.startswith(end.lstrip())]
        found += [at for end in self.texts if (at := text.find(end)) >= 0]
        return min(found, default=-1)


def ending(spec: PromptSpec, tokenizer: Any) -> Ending:
    """How an answer to the prompt ends.

    It ends with what the chat template writes after it, up to the first control token. If that is nothing, or there is
    no template, it ends with EOS, and in generation also with what opens the next message. Raises `UsageError` if the
    template does not show answers, or if there is neither an end nor EOS.
    """
    if spec.style == "plain":
        return _eos(tokenizer)
    after = _after_answer(spec, tokenizer)
    if after.strip():
        return _from_text(after, tokenizer)
    opening = _before_next(spec, tokenizer)
    if not opening.strip():
        return _eos(tokenizer)
    shown = _from_text(opening, tokenizer)
    if tokenizer.eos_token_id is None:
        return shown
    eos = _eos(tokenizer)
    # Words at no line's start may be the answer's own.
    texts = tuple(text for text in shown.texts if text.startswith("\n"))
    return Ending(ids=eos.ids, tokens=tuple(dict.fromkeys((*eos.tokens, *shown.tokens))), texts=texts)


def end_token(spec: PromptSpec, tokenizer: Any) -> int | tuple[int, ...]:
    """The token that ends an answer, or the tokens where it takes several; what `completion_ids` ends a target with.

    Raises `UsageError` as `ending`.
    """
    ids = ending(spec, tokenizer).ids
    return ids[0] if len(ids) == 1 else ids


def _eos(tokenizer: Any) -> Ending:
    if tokenizer.eos_token_id is None:
        raise UsageError("the model's tokenizer has no end-of-sequence token, so the model cannot learn to stop")
    eos = int(tokenizer.eos_token_id)
    return Ending(ids=(eos,), tokens=(eos,))


def _after_answer(spec: PromptSpec, tokenizer: Any) -> str:
    text = apply_template(exchange(spec), spec, tokenizer, open_answer=False)
    at = text.rfind(ANSWER)
    if at < 0:
        raise UsageError(
            "the model's chat template rewrites the assistant's messages, so it does not show where an answer ends",
            "Try --set prompt.style=plain (no chat template), or repair the template.",
        )
    return text[at + len(ANSWER) :]


def _before_next(spec: PromptSpec, tokenizer: Any) -> str:
    """What stands between an answer and the next message; empty if the template does not say."""
    messages = [*exchange(spec), {"role": "user", "content": NEXT}]
    try:
        text = apply_template(messages, spec, tokenizer, open_answer=False)
    except UsageError:
        return ""
    _, _, after = text.rpartition(ANSWER)
    before, found, _ = after.partition(NEXT)
    return before if found else ""


def exchange(spec: PromptSpec) -> list[dict[str, str]]:
    """The prompt's system message, if there is one, a question and its answer, for a look at a chat template."""
    system = [{"role": "system", "content": spec.system}] if spec.system else []
    return [*system, {"role": "user", "content": QUESTION}, {"role": "assistant", "content": ANSWER}]


def _from_text(after: str, tokenizer: Any) -> Ending:
    """The end in what a template writes after an answer."""
    control = control_tokens(tokenizer)
    names = sorted(control, key=len, reverse=True)
    found = re.search("|".join(map(re.escape, names)), after) if names else None
    before = after[: found.start()] if found else after.rstrip()
    token = (control[found[0]],) if found else ()
    if found and not before.strip():
        return Ending(ids=token, tokens=token)
    # Trailing white space is the next message's; leading spaces are not always written.
    text = before.rstrip().lstrip(" \t")
    return Ending(ids=(*encode_inside(before, tokenizer), *token), tokens=token, texts=(text,))
