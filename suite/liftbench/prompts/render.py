"""Renders a conversation as the tokens that a model sees, the same in training and in generation, and turns what the
model writes into the text that is scored.

A tokenizer is any object with the interface of transformers' tokenizers; this module does not import transformers."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import UsageError
from ..records.conversation import Conversation, Turn
from ..records.system import PromptSpec
from ..text.phrases import pluralize
from ..text.transcript import transcript
from .chat_template import apply_template
from .ending import end_token as end_token
from .insulation import Insulation, insulation
from .spec import Prompt

PLAIN_FRAME = "{message}\n\nSummary:\n"
"""The frame around the message for a model without a chat template."""

GAP = "[…]"
"""Stands for the part that was left out of a conversation that does not fit."""

Rendered = tuple[str, list[int]]
"""The text of a prompt and its token ids."""


def render(spec: PromptSpec, conversation: Conversation, tokenizer: Any, max_input_tokens: int) -> Prompt:
    """The prompt for one conversation, shots and prefill included, at most `max_input_tokens` long.

    A conversation that does not fit loses whole turns from its middle, because the problem is at its beginning and the
    outcome at its end. If the first and the last turn alone do not fit, each is cut after as many words as fit. Raises
    `UsageError` if the instruction, the shots and the prefill alone do not fit.
    """
    turns = conversation.turns
    texts = [text for shot in spec.shots for text in (shot.transcript, shot.summary)]
    insulated = insulation(tokenizer, [spec.template, spec.system, *texts, transcript(turns)])
    # The prefill is encoded separately, as a training target is, so that the ids before it do not depend on it.
    prefill: list[int] = tokenizer(spec.prefill, add_special_tokens=False)["input_ids"] if spec.prefill else []

    def render_turns(kept: tuple[Turn, ...]) -> Rendered:
        marked = _frame(spec, transcript(kept), tokenizer, insulated)
        ids = [*_first_ids(spec, tokenizer), *insulated.encode(marked, tokenizer), *prefill]
        return insulated.restore(marked) + spec.prefill, ids

    def render_fitting(kept: tuple[Turn, ...]) -> Rendered | None:
        rendered = render_turns(kept)
        return rendered if len(rendered[1]) <= max_input_tokens else None

    whole = render_fitting(turns)
    fitting = (whole, 0) if whole else _shorten(turns, render_fitting)
    if fitting is None:
        shown = f" with its {pluralize(len(spec.shots), 'shot')}" if spec.shots else ""
        raise UsageError(
            f"the prompt alone{shown} is longer than the limit of {max_input_tokens} tokens",
            "Raise generation.max_input_tokens.",
        )
    (text, token_ids), dropped = fitting
    return Prompt(
        text=text, token_ids=token_ids, sha256=hashlib.sha256(text.encode()).hexdigest(), turns_dropped=dropped
    )


def finish_text(spec: PromptSpec, generated: str) -> str:
    """The text that is scored: the prefill and what the model wrote, cut at the prompt's `stop` or `max_words`.

    `generated` is the unchanged continuation of the prompt, including a space at its beginning.
    """
    return cut_text(spec, spec.prefill + generated)


def cut_text(spec: PromptSpec, text: str) -> str:
    """The text up to the prompt's `stop` or `max_words`; it must begin with the prefill.

    White space around the text is removed first, so that cutting a finished text later has the same result.
    """
    text = text.strip()
    return text[: _find_end(spec, text)].rstrip()


def is_cut(spec: PromptSpec, generated: str) -> bool:
    """Whether the prompt's `stop` or `max_words` cuts the text."""
    text = (spec.prefill + generated).strip()
    return _find_end(spec, text) < len(text)


def encode(text: str, spec: PromptSpec, tokenizer: Any) -> list[int]:
    """The token ids of a rendered prompt, with exactly one BOS if the model uses one.

    A chat template writes the special tokens itself. A plain prompt gets the BOS that the tokenizer would add.
    """
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return [*_first_ids(spec, tokenizer), *ids]


