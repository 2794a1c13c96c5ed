"""Which columns of a table hold what: the options of every import, on the command line and in recipes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from ...errors import UsageError, unknown

Role = Literal["customer", "agent"]


class Columns(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which columns of a table hold what.

    | a row is | it needs |
    |---|---|
    | a message | `id`, `speaker`, `text` |
    | a conversation in words | `transcript` |
    | a conversation in messages | `messages` |
    """

    id: str | None = None
    """The id of the conversation. Where a row is a conversation, one without an id is called `row-<n>`."""
    speaker: str | None = None
    """Who says the message: a role, a name, a direction, or true and false in a column such as `inbound`."""
    text: str | None = None
    """What the message says, where a row is a message."""
    time: str | None = None
    """When the message was said, or its number; without one, the order of the rows."""
    transcript: str | None = None
    """All that was said, a turn a line: `Customer: …`."""
    messages: str | None = None
    """A list of objects such as `{"role": "user", "content": "…"}`, nested or in JSON."""
    references: tuple[str, ...] = ()
    """Human summaries: one in each column, or several in a list."""
    keep: tuple[str, ...] | None = None
    """Columns that become metadata. None: none where a row is a message, else all that serve nothing else; of a
    conversation in several rows the first value counts."""
    cluster: str | None = None
    """What names the customer: `metadata["cluster"]`."""
    roles: dict[str, Role] = {}
    """What the speaker's column holds → who that is, where it is not told by itself (`user`, `Support`, …)."""
    others: Role | None = None
    """Who all other speakers are."""

    @property
    def names(self) -> tuple[str, ...]:
        """All columns that it names."""
        single = (self.id, self.speaker, self.text, self.time, self.transcript, self.messages, self.cluster)
        return (*filter(None, single), *self.references, *(self.keep or ()))


def missing_fields(columns: Columns) -> list[str]:
    """The fields without which rows cannot be read."""
    if columns.transcript or columns.messages:
        return []
    return [field for field in ("text", "speaker", "id") if getattr(columns, field) is None]


def check_form(columns: Columns) -> None:
    """Raise `UsageError` for fields that do not go together, or are missing."""
    ways = [field for field in ("text", "transcript", "messages") if getattr(columns, field)]
    if len(ways) > 1:
        raise UsageError(
            f"columns: {' and '.join(ways)} exclude each other: a row is either a message or a conversation",
            "Give one of text, transcript and messages.",
        )
    if absent := missing_fields(columns):
        raise UsageError(
            f"columns: {', '.join(absent)} not given", "Give id, speaker and text, or transcript, or messages."
        )


def check_names(columns: Columns, known: Iterable[str]) -> None:
    """Raise `UsageError`, naming the nearest, for a column that is not known."""
    names = set(known)
    for name in columns.names:
        if name not in names:
            raise unknown("column", name, names)


def plain_name(name: str) -> str:
    """A column's name without case, spaces and punctuation."""
    return re.sub(r"[\W_]", "", name.casefold())
