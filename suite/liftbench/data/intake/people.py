"""Who says a message: by the value of a key or column, which may be an object, or by comparing ids."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from .columns import Columns, plain_name
from .names import CUSTOMERS, SPEAKER_IDS, SPEAKER_KINDS, SPEAKER_NAMES
from .speakers import FLAGS, Speakers
from .values import words

Fields = Mapping[str, Any]
Found = Iterable[tuple[str, Any]]
"""Keys and their values, the preferred ones first."""

IDENTITIES = frozenset((*(name for name in CUSTOMERS if name != "accountid"), "contact"))
"""Columns that identify the customer as messages identify their authors. An account may be a company."""
SIDES = (*SPEAKER_KINDS, *FLAGS, "name")
_ADDRESS = re.compile(r"[^\s<>,;\"']+@[^\s<>,;\"']+")
IDENTIFYING = ("id", "email")


class People:
    """Finds the speakers of messages."""

    def __init__(self, speakers: Speakers) -> None:
        self._speakers = speakers

    def name(self, found: Found, customers: frozenset[str]) -> str:
        """The first word for a role; else the role by ids, if the conversation's customer has one; else a name."""
        found = list(found)
        if role := self.side(found):
            return role
        ids = _identities(found)
        # An e-mail address cannot be compared with a number.
        comparable = {"@" in id_ for id_ in ids} & {"@" in id_ for id_ in customers}
        by_id = self._speakers.by_identity(ids, customers) if comparable else None
        return by_id or _name(found)

    def side(self, found: Found) -> str:
        """The first word for a role; empty if there is none."""
        for key, value in found:
            for inner_key, word in _sides(key, value):
                role = self._speakers.known_value(inner_key, word)
                if role is not None:
                    return role if plain_name(inner_key) in FLAGS else word
        return ""


def customer_ids(row: Fields, columns: Columns) -> frozenset[str]:
    """What identifies the customer of a row's conversation."""
    found: set[str] = set()
    for key, value in row.items():
        if plain_name(key) in IDENTITIES or key == columns.cluster:
            values = [inner for _, inner in pick(value, IDENTIFYING)] if isinstance(value, Mapping) else [value]
            found |= {_identity(inner) for inner in values}
    return frozenset(found - {""})


def pick(fields: Fields, names: tuple[str, ...]) -> list[tuple[str, Any]]:
    """The keys that have one of the names, with their values other than None, in the order of the names."""
    keys = _keys_named(tuple(fields), names)
    return [(key, fields[key]) for key in keys if fields[key] is not None]


@lru_cache(maxsize=4096)
def _keys_named(keys: tuple[str, ...], names: tuple[str, ...]) -> tuple[str, ...]:
    plain = {plain_name(key): key for key in keys}
    return tuple(plain[name] for name in names if name in plain)


def _sides(key: str, value: Any) -> Iterator[tuple[str, str]]:
    """Words that may name a role, each with its key."""
    found = pick(value, SIDES) if isinstance(value, Mapping) else [(key, value)]
    yield from ((inner_key, word) for inner_key, inner in found if (word := words(inner)))


def _name(found: Found) -> str:
    for _, value in found:
        names = pick(value, (*SPEAKER_NAMES, *SPEAKER_KINDS)) if isinstance(value, Mapping) else [("", value)]
        if name := next(filter(None, (words(name) for _, name in names)), ""):
            return name
    return ""


def _identity(value: Any) -> str:
    """An id, or the address in `Jo Doe <jo@mail.example>`, in lower case."""
    text = words(value).casefold()
    address = _ADDRESS.search(text)
    return address[0] if address else text


def _identities(found: Found) -> set[str]:
    ids: set[str] = set()
    for key, value in found:
        if isinstance(value, Mapping):
            ids |= {_identity(inner) for _, inner in pick(value, IDENTIFYING)}
        elif plain_name(key) in SPEAKER_IDS or "@" in words(value):
            ids.add(_identity(value))
    return ids - {""}
