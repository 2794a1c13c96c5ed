"""A language model behind any server that speaks OpenAI's chat completions."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from ..errors import LiftbenchError, PrerequisiteError, RunFailed, UsageError, first_line, require_packages
from .agreement import EXTRA
from .model_judge import Ask

RETRIES = 6
"""Retries after 429, 408, 409, 5xx and lost connections. Waits double from 0.5 s to 8 s, or the server sets them."""

TIMEOUT = 120.0
"""Seconds for one answer."""

MAX_TOKENS = 512
"""Limit of an answer: one word is asked for, but some models think aloud."""


def host_of(base_url: str) -> str:
    """Host and port of a server, without user, password and path. Raises `UsageError` if it is not a web address."""
    try:
        parts = urlsplit(base_url)
        host = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https"):
        raise UsageError(f"{base_url!r} is no web address", "Give one such as https://api.openai.com/v1.")
    return host


def connect(model: str, base_url: str, key_variable: str) -> Ask:
    """A function that asks the model, at temperature 0.

    The key is read from the environment; a server that needs none gets a placeholder. Raises `PrerequisiteError`
    without the package `openai`. The returned function raises `PrerequisiteError` where the server cannot be reached,
    refuses the key or does not know the model, and `RunFailed` for any other error that outlasts the retries.
    """
    host = host_of(base_url)
    require_packages(["openai"], "judging by a language model", EXTRA)
    import openai

    key = os.environ.get(key_variable)
    client = openai.OpenAI(base_url=base_url, api_key=key or "none", max_retries=RETRIES, timeout=TIMEOUT)

    def ask(prompt: str) -> str:
        try:
            answer = client.chat.completions.create(
                model=model,
                messages=[{"role": "user", "content": prompt}],
                temperature=0,
                max_tokens=MAX_TOKENS,
            )
        except openai.APIStatusError as error:
            raise _refusal(error.status_code, first_line(error), model, host, key_variable, key) from error
        except openai.APIConnectionError as error:
            raise PrerequisiteError(
                f"the model server {host} cannot be reached: {first_line(error.__cause__ or error)}",
                f"Check --base-url and that the server runs. {CONTINUE}",
            ) from error
        except openai.OpenAIError as error:
            raise RunFailed(
                f"the model server {host} sent an answer that cannot be read: {first_line(error)}", CONTINUE
            ) from error
        return (answer.choices[0].message.content or "") if answer.choices else ""

    return ask


CONTINUE = "The answers so far are kept; the same command continues."


def _refusal(status: int, words: str, model: str, host: str, variable: str, key: str | None) -> LiftbenchError:
    if status in (401, 403):
        what = f"refuses the key in {variable}" if key else f"needs a key, and {variable} is not set"
        return PrerequisiteError(
            f"the model server {host} {what} ({status})",
            f"Set {variable} to a key for it, or name another variable with --api-key-env.",
        )
    if status == 404:
        return PrerequisiteError(
            f"the model server {host} does not know the model {model!r}, or has another address ({words})",
            "Check --model and --base-url, which usually ends in /v1.",
        )
    return RunFailed(f"the model server {host} answered {status}: {words}", CONTINUE)
