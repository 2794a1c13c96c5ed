"""Recognizes rows for fine-tuning, whose task holds a transcript and whose answer is its summary."""

from __future__ import annotations

import re

from .heads import read_head
from .speakers import Speakers
from .tally import Tally
from .transcripts import Unusable, said_in_text

_FRAME = re.compile(r"</?[\w -]+>|`{3,}\w*|-{3,}|={3,}|#{2,}.*|[\w '()]{1,40}:")
"""A line that frames the transcript in a task: a tag, a fence, a heading, or `Summary:`."""


def transcript_in_task(text: str, speakers: Speakers) -> list[tuple[str, str]] | None:
    """(speaker, text) pairs of the transcript in a task such as `Summarize the chat:` and lines below it.

    Returns None without lines by both the customer and the agent. What follows the last turn's paragraph is not in it.
    """
    lines = text.strip().splitlines()
    starts = [number for number, line in enumerate(lines) if _side(line, speakers)]
    if not starts:
        return None
    end = next((number for number in range(starts[-1], len(lines)) if not lines[number].strip()), len(lines))
    numbers = range(starts[0], end)
    kept = [lines[n] for n in numbers if n in starts or not _FRAME.fullmatch(lines[n].strip())]
    try:
        turns = said_in_text("\n".join(kept), speakers, Tally())
    except Unusable:
        return None
    return turns if {"customer", "agent"} <= {speakers.known(name) for name, _ in turns} else None


def holds_lines_of_speakers(text: str) -> bool:
    """Whether two lines of a text or more begin with a name and a colon."""
    return sum(read_head(line.strip()) is not None for line in text.splitlines()) > 1


def _side(line: str, speakers: Speakers) -> str | None:
    head = read_head(line.strip())
    role = speakers.known(head.name) if head else None
    return role if role in ("customer", "agent") else None
