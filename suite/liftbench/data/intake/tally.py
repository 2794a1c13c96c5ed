"""Counts what an import does with each row: it is used, or left out with a reason and its place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from ...records.conversation import Conversation
from .mojibake import mojibake

EXAMPLES = 5

UNSUMMARIZED = "there are no human summaries, so nothing can be scored; name their column (--reference)"

GARBLED = "conversations with text that was decoded wrongly before it was exported"
LOST = "conversations with \ufffd, where characters were lost"

Kind = Literal["row", "message", "conversation"]


class LeftOut(Struct, frozen=True, kw_only=True):
    """The things that were left out for one reason."""

    what: Kind
    reason: str
    count: int
    first: tuple[str, ...]
    """Places of the first rows (`file:line`), or ids of the first conversations."""

    def __str__(self) -> str:
        more = ", …" if self.count > len(self.first) else ""
        return f"{self.count_and_reason} ({', '.join(self.first)}{more})"

    @property
    def count_and_reason(self) -> str:
        """How many were left out, and why, without the examples, which may be people's names."""
        things = self.what if self.count == 1 else f"{self.what}s"
        return f"{self.count} {things} left out: {self.reason}"


class ImportReport(Struct, frozen=True, kw_only=True):
    """What an import did; `rows` is the sum of `rows_used` and the rows in `left_out`."""

    rows: int
    rows_used: int
    conversations: int
    turns: int
    """Turns after cleaning, which merges consecutive turns of one speaker."""
    with_references: int
    without_references: int
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]


class Tally:
    """Counts while rows are read; the report is complete once all rows have been read."""

    def __init__(self) -> None:
        self.rows = 0
        self.rows_used = 0
        self.gathered: int | None = None
        """How many conversations will follow; None until that is known."""
        self._conversations = 0
        self._turns = 0
        self._with_references = 0
        self._left_out: dict[tuple[Kind, str], _Count] = {}
        self._remarks: dict[str, _Count] = {}
        self._speakers: Counter[str] = Counter()

    def leave_out(self, what: Kind, reason: str, place: str) -> None:
        """Count something that is not in the result."""
        self._left_out.setdefault((what, reason), _Count()).add(place)

    def remark(self, text: str, example: str = "") -> None:
        """Note something unexpected about the result; equal remarks are counted."""
        self._remarks.setdefault(text, _Count()).add(example)

    def count_conversation(self, conversation: Conversation) -> None:
        """Count a conversation that is in the result."""
        self._conversations += 1
        self._turns += len(conversation.turns)
        self._with_references += bool(conversation.references)
        self._speakers.update(turn.role for turn in conversation.turns)
        texts = [*(turn.text for turn in conversation.turns), *conversation.references]
        if garbled := next(filter(None, map(mojibake, texts)), None):
            self.remark(GARBLED, f"{conversation.id}: {garbled}")
        if any("\ufffd" in text for text in texts):
            self.remark(LOST, conversation.id)

    def report(self, notes: Iterable[str] = ()) -> ImportReport:
        """What was counted so far; `notes` (about how the files were read) come first."""
        silent = [role for role in ("customer", "agent") if self._conversations and not self._speakers[role]]
        return ImportReport(
            rows=self.rows,
            rows_used=self.rows_used,
            conversations=self._conversations,
            turns=self._turns,
            with_references=self._with_references,
            without_references=self._conversations - self._with_references,
            left_out=tuple(
                LeftOut(what=what, reason=reason, count=count.total, first=tuple(count.first))
                for (what, reason), count in sorted(self._left_out.items(), key=lambda item: -item[1].total)
            ),
            notes=(
                *notes,
                *(f"{text}: {count}" if count.first else text for text, count in self._remarks.items()),
                *([UNSUMMARIZED] if self._conversations and not self._with_references else ()),
                *(f"no turn is by the {role}; check the roles of the speakers (--role)" for role in silent),
            ),
        )


class _Count:
    def __init__(self) -> None:
        self.total = 0
        self.first: list[str] = []

    def add(self, example: str) -> None:
        self.total += 1
        if example and example not in self.first and len(self.first) < EXAMPLES:
            self.first.append(example)

    def __str__(self) -> str:
        return f"{self.total} ({', '.join(self.first)})" if self.first else str(self.total)
