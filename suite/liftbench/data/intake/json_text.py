"""Decodes JSON from exports, which is not always JSON, and tells what was odd about it, or why it cannot be read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from ...files import BAD_JSON

NOT_NUMBERS = "NaN or Infinity in JSON, read as a missing value"
TRAILING_COMMA = "lines of JSON that end with a comma, read without it"
HALF_CHARACTERS = "halves of characters (emoji that were cut) in JSON, replaced by \ufffd"
CONTROL_CHARACTERS = "line breaks or control characters inside of JSON texts, kept"
BROKEN = "bytes in JSON that are not UTF-8, replaced by \ufffd"
REPEATED_KEYS = "keys that occur twice in one JSON object, of which the last counts"
_KEY = re.compile(rb'(?<!\\)"\s*:')


class NotJson(Exception):
    """Why a text is not JSON. `reason` has no place, so that equal reasons can be counted together."""

    def __init__(self, reason: str, place: str = "") -> None:
        super().__init__(f"{reason} ({place})" if place else reason)
        self.reason = reason


def decode_json(text: bytes) -> tuple[Any, str | None]:
    """The value of a JSON text in UTF-8, and what was odd about it, else None. Raises `NotJson`."""
    odd = None
    try:
        value = msgspec.json.decode(text)
    except BAD_JSON:
        value, odd = _decode_loosely(text)
    if odd is None and len(_KEY.findall(text)) > _count_keys(value):
        odd = f"{REPEATED_KEYS}: {', '.join(_repeated_keys(text)) or '?'}"
    return value, odd


def _decode_loosely(text: bytes) -> tuple[Any, str | None]:
    odd: list[str] = []

    def missing(_name: str) -> None:
        odd.append(NOT_NUMBERS)

    decoder = json.JSONDecoder(parse_constant=missing, strict=False)
    words = text.decode("utf-8", "replace")
    if "\ufffd" in words:
        odd.append(BROKEN)
    try:
        value, end = decoder.raw_decode(words.lstrip())
    except json.JSONDecodeError as error:
        raise NotJson(_reason(error), f"line {error.lineno}, column {error.colno}") from error
    except RecursionError as error:
        raise NotJson("nested too deeply") from error
    rest = words.lstrip()[end:].strip()
    if rest == "," and isinstance(value, dict):
        odd.append(TRAILING_COMMA)
    elif rest:
        raise NotJson("a second JSON value after the first" if rest[0] in ',{["' else "text after the JSON value")
    if "\\ud" in words.lower():
        value, odd = _whole(value), [*odd, HALF_CHARACTERS]
    return value, (odd or [CONTROL_CHARACTERS])[0]


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {_whole(key): _whole(item) for key, item in value.items()}
    return list(map(_whole, value)) if isinstance(value, list) else value


def _reason(error: json.JSONDecodeError) -> str:
    before, after = error.doc[: error.pos].rstrip(), error.doc[error.pos : error.pos + 1]
    if before.endswith(",") and after in ("}", "]"):
        return "a trailing comma"
    if after == "'":
        return "single quotation marks, where JSON has double ones"
    if not error.doc[error.pos :].strip() or error.msg.startswith("Unterminated"):
        return "truncated, it ends in the middle of a value"
    return error.msg[:1].lower() + error.msg[1:]


def _count_keys(value: Any) -> int:
    if isinstance(value, dict):
        return len(value) + sum(map(_count_keys, value.values()))
    return sum(map(_count_keys, value)) if isinstance(value, list) else 0


def _repeated_keys(text: bytes) -> Iterator[str]:
    repeated: dict[str, None] = {}

    def collect(pairs: list[tuple[str, Any]]) -> None:
        names = [name for name, _ in pairs]
        repeated.update(dict.fromkeys(name for name in names if names.count(name) > 1))

    json.loads(text, object_pairs_hook=collect)
    return iter(repeated)
