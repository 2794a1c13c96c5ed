"""The `openai` backend: a model that a server runs, asked through OpenAI's chat completions."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from liftbench.plugin_api import (
    Answer,
    Backend,
    BackendRequest,
    ChatServer,
    Generation,
    LiftbenchError,
    Prompt,
    RunFailed,
    ServedModel,
    UsageError,
    read_served,
    require_packages,
)

from .served_tokens import BYTES_PER_TOKEN, TokenCheck

KEY = "LIFTBENCH_API_KEY"
OPENAI_KEY = "OPENAI_API_KEY"
"""Taken where `KEY` is not set, and sent to OpenAI's own server only."""
OPENAI_HOST = "api.openai.com"

CONCURRENCY = "LIFTBENCH_CONCURRENCY"
USUAL_CONCURRENCY = 8

REASONS = ("stop", "length", "content_filter")
"""Why an answer with a text may end."""


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
    streams = True
    device = "a server"
    context_length = 0

    def __init__(self, request: BackendRequest) -> None:
        require_packages(["openai"], "a served model", "liftbench[served]")
        _refuse(request)
        self._workers = concurrency()
        served = read_served(request.model)
        self.tokenizer = MessagesTokenizer()
        self.most_rows = self._workers
        self._tokens = TokenCheck(served.name)
        self._server = connect(served)
        self._said: set[str] = set()
        self._filtered = 0

    @classmethod
    def open_tokenizer(cls, model: Path) -> Any:
        read_served(model)
        return MessagesTokenizer()

    @classmethod
    def check(cls, request: BackendRequest) -> None:
        # Nothing is asked of the server before the first prompt.
        cls(request).close()

    def generate(self, prompts: Sequence[Prompt], max_new_tokens: int) -> list[Generation]:
        made = dict(self.stream(prompts, max_new_tokens))
        return [made[number] for number in range(len(prompts))]

    def stream(self, prompts: Iterable[Prompt], max_new_tokens: int) -> Iterator[tuple[int, Generation]]:
        """Answers as they come. After an error or Ctrl-C nothing more is asked, and what is in flight is kept."""
        numbered = enumerate(prompts)
        asked: dict[Future[Answer], tuple[int, list[dict[str, str]]]] = {}
        failed: LiftbenchError | None = None
        with defer_interrupt(self._server) as interrupted, ThreadPoolExecutor(self._workers) as pool:
            while True:
                free = 0 if failed or interrupted.is_set() else self._workers - len(asked)
                for number, prompt in islice(numbered, free):
                    messages = read_messages(prompt.text)
                    asked[pool.submit(self._server.answer, messages, max_new_tokens)] = number, messages
                if not asked:
                    break
                for future in wait(asked, return_when=FIRST_COMPLETED).done:
                    number, messages = asked.pop(future)
                    try:
                        made = self._generation(future.result(), messages, max_new_tokens)
                    except LiftbenchError as error:
                        failed = failed or error
                        self._server.give_up()
                    else:
                        yield number, made
        if interrupted.is_set():
            raise KeyboardInterrupt
        if failed:
            raise failed

    def notes(self) -> list[str]:
        told = [f"answered by {name or 'a model without a name'}" for name in sorted(self._said)]
        if self._said:
            told.append(self._tokens.how)
        if self._filtered:
            told.append(f"{self._filtered} answers were stopped by the server's content filter")
        return told

    def close(self) -> None:
        self._server.close()

    def _generation(self, answer: Answer, messages: list[dict[str, str]], most: int) -> Generation:
        if answer.finish_reason not in REASONS:
            raise RunFailed(
                f"the model server {self._server.host} ended an answer with {answer.finish_reason or 'no reason'!r}",
                "It must answer with a text: switch off tools at the server.",
            )
        self._filtered += answer.finish_reason == "content_filter"
        counted = self._tokens.check(answer, [one["content"] for one in messages], most)
        self._said.add(counted.said.by)
        return Generation(
            text=answer.text,
            prompt_tokens=counted.prompt,
            new_tokens=counted.new,
            finish_reason="length" if answer.finish_reason == "length" else "stop",
            served=counted.said,
        )


def _refuse(request: BackendRequest) -> None:
    """Raise `UsageError` for what does not reach a served model."""
    if request.prompt.prefill:
        raise UsageError(
            "a served model cannot continue prompt.prefill: servers differ in what they make of it",
            "Leave the prefill out (--set prompt.prefill=).",
        )
    if request.prompt.template_arguments:
        raise UsageError(
            "prompt.template_arguments do not reach a served model", "Leave them out, and set them at the server."
        )


@contextmanager
def defer_interrupt(server: ChatServer) -> Iterator[threading.Event]:
    """An event that the first Ctrl-C sets instead of raising; the second one raises, and closes the connections."""
    interrupted = threading.Event()
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield interrupted
        return

    def note(*_: object) -> None:
        if interrupted.is_set():
            server.close()
            raise KeyboardInterrupt
        interrupted.set()
        server.give_up()

    signal.signal(signal.SIGINT, note)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)


def connect(served: ServedModel) -> ChatServer:
    """The server of a model, which is not asked anything yet. OpenAI's key is sent to OpenAI only."""
    official = served.url.partition("://")[2].partition("/")[0] == OPENAI_HOST
    variable = OPENAI_KEY if official and not os.environ.get(KEY) else KEY
    return ChatServer(
        served.name,
        served.url,
        os.environ.get(variable),
        key_variable=variable,
        model_option="NAME in openai:NAME@URL",
        url_option="URL in openai:NAME@URL",
    )


def concurrency() -> int:
    """Requests at a time. Raises `UsageError` if the variable holds no such number."""
    given = os.environ.get(CONCURRENCY, str(USUAL_CONCURRENCY))
    if not given.isdecimal() or not 1 <= int(given) <= 256:
        raise UsageError(f"{CONCURRENCY} must be a whole number from 1 to 256, not {given!r}")
    return int(given)
