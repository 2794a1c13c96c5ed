"""A language model behind any server that speaks OpenAI's chat completions."""

from __future__ import annotations

import math
import os
import random
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from msgspec import Struct

from ..errors import LiftbenchError, PrerequisiteError, RunFailed, UsageError, first_line, require_packages
from ..text.phrases import rough_duration

RETRIES = 6
"""Retries after 408, 409, 429, 5xx, timeouts and lost connections."""

FIRST_WAIT, LONGEST_WAIT = 0.5, 8.0
"""Seconds before the first retry; the wait doubles with each. What a server asks for (`Retry-After`) wins."""

MOST_ASKED = 900.0
"""The longest `Retry-After` that is waited for, in seconds."""

JITTER = 0.25
"""The share of a wait that chance adds, so that waiting requests do not come back all at once."""

TIMEOUT_VARIABLE = "LIFTBENCH_TIMEOUT"
TIMEOUT = 300.0
"""Seconds for one answer, unless the variable sets others."""

LISTING_TIMEOUT = 10.0
"""Seconds for the list of a server's models, which only helps with an error."""

SHOWN = 5
"""Names of models in an error."""

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
        # Its own retries wait for no `Retry-After` above a minute, and each of several requests finds out by itself.
        self._client = openai.OpenAI(base_url=url, api_key=key or "none", max_retries=0, timeout=timeout())
        self._limit = "max_tokens"
        self._not_before = 0.0
        self._given_up = threading.Event()

    def answer(self, messages: Sequence[dict[str, str]], max_new_tokens: int) -> Answer:
        """The model's answer, at most `max_new_tokens` long.

        Raises `PrerequisiteError` where the server cannot be reached, refuses the key or does not know the model, and
        `RunFailed` for any other error that outlasts the retries.
        """
        import openai

        try:
            made = self._retry(list(messages), max_new_tokens)
        except openai.APIStatusError as error:
            raise self._refusal(error.status_code, first_line(error)) from error
        except openai.APITimeoutError as error:
            raise PrerequisiteError(
                f"the model server {self.host} did not answer within {timeout():g} s, {1 + RETRIES} times",
                f"Allow more time ({TIMEOUT_VARIABLE}), or ask for less at once. {CONTINUE}",
            ) from error
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
                fingerprint=one_line(made.system_fingerprint or ""),
                model=one_line(made.model or ""),
            )
        except (AttributeError, TypeError) as error:
            raise self._unreadable("it has no choices with a message") from error

    def give_up(self) -> None:
        """Let requests that wait to be tried again fail at once, and try none again."""
        self._given_up.set()

    def close(self) -> None:
        """Close its connections."""
        self.give_up()
        self._client.close()

    def _retry(self, messages: list[Any], most: int) -> Any:
        """An answer, tried again after errors that may pass; a wait that the server asks for holds for all requests."""
        import openai

        for attempt in range(1 + RETRIES):
            self._given_up.wait(max(0.0, self._not_before - time.monotonic()))
            try:
                return self._complete(messages, most)
            except (openai.APIConnectionError, openai.APIStatusError) as error:
                passes = may_pass(getattr(error, "status_code", 0), getattr(error, "code", None))
                response = getattr(error, "response", None)
                asked = asked_wait(response.headers) if response is not None else None
                if passes and asked is not None and asked > MOST_ASKED:
                    raise RunFailed(
                        f"the model server {self.host} asks to wait for {rough_duration(asked)} (Retry-After)",
                        f"Try again then. {CONTINUE}",
                    ) from error
                if not passes or attempt == RETRIES or self._given_up.wait(self._wait(attempt, asked)):
                    raise
        raise AssertionError("the last attempt returns or raises")

    def _wait(self, attempt: int, asked: float | None) -> float:
        """Seconds until a request is tried again."""
        if asked is not None:
            self._not_before = max(self._not_before, time.monotonic() + asked)
        return (min(LONGEST_WAIT, FIRST_WAIT * 2**attempt) if asked is None else asked) * (1 + JITTER * random.random())

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

    def _served(self) -> str:
        """Which models the server says it serves, as a sentence; empty where it does not say."""
        try:
            listed = self._client.models.list(timeout=LISTING_TIMEOUT).data
            names = sorted(one_line(model.id) for model in listed)
        except Exception:  # it only helps with an error that is there already
            return ""
        more = ", …" if len(names) > SHOWN else ""
        return f" It serves {', '.join(names[:SHOWN])}{more}." if names else ""

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
                f"Check {self._model_option} and {self._url_option}, which usually ends in /v1.{self._served()}",
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


def one_line(name: str) -> str:
    """A server's name for something, without line breaks and control characters, and not longer than a line."""
    return "".join(character for character in name if character.isprintable())[:200]


def may_pass(status: int, code: object) -> bool:
    """Whether a request that failed may succeed later; 0: there was no status. Credit that is used up does not pass."""
    return (status in (0, 408, 409, 429) or status >= 500) and code != "insufficient_quota"


def asked_wait(headers: Mapping[str, str]) -> float | None:
    """The seconds that a server asks to wait (`Retry-After-Ms`, or `Retry-After` as seconds or a date), if it does."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        said = headers.get(name)
        if said is None:
            continue
        try:
            seconds = float(said) / unit
        except ValueError:
            try:
                seconds = (parsedate_to_datetime(said) - datetime.now(UTC)).total_seconds()
            except (ValueError, TypeError):
                continue
        if math.isfinite(seconds):
            return max(0.0, seconds)
    return None


def timeout() -> float:
    """Seconds for one answer. Raises `UsageError` if the variable holds no such number."""
    given = os.environ.get(TIMEOUT_VARIABLE, "")
    try:
        seconds = float(given or TIMEOUT)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= 86_400:
        raise UsageError(f"{TIMEOUT_VARIABLE} must be a number of seconds above 0, not {given!r}")
    return seconds