def completion_ids(text: str, end_token: int | Sequence[int], tokenizer: Any) -> list[int]:
    """The token ids of a reference as a training target: the text and its end (see `end_token`).

    The text is encoded separately from the prompt. So no merge crosses the boundary, and the prompt has the same ids in
    training and in generation. The name of a control token in the text is text.
    """
    insulated = insulation(tokenizer, [text])
    ids = insulated.encode(insulated.cut(text.strip()), tokenizer)
    return [*ids, *([end_token] if isinstance(end_token, int) else end_token)]


def _first_ids(spec: PromptSpec, tokenizer: Any) -> list[int]:
    bos = tokenizer.bos_token_id
    if spec.style != "plain" or bos is None:
        return []
    return [bos] if tokenizer("a", add_special_tokens=True)["input_ids"][0] == bos else []


def _frame(spec: PromptSpec, conversation_text: str, tokenizer: Any, insulated: Insulation) -> str:
    """The prompt's text, with marks in what people wrote (see `Insulation`)."""
    shown = [(_message(spec, insulated.cut(shot.transcript)), insulated.cut(shot.summary)) for shot in spec.shots]
    message = _message(spec, insulated.cut(conversation_text))
    if spec.style == "plain":
        frames = [PLAIN_FRAME.replace("{message}", example) + summary for example, summary in shown]
        return "\n\n".join(filter(None, [spec.system, *frames, PLAIN_FRAME.replace("{message}", message)]))
    messages = [{"role": "system", "content": spec.system}] if spec.system else []
    for example, summary in shown:
        messages += [{"role": "user", "content": example}, {"role": "assistant", "content": summary}]
    messages.append({"role": "user", "content": message})
    return apply_template(messages, spec, tokenizer, open_answer=True)


def _message(spec: PromptSpec, conversation_text: str) -> str:
    return spec.template.replace("{conversation}", conversation_text)


def _find_end(spec: PromptSpec, text: str) -> int:
    # A stop string inside the prefill does not end the text.
    stops = [at for stop in spec.stop if (at := text.find(stop, len(spec.prefill))) >= 0]
    end = min(stops, default=len(text))
    if not spec.max_words:
        return end
    ends = [word.end() for word in re.finditer(r"\S+", text[:end])]
    return ends[spec.max_words - 1] if len(ends) > spec.max_words else end


def _shorten(
    turns: tuple[Turn, ...], render_fitting: Callable[[tuple[Turn, ...]], Rendered | None]
) -> tuple[Rendered, int] | None:
    """The longest rendering that fits, and the number of turns left out of it; None if none fits.

    `render_fitting` returns None for turns that do not fit. More turns and longer ones have more tokens, so bisection
    finds the most that fit.
    """
    fewest = min(2, len(turns))
    if most := _largest(fewest, len(turns) - 1, lambda keep: render_fitting(_keep_ends(turns, keep))):
        keep, rendered = most
        return rendered, len(turns) - keep
    ends, longest = _keep_ends(turns, fewest), max(len(turn.text.split()) for turn in turns)
    if most := _largest(0, longest, lambda words: render_fitting(_cut_turns(ends, words))):
        return most[1], len(turns) - fewest or 1
    return None


def _largest(low: int, high: int, find: Callable[[int], Rendered | None]) -> tuple[int, Rendered] | None:
    """The largest number from `low` to `high` for which `find` returns a rendering, and that rendering."""
    best = None
    while low <= high:
        middle = (low + high) // 2
        if (found := find(middle)) is not None:
            best, low = (middle, found), middle + 1
        else:
            high = middle - 1
    return best


def _keep_ends(turns: tuple[Turn, ...], keep: int) -> tuple[Turn, ...]:
    head = (keep + 1) // 2
    tail = keep - head
    if keep >= len(turns):
        return turns
    return (*turns[:head], Turn(role="", text=GAP), *turns[len(turns) - tail :])


def _cut_turns(turns: tuple[Turn, ...], words: int) -> tuple[Turn, ...]:
    def shorten(turn: Turn) -> Turn:
        split = turn.text.split()
        return turn if len(split) <= words else Turn(role=turn.role, text=" ".join([*split[:words], GAP]))

    return tuple(shorten(turn) for turn in turns)
