"""Reads who says what from a conversation written as text, one turn a line: `Customer: …`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise

from msgspec import Struct

from .. import cleaning
from .captions import has_cues, read_cues
from .chat_logs import Known, read_blocks, read_log
from .columns import plain_name
from .heads import Head, read_head, resembles_name
from .speakers import INTERNAL_NOTE, UNSPOKEN_HEADS, Speakers
from .speech import readable
from .stamps import begins_with_time, is_time, without_edge_time
from .tally import Tally

Said = list[tuple[str, str]]
"""(speaker, text) pairs."""
Tell = Callable[[str, str], None]
"""Takes what was noticed, and an example."""

SIDES = {"customer", "agent"}
SHARE_OF_HEADS = 0.8
"""Where so many of the lines begin with a name, each of them is a turn."""
PREAMBLE_LINES = 12
ROLE_WORDS = 6
ROLE_CHARACTERS = 80
"""The most words and characters of a role in the middle of a line."""

ABOVE = "lines above the first speaker, left out"
TIMES = "lines that hold only the time of a turn, left out"
PROGRAM = "lines of the chat program itself, which nobody said, left out"
_NOTE_BEFORE = re.compile(r"[\[(]([^\[\]()]{4,24})[\])]\s*:?\s*(?=\S)")
_PROGRAM_LINE = re.compile(r"(\*{3,}|={3,}|-{3,})\s*\S.*\1")
NO_SPEAKER = "the transcript's first line names no speaker"
NO_SPEAKER_IN_CUES = "captions that name no speaker; write `Agent: …` at the beginning of a cue, or <v Agent>"
ONE_LINE = "several turns on one line, by speakers without a role; name them with --role"


class Unusable(Exception):
    """The reason why a value is not a conversation."""


class _Lines(Struct, frozen=True):
    """The lines of a transcript that hold words, with their heads."""

    lines: list[str]
    heads: list[Head | None]


def said_in_text(text: str, speakers: Speakers, tally: Tally) -> Said:
    """(speaker, text) pairs of a transcript. Raises `Unusable`."""
    if not text:
        raise Unusable("no transcript")
    text = text if has_cues(text) else readable(text, tally)
    said = _read(text, cache(speakers.known), tally.remark)
    if said is None:
        raise Unusable(NO_SPEAKER_IN_CUES if has_cues(text) else NO_SPEAKER)
    return said


def transcript_turns(text: str) -> Said | None:
    """(speaker, text) pairs of a transcript whose speakers have no roles yet. None if its first line names none."""
    try:
        return _read(text if has_cues(text) else readable(text, Tally()), _role_named, lambda *_: None)
    except Unusable:
        return None


def _role_named(speaker: str) -> str | None:
    role = cleaning.role(speaker)
    return role if role in SIDES else None


def _read(text: str, known: Known, tell: Tell) -> Said | None:
    """The turns, by the first of the layouts that fits. Raises `Unusable` for turns that cannot be parted."""
    if "\n" not in text:
        text = text.replace("\\r\\n", "\n").replace("\\n", "\n")
    if has_cues(text):
        return _read_captions(text, known, tell)
    lines = [_named_as_note(line) for line in map(_strip, text.splitlines()) if line]
    if log := _read_log(lines, known, tell):
        return log
    if blocks := read_blocks(lines, known):
        for line in blocks.system:
            tell(TIMES, line)
        return blocks.turns
    return _read_lines(lines, known, tell)


def _read_log(lines: list[str], known: Known, tell: Tell) -> Said | None:
    first = next((number for number, line in enumerate(lines) if begins_with_time(line)), PREAMBLE_LINES)
    if first and (first >= PREAMBLE_LINES or any(known(head.name) for head in map(read_head, lines[:first]) if head)):
        return None
    log = read_log(lines[first:], known)
    if log is None:
        return None
    for line in lines[:first]:
        tell(ABOVE, line[:40])
    for line in log.system:
        tell(PROGRAM, line[:40])
    for line in log.media:
        tell("messages that are only a picture, a file or a sound, left out", line[:40])
    return log.turns


def _named_as_note(line: str) -> str:
    """A line such as `[Internal note] Ann: …` with the note as its speaker."""
    found = _NOTE_BEFORE.match(line)
    if found is None or plain_name(found[1]) not in UNSPOKEN_HEADS:
        return line
    return f"{INTERNAL_NOTE}: {line[found.end() :]}"


def _strip(line: str) -> str:
    return line.strip(" \t\r\n\xa0\u200e\u200f\ufeff")


# -------------------------------------------------------------------------------------------------------- captions


def _read_captions(text: str, known: Known, tell: Tell) -> Said | None:
    cues = read_cues(text)
    if not any(cue.speaker for cue in cues):
        # A name at the beginning of a cue is a head; its other lines go on with it unless they have a known one.
        names = {head.name for cue in cues for head in [read_head(cue.lines[0]) if cue.lines else None] if head}
        lines: list[str] = []
        for cue in cues:
            for number, line in enumerate(cue.lines):
                head = read_head(line)
                if number and lines and not (head and (head.name in names or known(head.name))):
                    lines[-1] += f" {line}"
                else:
                    lines.append(line)
        return _read_lines(lines, known, tell)
    said: Said = []
    for cue in cues:
        words = " ".join(cue.lines)
        if cue.speaker:
            said.append((Head(cue.speaker, "", "").speaker(known), words))
        elif said and words:
            tell("cues without a speaker, read as the words of the speaker before", words[:40])
            said.append((said[-1][0], words))
        elif words:
            tell("cues before the first speaker, left out", words[:40])
    return said


# ----------------------------------------------------------------------------------------------- heads at the lines


def _read_lines(lines: Sequence[str], known: Known, tell: Tell) -> Said | None:
    lines = _part_lines(lines, known, tell)
    lines = _without_program_lines(_without_times(lines, tell), tell)
    heads = [read_head(line) for line in lines]
    found = _Lines(list(lines), heads)
    names = _speakers_in(found, known, tell)
    first = next((number for number, head in enumerate(heads) if head and head.name in names), None)
    if first is None or (first and not _is_preamble(found, first, names, known)):
        return None
    for line in lines[:first]:
        tell(ABOVE, line[:40])
    said: Said = []
    for line, head in list(zip(lines, heads, strict=True))[first:]:
        if head and head.name in names:
            said.append((head.speaker(known), head.text))
        else:
            said[-1] = (said[-1][0], f"{said[-1][1]} {line}".strip())
    return _without_edge_times(said, tell)


def _speakers_in(found: _Lines, known: Known, tell: Tell) -> set[str]:
    """The names that begin a turn: short ones, and longer ones that have a role, recur, or are where turns begin."""
    strong = [head for head in found.heads if head and not head.weak]
    count = Counter(head.name for head in strong)
    is_regular = len(strong) >= SHARE_OF_HEADS * len(found.lines) and len(found.lines) > 2
    names = {head.name for head in strong if head.is_short or known(head.speaker(known))}
    # The first line, and one without words after the colon, is sooner a speaker's.
    likely = {head.name for number, head in enumerate(found.heads) if head and (number == 0 or not head.text)}
    for name in [name for name in count if name not in names]:
        recurs = count[name] > 1
        by_spelling = resembles_name(name) and (recurs or is_regular or (name in likely and len(count) > 1))
        if by_spelling or (recurs and len(strong) == len(found.lines)):
            names.add(name)
        elif count[name] > 1 or resembles_name(name):
            tell("lines with several words before a colon, read as text (a speaker is named by --role)", name)
    roles = {head.name: known(head.speaker(known)) for head in strong if head.name in names}
    first = next((head.name for head in found.heads if head and head.name in names), None)
    for head in {head.name: head for head in strong}.values():
        if head.name in names and known(head.name) is None and head.speaker(known) != head.name:
            tell(f"speakers read as the {roles[head.name]} by a word in or beside their names", head.name)
    if first is None or roles[first] is None or not set(roles.values()) >= SIDES:
        return names
    # Both sides are named by role, so another word before a colon (`PS: …`) is not a third speaker.
    for name in (name for name in count if name in names and roles[name] is None):
        tell("transcripts with a word before a colon that is read as text, not as a third speaker", name)
    return {name for name in names if roles[name]}


def _is_preamble(found: _Lines, first: int, names: set[str], known: Known) -> bool:
    """Whether the lines above the first speaker can be left out, because turns of two speakers follow for certain."""
    if first > PREAMBLE_LINES:
        return False
    after = Counter(head.name for head in found.heads[first:] if head and head.name in names)
    roles = {known(head.speaker(known)) for head in found.heads[first:] if head and head.name in names}
    return roles >= SIDES or sum(count > 1 for count in after.values()) > 1


def _without_program_lines(lines: Sequence[str], tell: Tell) -> list[str]:
    found = [line for line in lines if line[:3] in ("***", "===", "---") and _PROGRAM_LINE.fullmatch(line)]
    program = {line for line in found if not (read_head(line) or is_time(line))}
    for line in program:
        tell(PROGRAM, line[:40])
    return [line for line in lines if line not in program]


def _without_edge_times(said: Said, tell: Tell) -> Said:
    """Leave out the times at the beginnings or the ends of nearly all turns."""
    shorter = [without_edge_time(text) for _, text in said]
    timed = sum(text is not None for text in shorter)
    if timed < 2 or timed < SHARE_OF_HEADS * len(said):
        return said
    tell("transcripts with a time beside the words of each turn, left out", said[0][1][:40])
    return [(name, text if short is None else short) for (name, text), short in zip(said, shorter, strict=True)]


def _without_times(lines: Sequence[str], tell: Tell) -> list[str]:
    """Leave out the times between turns; where they do not stand at nearly every turn, somebody may have said them."""
    heads = [bool((head := read_head(line)) and not head.weak) for line in lines]
    beside = [
        number
        for number, line in enumerate(lines)
        if is_time(line) and (any(heads[number + 1 : number + 2]) or (number and lines[number - 1].endswith(":")))
    ]
    if beside and is_time(lines[-1]):
        beside.append(len(lines) - 1)
    if not beside or len(beside) < max(min(2, sum(heads) - 1), (sum(heads) - 1) / 2):
        return list(lines)
    for number in beside:
        tell(TIMES, lines[number])
    return [line for number, line in enumerate(lines) if number not in set(beside)]


# ------------------------------------------------------------------------------------------------ turns on one line


def _part_lines(lines: Sequence[str], known: Known, tell: Tell) -> list[str]:
    """Part lines that hold several turns, at the names of known roles, where both sides recur.

    Raises `Unusable` if a line holds several turns that cannot be parted.
    """
    sides = {known(head.speaker(known)) for line in lines if (head := read_head(line))}
    if sides >= SIDES:
        return list(lines)
    places = [_roles_within(line, known) for line in lines]
    count = Counter(found.role for line in places for found in line)
    if count["customer"] > 1 and count["agent"] > 1:
        tell("transcripts with several turns on a line, parted at the names of roles", lines[0][:40])
        timed = sum(found.time < found.start for line in places for found in line)
        has_times = timed >= SHARE_OF_HEADS * count.total()
        starts = [[found.time if has_times else found.start for found in line] for line in places]
        return [part for line, some in zip(lines, starts, strict=True) for part in _part(line, some)]
    if len(lines) == 1 and count["customer"] and count["agent"]:
        raise Unusable("several turns on one line, which do not recur; put each turn on a line of its own")
    if len(lines) == 1 and (head := read_head(lines[0])) and _recurs_within(lines[0], head.name):
        raise Unusable(ONE_LINE)
    return list(lines)


class _Place(Struct, frozen=True):
    """Where in a line a turn begins."""

    start: int
    time: int
    """Where the time before the name begins; `start` if there is none."""
    role: str


_TIME_BEFORE = re.compile(r"[\[(]?\d{1,2}:\d{2}(?::\d{2})?(?:\s?[ap]m)?[\])]?\s*(?:[-–]\s*)?$", re.IGNORECASE)
_COLON = re.compile(r"[:：](?!//|\d\d)")
_WORD = re.compile(r"\S+")


def _roles_within(line: str, known: Known) -> list[_Place]:
    """Where in a line roles stand before a colon."""
    found = []
    for colon in _COLON.finditer(line):
        words = list(_WORD.finditer(line, max(0, colon.start() - ROLE_CHARACTERS), colon.start()))
        for word in (word for word in words[-ROLE_WORDS:] if re.match(r"[\w*\[(]", word[0])):
            start = word.start()
            role = known(line[start : colon.start()].strip("*_[]() "))
            if role:
                time = _TIME_BEFORE.search(line, max(0, start - 20), start)
                found.append(_Place(start, time.start() if time else start, role))
                break
    return found


def _part(line: str, starts: Sequence[int]) -> list[str]:
    bounds = [0, *filter(None, starts), len(line)]
    parts = [line[start:end].strip() for start, end in pairwise(bounds)]
    return [re.sub(r"\s[|/;•–—-]+$", "", part) for part in parts if part]


def _recurs_within(line: str, name: str) -> bool:
    return len(re.findall(rf"(?<!\w){re.escape(name)}\s?:", line)) > 1
