"""In which ways two tokenizers, each with its chat template, make another prompt of the same conversation."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from ..errors import UsageError
from ..records.conversation import Conversation, Turn
from ..records.system import PromptSpec
from .chat_template import chat_template
from .ending import ending
from .render import render

TALK = Conversation(
    id="talk",
    turns=(
        Turn(role="customer", text="Hello, my order 4711 hasn't arrived yet; where is it?"),
        Turn(role="agent", text="I'm sorry! It will be with you on Tuesday."),
    ),
)
UNLIMITED = 1 << 30


class TokenizerDifferences(Struct, frozen=True, kw_only=True):
    """How one tokenizer differs from another."""

    words: tuple[str, ...]
    """The differences, in words; none where both do the same."""
    prompt: bool = False
    """Whether the prompt's text or the end of an answer differs: the chat template is another one."""
    template: str = ""
    """The source of the chat template, where the prompt differs."""


def tokenizer_differences(base: Any, own: Any, base_spec: PromptSpec, own_spec: PromptSpec) -> TokenizerDifferences:
    """How an adapter's own tokenizer differs from its base's; each comes with the prompt that suits it.

    Where tokens are padded and texts are cut, names and versions do not count.
    """
    words = []
    if _vocabulary(base) != _vocabulary(own):
        words.append(f"its vocabulary ({len(own):,} tokens; the base's has {len(base):,})")
    if base.eos_token != own.eos_token:
        words.append(f"its end-of-sequence token ({own.eos_token}; the base's is {base.eos_token})")
    prompt = _rendered(base, base_spec) != _rendered(own, own_spec)
    if prompt:
        words.append("its chat template")
    return TokenizerDifferences(words=tuple(words), prompt=prompt, template=_source(own) if prompt else "")


def _vocabulary(tokenizer: Any) -> Any:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return tokenizer.get_vocab()
    backend.no_padding()
    backend.no_truncation()
    return backend.to_str()


def _rendered(tokenizer: Any, spec: PromptSpec) -> tuple[str, ...]:
    try:
        prompt = render(spec, TALK, tokenizer, UNLIMITED)
        end = ending(spec, tokenizer)
    except UsageError as error:
        return (error.what,)
    return (prompt.text, *map(str, tokenizer.convert_ids_to_tokens(list(end.ids))), *end.texts)


def _source(tokenizer: Any) -> str:
    try:
        return chat_template(tokenizer)
    except UsageError:
        return ""
