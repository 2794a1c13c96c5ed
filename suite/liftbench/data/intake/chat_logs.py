"""Reads transcripts whose turns begin with a time: chats of WhatsApp, Zendesk, Zoom, and copies from Slack or Teams."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence

from msgspec import Struct

from .heads import Head, read_head, resembles_name
from .stamps import STAMP, is_time

Known = Callable[[str], str | None]
"""The role of a speaker, or None."""

_STAMPED = re.compile(rf"(?P<stamp>{STAMP})\s*(?:[-–—|:]\s+)?(?P<rest>\S.*)", re.IGNORECASE)
_NAME_FIRST = re.compile(rf"\[?(?P<name>[^\[\]:]{{1,60}}?)\]?\s*[-–—,|•·]?\s*(?P<stamp>{STAMP})", re.IGNORECASE)
_ANGLED = re.compile(r"<([^<>]{1,40})>\s+(\S.*)")
"""A message as chats of IRC write it: `<Ann> Hello`."""
_ZOOM = re.compile(r"from\s+(.+?)\s+to\s+.+", re.IGNORECASE)
_MEDIA = re.compile(r"<[^<>]*\s[^<>]*>|\u200e.*|null|.*\.\w{2,4} \((?:file attached|Datei angehängt|archivo adjunto)\)")
_EDITED = re.compile(r"\s*\u200e?<[^<>]*(?:edited|bearbeitet|editó|modifié)[^<>]*>$", re.IGNORECASE)
_MARKS = "\u200e\u200f\u202a\u202c\ufeff~ \u202f"
HEADER_CHARACTERS = 120
SYSTEM_LINE = re.compile(r"[\"“„«]|\*{2,}")
"""What the lines of a chat program about itself have before a colon (`Ann changed the subject to "Bill: late"`)."""


class Log(Struct, frozen=True):
    """The turns of a log, and what in it nobody said."""

    turns: list[tuple[str, str]]
    system: list[str]
    media: list[str] = []


def read_log(lines: Sequence[str], known: Known) -> Log | None:
    """A log whose messages each begin with a time: `12/31/24, 10:15 PM - Ann: …`. None if it is not one.

    A line without a time goes on with the message above it. A line with a time and without a speaker is the program's.
    """
    stamped = [_STAMPED.fullmatch(line.lstrip(_MARKS)) for line in lines]
    heads = [_stamped_head(match["rest"]) if match else None for match in stamped]
    if not _is_log(stamped, heads):
        return None
    names = {head.name for head in heads if head}
    turns: list[tuple[str, str]] = []
    system: list[str] = []
    media: list[str] = []
    sender: str | None = None
    follows_picture = False
    for line, match, head in zip(lines, stamped, heads, strict=True):
        if match is None:
            other = read_head(line)
            if other and (other.name in names or known(other.name)):
                # Some turns have no time, so a line without one may be another speaker's.
                return None
            if sender is None:
                system.append(line)
            elif follows_picture:
                # It is what the sender wrote below the picture.
                turns.append((sender, line))
                follows_picture = False
            else:
                turns[-1] = (sender, f"{turns[-1][1]}\n{line}".strip())
        elif head is None:
            system.append(match["rest"])
            sender = None
        else:
            sender = head.speaker(known)
            follows_picture = _MEDIA.fullmatch(head.text) is not None
            if follows_picture:
                media.append(head.text.strip(_MARKS))
            else:
                turns.append((sender, _EDITED.sub("", head.text)))
    return Log(turns, system, media) if turns else None


def _is_log(stamped: Sequence[re.Match[str] | None], heads: Sequence[Head | None]) -> bool:
    """Whether the first line and at least two speakers' lines begin with a time."""
    named = len(heads) - heads.count(None)
    untimed = stamped.count(None)
    unnamed = len(stamped) - untimed - named
    if not stamped or stamped[0] is None or named < 2:
        return False
    # Else times and names have lines of their own, above the words: `read_blocks`.
    return unnamed <= named or unnamed > untimed


def _stamped_head(rest: str) -> Head | None:
    if angled := _ANGLED.fullmatch(rest):
        return Head(angled[1], "", angled[2])
    head = read_head(rest.lstrip(_MARKS))
    if head is None or SYSTEM_LINE.search(head.name):
        return None
    sender = _ZOOM.fullmatch(head.name)
    return Head(sender[1], head.aside, head.text) if sender else head


def read_blocks(lines: Sequence[str], known: Known) -> Log | None:
    """Turns whose speaker and time have lines of their own above the text. None if there are none.

    The speaker and the time may be on one line (`Ann Lee  10:15 AM`, `[10:15] Ann Lee`) or on two. Without times, only
    speakers with a known role count.
    """
    found = _block_headers(lines, known)
    if 0 not in found or len({name for name, _ in found.values()}) < 2:
        return None
    # Where the time has a line of its own, a speaker who says nothing is a line of text above another time.
    two_lines = any(length > 1 for _, length in found.values())
    turns: list[tuple[str, str]] = []
    times: set[int] = set()
    skip = 0
    for number, line in enumerate(lines):
        if number in found:
            name, skip = found[number]
            turns.append((Head(name, "", "").speaker(known), ""))
        if skip:
            skip -= 1
        elif is_time(line) and two_lines:
            times.add(number)
        else:
            turns[-1] = (turns[-1][0], f"{turns[-1][1]}\n{line}".strip())
    spoken = [(name, text) for name, text in turns if text]
    if 2 * len(spoken) <= len(found) or (two_lines and len(spoken) < len(turns)):
        return None
    return Log(spoken, [line for number, line in enumerate(lines) if number in times])


def _block_headers(lines: Sequence[str], known: Known) -> dict[int, tuple[str, int]]:
    """The headers of blocks, as `_headers` has them; empty if the first lines are none."""
    if not lines or not (_headers(lines[:2]) or known(lines[0].rstrip(":"))):
        return {}
    found = _headers(lines)
    if not found:
        found = {number: (line, 1) for number, line in enumerate(lines) if known(line.rstrip(":"))}
        roles = {known(name.rstrip(":")) for name, _ in found.values()}
        return found if {"customer", "agent"} <= roles else {}
    count = Counter(name for name, _ in found.values())
    return {
        number: (name, length)
        for number, (name, length) in found.items()
        if known(name) or count[name] > 1 or resembles_name(name)
    }


def _headers(lines: Sequence[str]) -> dict[int, tuple[str, int]]:
    """Index of a line → the speaker that it names, and how many lines the name and the time take."""
    found: dict[int, tuple[str, int]] = {}
    time_first = bool(lines) and is_time(lines[0])
    number = 0
    while number < len(lines):
        line = lines[number]
        after = lines[number + 1] if number + 1 < len(lines) else ""
        name, length = "", 1
        if is_time(line):
            if time_first and _may_name(after):
                name, length = after, 2
        elif is_time(after) and not time_first and _may_name(line):
            name, length = line, 2
        elif len(line) < HEADER_CHARACTERS and (match := _STAMPED.fullmatch(line) or _NAME_FIRST.fullmatch(line)):
            rest = match.groupdict().get("rest") or match.groupdict().get("name") or ""
            name = rest if _may_name(rest) else ""
        if name:
            found[number] = (name.strip(" []~\t").rstrip(":").strip(), length)
        number += length
    return found


def _may_name(text: str) -> bool:
    head = read_head(text)
    if head and head.text:
        return False
    return len(text.split()) <= 6 and len(text) <= 60 and any(map(str.isalpha, text)) and text[-1:] not in ".?!…;,"
