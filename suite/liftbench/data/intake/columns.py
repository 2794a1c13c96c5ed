"""What each column of a table holds: the options of an import, on the command line and in recipes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Literal

from msgspec import Struct

from ...errors import UsageError, unknown

Role = Literal["customer", "agent"]


class Columns(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What each column of a table holds.

    | a row is | required columns |
    |---|---|
    | a message | `id`, `speaker`, `text` |
    | a conversation, as a transcript | `transcript` |
    | a conversation, as a list of messages | `messages` |
    """

    id: str | None = None
    """The id of the conversation. If a row is a conversation, a missing id becomes `row-<n>`."""
    speaker: str | None = None
    """Who says the message: a role, a name, a direction, or true and false in a column such as `inbound`."""
    text: str | None = None
    """The text of the message, if a row is a message."""
    time: str | None = None
    """The time or number of the message. Without it, messages are in the order of the rows."""
    transcript: str | None = None
    """The whole conversation, one turn per line: `Customer: …`."""
    messages: str | None = None
    """A list of objects such as `{"role": "user", "content": "…"}`, nested or in JSON."""
    message_speaker: str | None = None
    """The key of the speaker in an object of `messages`, with dots between nested keys: `author.type`. Without it and
    the next one, usual names are looked for."""
    message_text: str | None = None
    """The key of the text in an object of `messages`."""
    internal: tuple[str, ...] | None = None
    """Columns or keys that mark internal notes, as `NAME` or `NAME=VALUE`, beside usual ones such as `private`,
    `public`, `visibility` and `part_type`."""
    keep_internal: bool = False
    """Keep internal notes and events instead of leaving them out."""
    references: tuple[str, ...] = ()
    """Human summaries: one in each column, or several in a list."""
    keep: tuple[str, ...] | None = None
    """Columns that become metadata. None means: no column if a row is a message, else every column without another
    use. If a conversation has several rows, the first value counts."""
    cluster: str | None = None
    """What identifies the customer; it becomes `metadata["cluster"]`."""
    roles: dict[str, Role] = {}
    """Value in the speaker's column → its role, for values that do not name a role (as `user` and `Support` do)."""
    others: Role | Literal["names"] | None = None
    """The role of all other speakers; `names` keeps each by name, in lower case."""
    keep_quotes: bool = False
    """Whether the history that a mail quotes stays in its message."""

    @property
    def names(self) -> tuple[str, ...]:
        """All columns that are given."""
        single = (self.id, self.speaker, self.text, self.time, self.transcript, self.messages, self.cluster)
        marks = (entry.partition("=")[0].strip() for entry in self.internal or () if self.text)
        return (*filter(None, single), *marks, *self.references, *(self.keep or ()))


def missing_fields(columns: Columns) -> list[str]:
    """The required fields that are not given."""
    if columns.transcript or columns.messages:
        return []
    return [field for field in ("text", "speaker", "id") if getattr(columns, field) is None]


def check_form(columns: Columns) -> None:
    """Raise `UsageError` for fields that exclude each other, or are missing."""
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
    """Raise `UsageError`, with the nearest name, for an unknown column."""
    names = set(known)
    for name in columns.names:
        # A path such as `ticket.id` leads into the objects of a column.
        if name not in names and name.partition(".")[0] not in names:
            raise unknown("column", name, names)


@lru_cache(maxsize=4096)
def plain_name(name: str) -> str:
    """A column's name without case, spaces and punctuation."""
    return re.sub(r"[\W_]", "", str(name).casefold())
