"""Reads captions (WebVTT, SubRip): who speaks in each cue, or the lines of the cues."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import unescape

from msgspec import Struct

from .stamps import CUE

_BLOCKS = re.compile(r"(?:WEBVTT|NOTE|STYLE|REGION)(?:\s.*)?")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]+)>")
_TAG = re.compile(r"</?(?:[cibuv]|ruby|rt|lang|font)(?:[.\s][^>]*)?>|<\d[\d:.]*>|\{\\[^}]*\}", re.IGNORECASE)
_NAMED_CUE = re.compile(r'\d+\s+"([^"]+)"\s*(?:\(\d*\))?')
"""The name of a cue as Webex writes it: `12 "Ann Lee" (3490)`."""


class Cue(Struct, frozen=True):
    """What is said in a cue, and by whom if a tag says so."""

    speaker: str
    lines: tuple[str, ...]


def has_cues(text: str) -> bool:
    """Whether a text has the times of captions."""
    return "-->" in text and any(map(CUE.fullmatch, text.splitlines()))


def read_cues(text: str) -> list[Cue]:
    """The cues of captions, and the lines above the first one as a cue. A cue with several voices becomes several.

    Numbers and names of cues, times, settings, styles, regions and notes are left out.
    """
    lines = [line.strip(" \t\ufeff") for line in text.splitlines()]
    bodies: list[list[str]] = [[]]
    names = [""]
    for number, line in enumerate(lines):
        if CUE.fullmatch(line):
            # The line above the times is the number or name of the cue, unless it is what somebody says.
            name = lines[number - 1] if number else ""
            if name and _is_cue_name(lines, number - 1, len(names)):
                bodies[-1].pop()
            else:
                name = ""
            matched = _NAMED_CUE.fullmatch(name)
            names.append(matched[1] if matched else "")
            bodies.append([])
        else:
            bodies[-1].append(line)
    return [cue for name, body in zip(names, bodies, strict=True) for cue in _voices(name, _without_blocks(body))]


def _is_cue_name(lines: Sequence[str], number: int, cue: int) -> bool:
    above = lines[number - 1] if number else ""
    if not above:
        # A speaker's turn is not a name: in some files, times stand between the turns.
        return ": " not in lines[number]
    return lines[number].isdecimal() and int(lines[number]) in (cue, cue - 1)


def _without_blocks(body: Sequence[str]) -> Iterator[str]:
    skipped = False
    for number, line in enumerate(body):
        if not line:
            skipped = False
        elif (number == 0 or not body[number - 1]) and _BLOCKS.fullmatch(line):
            skipped = True
        elif not skipped:
            yield line


def _voices(name: str, lines: Iterator[str]) -> Iterator[Cue]:
    speaker, said = name, list[str]()
    for line in lines:
        before, *parts = _VOICE.split(line)
        said += [before] if before.strip() else []
        for voice, words in zip(parts[::2], parts[1::2], strict=True):
            if said:
                yield Cue(speaker, _plain(said))
            speaker, said = voice.strip(), [words]
    if said:
        yield Cue(speaker, _plain(said))


def _plain(lines: Sequence[str]) -> tuple[str, ...]:
    plain = (unescape(_TAG.sub("", line)).strip(" \u200e\u200f").removeprefix(">>").strip() for line in lines)
    return tuple(filter(None, plain))
