"""The `openai` backend: a model that a server runs, asked through OpenAI's chat completions."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from liftbench.plugin_api import (
    Answer,
    Backend,
    BackendRequest,
    ChatServer,
    Generation,
    Prompt,
    RunFailed,
    UsageError,
    read_served,
)

KEY = "LIFTBENCH_API_KEY"
OPENAI_KEY = "OPENAI_API_KEY"
"""Taken where `KEY` is not set, and sent to OpenAI's own server only."""
OPENAI_HOST = "api.openai.com"

CONCURRENCY = "LIFTBENCH_CONCURRENCY"
USUAL_CONCURRENCY = 8

BYTES_PER_TOKEN = 4
"""What a token of English takes on average; the input budget is counted with it, because the tokenizer is not known."""


class MessagesTokenizer:
    """Stands for the server's tokenizer, which is not known: it counts four bytes a token.

    It renders messages as one text: a line of JSON with the role and the length of each, then what they say.
    """

    bos_token_id = None
    eos_token_id = 0

    def __call__(self, text: str, add_special_tokens: bool = True) -> dict[str, list[int]]:
        del add_special_tokens
        return {"input_ids": list(range(-(-len(text.encode()) // BYTES_PER_TOKEN)))}

    def get_chat_template(self) -> str:
        """No template: the server has its own."""
        return ""

    def apply_chat_template(self, messages: Sequence[dict[str, str]], **_: Any) -> str:
        """The messages as one text, see `read_messages`."""
        heads = [[message["role"], len(message["content"])] for message in messages]
        return "\n".join([json.dumps(heads), "".join(message["content"] for message in messages)])


def read_messages(text: str) -> list[dict[str, str]]:
    """The messages of a text that `MessagesTokenizer` rendered; nothing in a conversation can pass for a message."""
    head, _, rest = text.partition("\n")
    messages = []
    for role, length in json.loads(head):
        messages.append({"role": role, "content": rest[:length]})
        rest = rest[length:]
    return messages


class OpenAIBackend(Backend):
    """Several requests at a time; lost connections and rate limits are waited out."""

    cannot_reproduce = (
        "which weights, precision and decoding the server used",
        "its chat template and tokenizer (the input budget is counted at 4 bytes a token)",
        "the same text a second time",
    )
    independent = True
    device = "a server"
    context_length = 0

    def __init__(self, request: BackendRequest) -> None:
        if request.prompt.prefill:
            raise UsageError(
                "a served model cannot continue prompt.prefill: servers differ in what they make of it",
                "Leave the prefill out (--set prompt.prefill=).",
            )
        if request.prompt.template_arguments:
            raise UsageError(
                "prompt.template_arguments do not reach a served model", "Leave them out, and set them at the server."
            )
        served = read_served(request.model)
        official = served.url.partition("://")[2].partition("/")[0] == OPENAI_HOST
        variable = OPENAI_KEY if official and not os.environ.get(KEY) else KEY
        self.tokenizer = MessagesTokenizer()
        self._workers = concurrency()
        # What a round has made is kept when all of it is there, so a round is no larger than it must be.
        self.most_rows = self._workers
        self._server = ChatServer(
            served.name,
            served.url,
            os.environ.get(variable),
            key_variable=variable,
            model_option="NAME in openai:NAME@URL",
            url_option="URL in openai:NAME@URL",
        )
        self._tokens: Counter[str] = Counter()
        self._said: Counter[str] = Counter()
        self._implausible = self._filtered = 0

    @classmethod
    def open_tokenizer(cls, model: Path) -> Any:
        read_served(model)
        return MessagesTokenizer()

    def generate(self, prompts: Sequence[Prompt], max_new_tokens: int) -> list[Generation]:
        def ask(prompt: Prompt) -> Answer:
            return self._server.answer(read_messages(prompt.text), max_new_tokens)

        pool = ThreadPoolExecutor(self._workers)
        try:
            return [self._generation(answer, max_new_tokens) for answer in pool.map(ask, prompts)]
        finally:
            # After an error, what was not asked yet is not paid for.
            pool.shutdown(cancel_futures=True)

    def notes(self) -> list[str]:
        told = [f"answered by {name}" for name in sorted(self._said)]
        if len(self._said) > 1:
            told.append("the server's configuration changed while the run was measured")
        if self._tokens:
            told.append(
                f"the server counted {self._tokens['prompt']:,} tokens of prompts and {self._tokens['new']:,} new ones"
            )
        if self._implausible:
            told.append(f"{self._implausible} answers have no plausible number of tokens; their words were counted")
        if self._filtered:
            told.append(f"{self._filtered} answers were stopped by the server's content filter")
        return told

    def close(self) -> None:
        self._server.close()

    def _generation(self, answer: Answer, most: int) -> Generation:
        if answer.finish_reason not in ("stop", "length", "content_filter"):
            raise RunFailed(
                f"the model server {self._server.host} ended an answer with {answer.finish_reason or 'no reason'!r}",
                "It must answer with a text: switch off tools at the server.",
            )
        self._said[" ".join(filter(None, [answer.model, answer.fingerprint and f"({answer.fingerprint})"]))] += 1
        self._filtered += answer.finish_reason == "content_filter"
        self._tokens.update(prompt=answer.prompt_tokens or 0, new=answer.new_tokens or 0)
        words, new_tokens = len(answer.text.split()), answer.new_tokens
        # A text of more than one word cannot have been one token, nor one over the limit; some servers count nothing.
        if new_tokens is None or not min(words, 1) <= new_tokens <= most or len(answer.text.encode()) > 64 * new_tokens:
            self._implausible += 1
            new_tokens = min(words, most)
        return Generation(
            text=answer.text,
            new_tokens=new_tokens,
            finish_reason="length" if answer.finish_reason == "length" else "stop",
        )


def concurrency() -> int:
    """Requests at a time. Raises `UsageError` if the variable holds no such number."""
    given = os.environ.get(CONCURRENCY, str(USUAL_CONCURRENCY))
    if not given.isdecimal() or not 1 <= int(given) <= 256:
        raise UsageError(f"{CONCURRENCY} must be a whole number from 1 to 256, not {given!r}")
    return int(given)
