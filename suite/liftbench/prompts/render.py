"""From a conversation to the tokens that a model sees, the same in training and in generation, and from what it writes
to the text that is scored.

A tokenizer here is anything with transformers' interface; this module imports none."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from ..errors import UsageError
from ..records.conversation import Conversation, Turn
from ..records.system import PromptSpec
from ..text.transcript import transcript
from .spec import Prompt

PLAIN_FRAME = "{message}\n\nSummary:\n"
"""Around the message of a base model, which knows no roles."""

DATE = "26 Jul 2024"
"""For chat templates that tell the model today's date (Llama 3.x, whose own fallback this is): a run that is resumed
tomorrow, and an adapter that is trained today, must see the same prompt."""

GAP = "[…]"
"""Stands for what was left out of a conversation that does not fit."""


def render(spec: PromptSpec, conversation: Conversation, tokenizer: Any, max_input_tokens: int) -> Prompt:
    """The prompt for one conversation, shots and prefill included, at most `max_input_tokens` long.

    A conversation that does not fit loses whole turns from its middle (the problem stands at the beginning, the
    outcome at the end); if its first and last turn are too long by themselves, each is cut after as many words as fit.
    Raises `UsageError` if not even the instruction, the shots and the prefill fit.
    """
    turns = conversation.turns
    # Encoded apart, as a training target is: the ids before it are those of the same prompt without it.
    prefill: list[int] = tokenizer(spec.prefill, add_special_tokens=False)["input_ids"] if spec.prefill else []

    def attempt(kept: tuple[Turn, ...]) -> tuple[str, list[int]]:
        text = _frame(spec, transcript(kept), tokenizer)
        return text + spec.prefill, [*encode(text, spec, tokenizer), *prefill]

    text, token_ids = attempt(turns)
    dropped = 0
    if len(token_ids) > max_input_tokens:
        fewest = 2 if len(turns) > 1 else 1
        kept, (text, token_ids) = turns, (text, token_ids)
        # The number of tokens grows with the number of turns kept, so the largest that fits is found by bisection.
        low, high = fewest, len(turns) - 1
        while low <= high:
            middle = (low + high) // 2
            tried = _ends(turns, middle)
            rendered = attempt(tried)
            if len(rendered[1]) <= max_input_tokens:
                kept, (text, token_ids), low = tried, rendered, middle + 1
            else:
                high = middle - 1
        if kept is turns:
            low, high = 0, max(len(turn.text.split()) for turn in turns)
            best = None
            while low <= high:
                middle = (low + high) // 2
                rendered = attempt(_cut(_ends(turns, fewest), middle))
                if len(rendered[1]) <= max_input_tokens:
                    best, low = rendered, middle + 1
                else:
                    high = middle - 1
            if best is None:
                shown = f" with its {len(spec.shots)} shots" if spec.shots else ""
                raise UsageError(
                    f"the prompt alone{shown} is longer than the limit of {max_input_tokens} tokens",
                    "Raise generation.max_input_tokens.",
                )
            text, token_ids = best
            dropped = len(turns) - fewest or 1
        else:
            dropped = len(turns) - sum(turn.role != "" for turn in kept)
    return Prompt(
        text=text, token_ids=token_ids, sha256=hashlib.sha256(text.encode()).hexdigest(), turns_dropped=dropped
    )


def finish_text(spec: PromptSpec, generated: str) -> str:
    """What a model wrote after a prompt, as the text that is scored: the prefill before it, and cut as the prompt says.

    `generated` is the continuation as it follows the prompt, its first space included.
    """
    return cut_text(spec, spec.prefill + generated)


def cut_text(spec: PromptSpec, text: str) -> str:
    """A text that begins with the prefill, up to the prompt's `stop` or `max_words`.

    White space around it is dropped first, so that a text that was scored uncut can be cut later.
    """
    text = text.strip()
    return text[: _end(spec, text)].rstrip()


def is_cut(spec: PromptSpec, generated: str) -> bool:
    """Whether the prompt's `stop` or `max_words` ended the text, and not the model."""
    text = (spec.prefill + generated).strip()
    return _end(spec, text) < len(text)


