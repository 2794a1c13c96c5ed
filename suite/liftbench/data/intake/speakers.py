"""Who is the customer and who is the agent, by the values of the speaker's column."""

from __future__ import annotations

from collections import Counter
from shlex import quote

from ...errors import UsageError, unknown
from .. import cleaning
from .columns import Columns, Role, plain_name
from .tally import Tally

UNSPOKEN = ("system", "developer", "tool", "function")
"""Roles of chat messages that do not belong to the conversation."""

YES, NO = ("true", "1", "1.0", "yes", "y", "t"), ("false", "0", "0.0", "no", "n", "f")
FLAGS: dict[str, tuple[Role, Role]] = {
    **dict.fromkeys(("inbound", "isinbound", "incoming", "isincoming"), ("customer", "agent")),
    **dict.fromkeys(("iscustomer", "fromcustomer", "isuser", "isclient"), ("customer", "agent")),
    **dict.fromkeys(("outbound", "isoutbound", "outgoing", "isagent", "fromagent", "isstaff"), ("agent", "customer")),
}
"""Column that is true or false → the role for true, the role for false."""
DIRECTIONS: dict[str, Role] = {"inbound": "customer", "incoming": "customer", "outbound": "agent", "outgoing": "agent"}


class UnclearSpeakers(UsageError):
    """Some speakers may be customers or agents. `fix` names the options of `bench data import`."""


class Speakers:
    """Maps speakers to roles, and counts those without a role of their own."""

    REMEMBERED = 10_000

    def __init__(self, columns: Columns) -> None:
        self._others = columns.others
        self._roles: dict[str, Role] = {}
        flags = FLAGS.get(plain_name(columns.speaker or ""))
        if flags:
            self._roles = {**dict.fromkeys(YES, flags[0]), **dict.fromkeys(NO, flags[1])}
        self._roles |= DIRECTIONS | {_fold(value): role for value, role in columns.roles.items()}
        self._given = {_fold(value): value for value in columns.roles}
        self._met: set[str] = set()
        self._unknown: Counter[str] = Counter()

    def known(self, speaker: str) -> str | None:
        """The role that is given for a speaker or that the name itself is (as are those of `UNSPOKEN`), else None."""
        role = self._roles.get(_fold(speaker)) or cleaning.role(speaker)
        return role if role in ("customer", "agent", *UNSPOKEN) else None

    def role(self, speaker: str) -> str | None:
        """The role of a speaker: a known one, else that of `others`, which may be None."""
        role = self.known(speaker)
        if role is not None:
            if self._given:
                self._met.add(_fold(speaker))
            return role
        if speaker in self._unknown or len(self._unknown) < self.REMEMBERED:
            self._unknown[speaker] += 1
        return speaker if self._others == "names" else self._others

    def check(self, tally: Tally) -> None:
        """Note in the tally which speakers got the role of `others`.

        Raises `UsageError` for a speaker who was given a role but does not occur (a typing mistake), and
        `UnclearSpeakers`, with the most frequent ones, if speakers have no role.
        """
        strangers = [value for key, value in self._given.items() if key not in self._met]
        if strangers and self._unknown:
            raise unknown("speaker", strangers[0], [name for name, _ in self._unknown.most_common(20)])
        if not self._unknown:
            return
        common = self._unknown.most_common(8)
        shown = ", ".join(f"{name!r} ({count})" for name, count in common)
        more = f" and {len(self._unknown) - len(common)} more" if len(self._unknown) > len(common) else ""
        if self._others == "names":
            tally.remark(f"speakers kept by name (others = names): {shown}{more}")
            return
        if self._others:
            tally.remark(f"read as the {self._others} (--others): {shown}{more}")
            return
        raise UnclearSpeakers(
            f"cannot tell whether these speakers are customers or agents: {shown}{more}",
            f"Name some with --role {quote(f'{common[0][0]}=agent')}, and all others with --others customer.",
        )


def _fold(speaker: str) -> str:
    return " ".join(speaker.casefold().split())
