"""Whether the numbers of tokens that a server gives can be right.

The tokenizer of the served model says, where it is on this machine; else only what a text of some bytes can have.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from liftbench.plugin_api import Answer, ServedAnswer, UsageError

TOKENIZER = "LIFTBENCH_TOKENIZER"
"""A folder with `tokenizer.json`, or such a file."""

BYTES_PER_TOKEN = 4
"""What a token of English takes on average: counted with where the tokenizer is not known."""

FEWEST_BYTES, MOST_BYTES = 1, 64
"""The bytes of a token: a tokenizer falls back to bytes, and hardly any of its tokens is longer than that."""

ENDING = 2
"""Tokens of an answer that are not in its text: the end, and what was stripped from both ends."""

TEMPLATE = 1024
"""The most tokens that a chat template adds to a prompt, with a system message of its own."""

TOLERANCE, SPARE = 0.1, 2
"""How far a server may be from the tokenizer: it generated other tokens than those that its text has when it is read
again."""


class Counted(NamedTuple):
    """The tokens of one answer."""

    prompt: int
    new: int
    said: ServedAnswer


class TokenCheck:
    """Checks what a server says of its tokens; usable from one thread."""

    def __init__(self, name: str) -> None:
        """`name` is the server's name for the model. Raises `UsageError` for a tokenizer that cannot be read."""
        self._tokenizer = find_tokenizer(name)

    @property
    def how(self) -> str:
        """How the numbers of tokens were checked, as a note."""
        if self._tokenizer:
            return "the server's numbers of tokens were checked with a tokenizer on this machine"
        return "the server's numbers of tokens were checked against the lengths of the texts only"

    def check(self, answer: Answer, prompt: Sequence[str], most: int) -> Counted:
        """The tokens of an answer to the texts of a prompt's messages, at most `most` long."""
        low, high, prompt_here = self._bounds(prompt, TEMPLATE)
        read = answer.prompt_tokens
        reads = read is not None and low <= read <= high
        low, high, new_here = self._bounds([answer.text], ENDING)
        wrote = answer.new_tokens
        writes = wrote is not None and low <= wrote <= min(high, most)
        return Counted(
            prompt=read if reads and read is not None else prompt_here,
            new=wrote if writes and wrote is not None else min(new_here, most),
            said=ServedAnswer(by=answered_by(answer), prompt_tokens=read, new_tokens=wrote, believed=reads and writes),
        )

    def _bounds(self, texts: Sequence[str], beside: int) -> tuple[float, float, int]:
        """The fewest and the most tokens that texts can have, with `beside` more around them, and the likeliest."""
        if self._tokenizer:
            count = sum(len(self._tokenizer.encode(text, add_special_tokens=False).ids) for text in texts)
            # A replacement character stands for bytes of the model's own tokens, and has up to four when it is read.
            spare = SPARE + TOLERANCE * count + 4 * sum(text.count("\ufffd") for text in texts)
            return count - spare, count + spare + beside, count
        size = sum(len(text.encode()) for text in texts)
        return -(-size // MOST_BYTES), size // FEWEST_BYTES + beside, -(-size // BYTES_PER_TOKEN)


def answered_by(answer: Answer) -> str:
    """The model that answered, with the server's name for its configuration: `llama (fp_1)`."""
    return " ".join(filter(None, [answer.model, answer.fingerprint and f"({answer.fingerprint})"]))


def find_tokenizer(name: str) -> Any:
    """The tokenizer that `TOKENIZER` names; else that of a folder or of a cached hub model of the served model's name.

    None where there is none; nothing is downloaded. Raises `UsageError` where the named one cannot be read.
    """
    given = os.environ.get(TOKENIZER, "")
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        if given:
            raise UsageError(f"{TOKENIZER} needs the package tokenizers", "pip install tokenizers") from error
        return None
    for path in [Path(given)] if given else _places(name):
        file = path / "tokenizer.json" if path.is_dir() else path
        if given or file.is_file():
            try:
                return Tokenizer.from_file(str(file))
            except Exception as error:  # the package raises nothing narrower
                if given:
                    raise UsageError(f"{TOKENIZER}: cannot read a tokenizer from {file}: {error}") from error
    return None


def _places(name: str) -> list[Path]:
    places = [Path(name)] if Path(name).is_absolute() else []
    try:
        from huggingface_hub import try_to_load_from_cache

        found = try_to_load_from_cache(name, "tokenizer.json")
    except (ImportError, ValueError):
        return places  # not a name of the hub
    return [*places, Path(found)] if isinstance(found, str) else places