def encode(text: str, spec: PromptSpec, tokenizer: Any) -> list[int]:
    """Token ids of a rendered prompt, with exactly one BOS where the model has one.

    A chat template writes the special tokens itself; a plain prompt gets the BOS that the tokenizer would add.
    """
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    if spec.style == "plain":
        bos = tokenizer.bos_token_id
        with_special = tokenizer("a", add_special_tokens=True)["input_ids"]
        if bos is not None and with_special[0] == bos:
            ids = [bos, *ids]
    return ids


def completion_ids(text: str, end_token: int, tokenizer: Any) -> list[int]:
    """Token ids of a reference as a training target: the text, encoded apart from the prompt, and one end token.

    Encoded apart, no merge can cross the boundary, so the prompt's ids in training are those at inference.
    """
    ids: list[int] = tokenizer(text.strip(), add_special_tokens=False)["input_ids"]
    return [*ids, end_token]


def end_token(spec: PromptSpec, tokenizer: Any) -> int:
    """The token that ends an answer: what the chat template writes after the assistant's words, else EOS."""
    if spec.style == "chat":
        answer = "summary"
        messages = [{"role": "user", "content": "text"}, {"role": "assistant", "content": answer}]
        text: str = tokenizer.apply_chat_template(messages, tokenize=False, date_string=DATE)
        after = tokenizer(text[text.rindex(answer) + len(answer) :], add_special_tokens=False)["input_ids"]
        special = set(tokenizer.all_special_ids)
        for token in after:
            if token in special:
                return int(token)
    if tokenizer.eos_token_id is None:
        raise UsageError("the model's tokenizer has no end-of-sequence token, so the model cannot learn to stop")
    return int(tokenizer.eos_token_id)


def _frame(spec: PromptSpec, conversation_text: str, tokenizer: Any) -> str:
    shown = [(spec.template.replace("{conversation}", shot.transcript), shot.summary) for shot in spec.shots]
    message = spec.template.replace("{conversation}", conversation_text)
    if spec.style == "plain":
        frames = [PLAIN_FRAME.replace("{message}", example) + summary for example, summary in shown]
        return "\n\n".join(filter(None, [spec.system, *frames, PLAIN_FRAME.replace("{message}", message)]))
    messages = [{"role": "system", "content": spec.system}] if spec.system else []
    for example, summary in shown:
        messages += [{"role": "user", "content": example}, {"role": "assistant", "content": summary}]
    messages.append({"role": "user", "content": message})
    text: str = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True, date_string=DATE)
    return text


def _end(spec: PromptSpec, text: str) -> int:
    # The prefill is the prompt's own: a stop string in it ends nothing.
    stops = [at for stop in spec.stop if (at := text.find(stop, len(spec.prefill))) >= 0]
    end = min(stops, default=len(text))
    if not spec.max_words:
        return end
    ends = [word.end() for word in re.finditer(r"\S+", text[:end])]
    return ends[spec.max_words - 1] if len(ends) > spec.max_words else end


def _ends(turns: tuple[Turn, ...], keep: int) -> tuple[Turn, ...]:
    head = (keep + 1) // 2
    tail = keep - head
    if keep >= len(turns):
        return turns
    return (*turns[:head], Turn(role="", text=GAP), *turns[len(turns) - tail :])


def _cut(turns: tuple[Turn, ...], words: int) -> tuple[Turn, ...]:
    def shorten(turn: Turn) -> Turn:
        split = turn.text.split()
        return turn if len(split) <= words else Turn(role=turn.role, text=" ".join([*split[:words], GAP]))

    return tuple(shorten(turn) for turn in turns)
