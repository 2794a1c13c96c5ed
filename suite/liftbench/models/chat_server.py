"""A language model behind any server that speaks OpenAI's chat completions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from ..errors import LiftbenchError, PrerequisiteError, RunFailed, UsageError, first_line, require_packages

RETRIES = 6
"""Retries after 429, 408, 409, 5xx and lost connections. Waits double from 0.5 s to 8 s, with jitter, or the server
sets them (`Retry-After`)."""

TIMEOUT = 120.0
"""Seconds for one answer."""

CONTINUE = "What was answered so far is kept; the same command continues."


class Answer(Struct, frozen=True, kw_only=True):
    """What a server answered, as it says."""

    text: str
    finish_reason: str
    prompt_tokens: int | None = None
    new_tokens: int | None = None
    fingerprint: str = ""
    """`system_fingerprint`: the server's name for its configuration."""
    model: str = ""
    """The model that the server says has answered."""


class ChatServer:
    """Asks one model at temperature 0; usable from several threads."""

    def __init__(
        self, model: str, url: str, key: str | None, *, key_variable: str, model_option: str, url_option: str
    ) -> None:
        """`key` is None where the server needs none. The names of the variable and options are for errors.

        Raises `UsageError` if `url` is no web address.
        """
        import openai

        self.host = host_of(url)
        self._model, self._key, self._key_variable = model, key, key_variable
        self._model_option, self._url_option = model_option, url_option
        self._client = openai.OpenAI(base_url=url, api_key=key or "none", max_retries=RETRIES, timeout=TIMEOUT)
        self._limit = "max_tokens"

    def answer(self, messages: Sequence[dict[str, str]], max_new_tokens: int) -> Answer:
        """The model's answer, at most `max_new_tokens` long.

        Raises `PrerequisiteError` where the server cannot be reached, refuses the key or does not know the model, and
        `RunFailed` for any other error that outlasts the retries.
        """
        import openai

        try:
            made = self._complete(list(messages), max_new_tokens)
        except openai.APIStatusError as error:
            raise self._refusal(error.status_code, first_line(error)) from error
        except openai.APIConnectionError as error:
            raise PrerequisiteError(
                f"the model server {self.host} cannot be reached: {first_line(error.__cause__ or error)}",
                f"Check {self._url_option} and that the server runs. {CONTINUE}",
            ) from error
        except (openai.OpenAIError, ValueError) as error:
            raise self._unreadable(first_line(error)) from error
        try:
            usage = made.usage
            [choice] = made.choices[:1] or [None]
            return Answer(
                text=(choice.message.content or "") if choice else "",
                finish_reason=(choice.finish_reason or "") if choice else "",
                prompt_tokens=usage.prompt_tokens if usage else None,
                new_tokens=usage.completion_tokens if usage else None,
                fingerprint=made.system_fingerprint or "",
                model=made.model or "",
            )
        except (AttributeError, TypeError) as error:
            raise self._unreadable("it has no choices with a message") from error

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def _complete(self, messages: list[Any], most: int) -> Any:
        import openai

        try:
            return self._client.chat.completions.create(
                model=self._model, messages=messages, temperature=0, **{self._limit: most}
            )
        except openai.BadRequestError as error:
            # OpenAI's newer models know the limit by another name only.
            if self._limit == "max_completion_tokens" or "max_completion_tokens" not in str(error):
                raise
            self._limit = "max_completion_tokens"
            return self._complete(messages, most)

    def _unreadable(self, why: str) -> RunFailed:
        return RunFailed(f"the model server {self.host} sent an answer that cannot be read: {why}", CONTINUE)

    def _refusal(self, status: int, words: str) -> LiftbenchError:
        if self._key:
            words = words.replace(self._key, "…")
        if status in (401, 403):
            variable = self._key_variable
            what = f"refuses the key in {variable}" if self._key else f"needs a key, and {variable} is not set"
            return PrerequisiteError(
                f"the model server {self.host} {what} ({status})", f"Set {variable} to a key for it."
            )
        if status == 404:
            return PrerequisiteError(
                f"the model server {self.host} does not know the model {self._model!r}, or has another address "
                f"({words})",
                f"Check {self._model_option} and {self._url_option}, which usually ends in /v1.",
            )
        return RunFailed(f"the model server {self.host} answered {status}: {words}", CONTINUE)


def require_client(purpose: str, extra: str) -> None:
    """Raise `PrerequisiteError` without the package `openai`."""
    require_packages(["openai"], purpose, extra)


def host_of(url: str) -> str:
    """Host and port of a server, without user, password and path. Raises `UsageError` if it is not a web address."""
    try:
        parts = urlsplit(url)
        host = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https"):
        raise UsageError(f"{url!r} is no web address", "Give one such as https://api.openai.com/v1.")
    return host
