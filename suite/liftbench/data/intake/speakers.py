"""Who is the customer and who is the agent, by the values of the speaker's column."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from shlex import quote

from ...errors import UsageError, unknown
from ...text.phrases import pluralize
from .. import cleaning
from .columns import Columns, Role, plain_name
from .tally import Tally

UNSPOKEN = ("system", "developer", "tool", "function")
"""Roles of chat messages that do not belong to the conversation."""
UNSPOKEN_KINDS = (
    *("functioncall", "functionresponse", "functionresult", "toolcall", "toolresponse", "toolresult", "tooluse"),
    *("observation", "action", "ipython", "reasoning", "thinking", "event", "activity"),
)
"""Other such roles, without separators. In a transcript, such a word before a colon may be text."""

UNSPOKEN_HEADS = (
    *("internalnote", "privatenote", "internalcomment", "privatecomment", "agentnote", "staffnote", "worknote"),
    *("worknotes", "internalnotes", "privatenotes", "internenotiz"),
)
"""Heads of what agents write to each other, also in a transcript (`Internal note: …`)."""

INTERNAL_NOTE = "internal note"

ACCOUNTS: dict[str, Role] = {
    **dict.fromkeys(("contact", "lead", "customeruser", "customercontact", "subscriber"), "customer"),
    **dict.fromkeys(("admin", "administrator", "teammate", "employee", "agentbot", "ai", "model"), "agent"),
    **dict.fromkeys(("customersupport", "supportstaff", "supportrep"), "agent"),
}
"""Kinds of accounts → role. In a transcript, such a word before a colon may be a heading (`Contact: 555-0199`)."""

YES = ("true", "1", "1.0", "yes", "y", "t", "x", "on", "ja", "oui", "sí", "si", "sim")
NO = ("false", "0", "0.0", "no", "n", "f", "off", "nein", "non", "não", "nee")
FLAGS: dict[str, tuple[Role, Role]] = {
    **dict.fromkeys(("inbound", "isinbound", "incoming", "isincoming"), ("customer", "agent")),
    **dict.fromkeys(("iscustomer", "fromcustomer", "isuser", "isclient"), ("customer", "agent")),
    **dict.fromkeys(("outbound", "isoutbound", "outgoing", "isagent", "fromagent", "isstaff"), ("agent", "customer")),
}
"""Column that is true or false → the role for true, the role for false."""
DIRECTIONS: dict[str, Role] = {"inbound": "customer", "incoming": "customer", "outbound": "agent", "outgoing": "agent"}


_ADDRESS = re.compile(r"[^<>]*<\s*([^<>\s]+@[^<>\s]+)\s*>")


class UnclearSpeakers(UsageError):
    """Some speakers may be customers or agents. `fix` names the options of `bench data import`."""


class Speakers:
    """Maps speakers to roles, and counts those without a role of their own."""

    REMEMBERED = 10_000

    def __init__(self, columns: Columns) -> None:
        self._others = columns.others
        self._roles: dict[str, Role] = {}
        flags = FLAGS.get(plain_name((columns.speaker or "").rpartition(".")[2]))
        if flags:
            self._roles = {**dict.fromkeys(YES, flags[0]), **dict.fromkeys(NO, flags[1])}
        self._roles |= DIRECTIONS | {_fold(value): value_role for value, value_role in columns.roles.items()}
        self._given = {_fold(value): value for value in columns.roles}
        self._kinds: dict[str, str | None] = {}
        self._met: set[str] = set()
        self._unknown: Counter[str] = Counter()
        self._words: dict[str, set[str]] = {"customer": set(), "agent": set()}
        self._compared: Counter[Role] = Counter()

    def known(self, speaker: str) -> str | None:
        """The role that is given for a speaker or that the name itself is (as are those of `UNSPOKEN`), else None."""
        role = self._roles.get(_fold(speaker)) or self._by_address(speaker) or cleaning.role(speaker)
        is_known = role in ("customer", "agent", *UNSPOKEN) or plain_name(role) in UNSPOKEN_HEADS
        return role if is_known else None

    def _by_address(self, speaker: str) -> Role | None:
        """The role that is given for the address in `Jo Doe <jo@mail.example>`."""
        address = _ADDRESS.fullmatch(speaker.strip()) if self._given and speaker.endswith(">") else None
        if address is None or _fold(address[1]) not in self._given:
            return None
        self._met.add(_fold(address[1]))
        return self._roles[_fold(address[1])]

    def known_kind(self, kind: str) -> str | None:
        """The same, also for kinds of accounts and of machine messages, which no transcript names."""
        if kind not in self._kinds:
            plain = plain_name(kind)
            known = self.known(kind) or ACCOUNTS.get(plain) or (_fold(kind) if plain in UNSPOKEN_KINDS else None)
            if len(self._kinds) >= self.REMEMBERED:
                return known
            self._kinds[kind] = known
        return self._kinds[kind]

    def known_value(self, key: str, value: str) -> str | None:
        """The role by the value of a key such as `role`, or `incoming`, which is true or false."""
        customer, agent = FLAGS.get(plain_name(key), (None, None))
        word = _fold(value)
        if customer and word not in self._given and word in (*YES, *NO):
            return customer if word in YES else agent
        return self.known_kind(value)

    def by_identity(self, ids: Collection[str], customers: Collection[str]) -> Role | None:
        """The role of a speaker by comparing what identifies him with what identifies the conversation's customer.

        None if he is another, and the role of all others is given.
        """
        role: Role = "customer" if not set(customers).isdisjoint(ids) else "agent"
        if role == "agent" and self._others:
            return None
        self._compared[role] += 1
        return role

    def role(self, speaker: str) -> str | None:
        """The role of a speaker: a known one, else that of `others`, which may be None."""
        role = self.known_kind(speaker)
        if role is not None:
            if self._given:
                self._met.add(_fold(speaker))
            if role in self._words and len(self._words[role]) < self.REMEMBERED:
                self._words[role].add(_fold(speaker))
            return role
        if speaker in self._unknown or len(self._unknown) < self.REMEMBERED:
            self._unknown[speaker] += 1
        return speaker if self._others == "names" else self._others

    def check(self, tally: Tally) -> None:
        """Note in the tally which speakers got the role of `others`, or one by their ids.

        Raises `UsageError` for a speaker who was given a role but does not occur (a typing mistake), and
        `UnclearSpeakers`, with the most frequent ones, if speakers have no role.
        """
        strangers = [value for key, value in self._given.items() if key not in self._met]
        if strangers and self._unknown:
            raise unknown("speaker", strangers[0], [name for name, _ in self._unknown.most_common(20)])
        self._check_identities(tally)
        self._check_users()
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

    def _check_identities(self, tally: Tally) -> None:
        if self._compared and not self._compared["customer"] and not self._given:
            raise UnclearSpeakers(
                "cannot tell customers from agents: no message is by its conversation's customer, going by their ids",
                "Name the speaker's role with --message-speaker or --speaker, or give roles with --role and --others.",
            )
        if self._compared and not self._others:
            customer, agent = self._compared["customer"], self._compared["agent"]
            tally.remark(
                f"speakers were told apart by their ids: {pluralize(customer, 'message')} by the conversation's "
                f"customer, {agent} by others, who were read as the agent"
            )

    def _check_users(self) -> None:
        # In some desks (Help Scout, Chatwoot), the users of the desk are its agents.
        words = self._words["customer"]
        others = sorted(words & {"customer", "contact", "client"})
        is_open = not self._words["agent"] and "user" not in self._given and not self._others
        if is_open and others and "user" in words:
            raise UnclearSpeakers(
                f"cannot tell whether 'user' is the customer or the agent: there are also messages by {others[0]!r}, "
                "and none by an agent",
                "Say it with --role user=agent or --role user=customer.",
            )


def is_unspoken(role: str | None) -> bool:
    """Whether a role is one whose messages nobody said."""
    return role is not None and (role in UNSPOKEN or plain_name(role) in (*UNSPOKEN_KINDS, *UNSPOKEN_HEADS))


def _fold(speaker: str) -> str:
    return " ".join(speaker.casefold().split())
