"""Finds the conversation whose whole transcript stands in a text, in a time that does not grow with their number."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from ..records.conversation import Conversation
from ..text.transcript import transcript

PROBE = 48
"""Characters of a transcript, from its middle, that are looked up at each place of a text."""


class TranscriptIndex:
    """The transcripts of some conversations, without white space and case."""

    def __init__(self, conversations: Iterable[Conversation]) -> None:
        self.transcripts = {one.id: squeeze(transcript(one.turns)) for one in conversations}
        self._by_probe: dict[int, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for id_, text in self.transcripts.items():
            if text:
                probe = text[max(0, len(text) - PROBE) // 2 :][:PROBE]
                self._by_probe[len(probe)][probe].append(id_)

    def only_one_in(self, text: str) -> str | None:
        """The one conversation whose transcript stands in a squeezed text; None if there is none, or more than one."""
        likely: set[str] = set()
        for length, probes in self._by_probe.items():
            for start in range(len(text) - length + 1):
                if ids := probes.get(text[start : start + length]):
                    likely.update(ids)
        found = [id_ for id_ in likely if self.transcripts[id_] in text]
        return found[0] if len(found) == 1 else None


def squeeze(text: str) -> str:
    """A text without white space and case."""
    return "".join(text.split()).casefold()
