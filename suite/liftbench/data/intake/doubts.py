"""Tells of columns and keys that may mark internal notes by a name, a word or a code that is not known for certain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache
from shlex import quote
from typing import Any

from .columns import plain_name
from .mark_names import mark_name, set_of, words_of
from .names import MESSAGE_TEXTS
from .speakers import NO, YES
from .tally import Tally
from .values import words

CATEGORIES = 12
"""The most values of a column that tells one kind of message from another."""
CONVERSATIONS = 5_000
CHARACTERS = 24

_WORDS = set_of(
    "internal intern interne interno interna private privat note notes notiz nota draft whisper unpublished"
)
_OF_CUSTOMERS = set_of("public external customer client öffentlich extern")
_FLAGS = set_of("public visible visibility internal private privacy hidden confidential note")
_CUSTOMERS = set_of("customer client requester user")
_REACHING = set_of("to for facing sent shared shown from")
_COUNTS = set_of("count number total id")
_NO_MARKS = frozenset((*MESSAGE_TEXTS, "subject", "title"))


class _Seen:
    def __init__(self) -> None:
        self.values: Counter[str] = Counter()
        self.first: dict[str, str] = {}
        self.differs = False


class Doubts:
    """Looks at the messages that are kept.

    A column that never differs within a conversation marks no messages. Names of `marks` are known, so not in doubt.
    """

    def __init__(self, used: Iterable[str], marks: frozenset[str]) -> None:
        self._used = frozenset(used)
        self._marks = marks
        self._seen: dict[str, _Seen | None] = {}

    def add(self, fields: Mapping[str, Any], conversation: str) -> None:
        """Look at a message, or at a row that is one."""
        for key, value in fields.items():
            seen = self._seen.setdefault(key, None if self._is_used(key) else _Seen())
            if seen is None:
                continue
            text = words(value)
            seen.values[text] += 1
            if len(text) > CHARACTERS or len(seen.values) > CATEGORIES or isinstance(value, Mapping | list | tuple):
                self._seen[key] = None
            elif not seen.differs and (conversation in seen.first or len(seen.first) < CONVERSATIONS):
                seen.differs = seen.first.setdefault(conversation, text) != text

    def check(self, tally: Tally) -> None:
        """Tell of the columns in doubt."""
        for key, seen in self._seen.items():
            if seen is None or not seen.differs:
                continue
            for value in filter(_may_be_note, seen.values):
                tally.remark(
                    f"{_messages(seen.values[value])} kept with {key} = {value}; if internal notes are marked so, "
                    f"leave them out with --internal {quote(f'{key}={value}')}"
                )
            if _is_flag(key, seen.values) or _is_code(key, seen.values):
                shown = ", ".join(f"{value or 'empty'}: {count}" for value, count in seen.values.most_common())
                tally.remark(
                    f"{key} ({shown}) was not used; if a value marks internal notes, "
                    f"leave them out with --internal {quote(f'{key}=VALUE')}"
                )

    def _is_used(self, key: str) -> bool:
        return key in self._used or plain_name(key) in _NO_MARKS or mark_name(key) in self._marks


@lru_cache(maxsize=4096)
def _may_be_note(value: str) -> bool:
    said = words_of(value)
    return bool(said & _WORDS) and len(said) <= 3 and not said & _OF_CUSTOMERS


def _is_flag(key: str, values: Mapping[str, int]) -> bool:
    said = words_of(key)
    is_named = not said & _COUNTS and (said & _FLAGS or (said & _CUSTOMERS and said & _REACHING))
    return bool(is_named) and all(value.casefold() in (*YES, *NO, "") for value in values)


def _is_code(key: str, values: Mapping[str, int]) -> bool:
    return plain_name(key).endswith(("type", "kind")) and all(len(value) < 3 for value in values)


def _messages(count: int) -> str:
    return "1 message was" if count == 1 else f"{count} messages were"
