"""Reads who says what from a conversation written as text, one turn a line: `Customer: …`."""

from __future__ import annotations

import re
from collections.abc import Callable

from .speakers import Speakers
from .tally import Tally

_TURN = re.compile(
    r"""
    (?:
        [\[(]? (?:\d[\d./-]*[,T\s]++)? \d{1,2}:\d{2}(?::\d{2})?(?:[.,]\d+)? (?:Z|\s?[ap]m\b)? [\])]? \s*+ (?:[-–]\s*+)?
    )?+
    \**+ (?P<name> [^:\s(\[*]+ (?:\s++[^:\s(\[*]+)? ) \s*+ (?:[(\[][^)\]]*[)\]])? \**+ \s*+ :(?!//) \** \s* (?P<text>.*)
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""A line that begins a turn: an optional time, a name of one or two words, an optional time, a colon and the text.
The quantifiers are possessive, so that matching takes time linear in the line's length."""


class Unusable(Exception):
    """The reason why a value is not a conversation."""


def said_in_text(text: str, speakers: Speakers, tally: Tally) -> list[tuple[str, str]]:
    """(speaker, text) pairs of a transcript. Raises `Unusable`."""
    if not text:
        raise Unusable("no transcript")
    said = transcript_turns(text)
    if said is None:
        raise Unusable("the transcript's first line names no speaker")
    roles = {name: speakers.known(name) for name, _ in said}
    if None not in roles.values() or not {"customer", "agent"} <= set(roles.values()) or roles[said[0][0]] is None:
        return said
    # Both sides are named by role, so another word before a colon (`PS: …`) is not a third speaker.
    for name in (name for name, role in roles.items() if role is None):
        tally.remark("transcripts with a word before a colon that is read as text, not as a third speaker", name)
    return transcript_turns(text, lambda name: roles[name] is not None) or said


def transcript_turns(text: str, speaks: Callable[[str], bool] = lambda _: True) -> list[tuple[str, str]] | None:
    """(speaker, text) pairs as from `turns_of`; line breaks may also be written as `<br>` or as a literal `\\n`."""
    text = re.sub(r"<br\s*/?>", "\n", text, flags=re.IGNORECASE)
    if "\n" not in text:
        text = text.replace("\\r\\n", "\n").replace("\\n", "\n")
    return turns_of(text, speaks)


def turns_of(text: str, speaks: Callable[[str], bool] = lambda _: True) -> list[tuple[str, str]] | None:
    """(speaker, text) pairs from lines such as `Agent: …`, `[10:15] Agent: …`, `Agent (10:15): …`.

    A line continues the turn above it if it does not begin with a name of at most two words, or if `speaks` rejects
    the name. Returns None if the first line does not begin a turn.
    """
    turns: list[tuple[str, str]] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        match = _TURN.match(line)
        # A name has a letter, so `12:30 is fine` does not begin a turn.
        if match and any(map(str.isalpha, match["name"])) and speaks(match["name"]):
            turns.append((match["name"], match["text"]))
        elif turns:
            turns[-1] = (turns[-1][0], f"{turns[-1][1]} {line}".strip())
        else:
            return None
    return turns or None
