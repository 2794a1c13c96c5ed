"""Asks a served language model for its judgment."""

from __future__ import annotations

import os

from ..models.chat_server import ChatServer, host_of, require_client
from .agreement import EXTRA
from .model_judge import Ask

MAX_TOKENS = 512
"""Limit of an answer: one word is asked for, but some models think aloud."""


def connect(model: str, base_url: str, key_variable: str) -> Ask:
    """A function that asks the model, at temperature 0; it raises what `ChatServer.answer` raises.

    The key is read from the environment. Raises `PrerequisiteError` without the package `openai`, and `UsageError` if
    the address is none.
    """
    host_of(base_url)
    require_client("judging by a language model", EXTRA)
    server = ChatServer(
        model,
        base_url,
        os.environ.get(key_variable),
        key_variable=key_variable,
        model_option="--model",
        url_option="--base-url",
    )
    return lambda prompt: server.answer([{"role": "user", "content": prompt}], MAX_TOKENS).text
