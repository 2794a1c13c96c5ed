"""The suite's own format: JSON Lines, one conversation a line, in `<folder>/<split>.jsonl`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from ..errors import PrerequisiteError, UsageError, unknown
from ..records.conversation import Conversation, Turn
from .dataset import Dataset

IMPORTED = "conversations"
"""The only split of a folder that was imported but not yet split."""

_decoder = msgspec.json.Decoder(Conversation)

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


def read_jsonl(path: Path) -> list[Conversation]:
    """The conversations of a file, in order. Raises `UsageError` as `each_in_jsonl` does, and for an empty file."""
    conversations = list(each_in_jsonl(path))
    if not conversations:
        raise UsageError(f"{path}: the file has no conversations")
    return conversations


def each_in_jsonl(path: Path, *, references_needed: bool = True) -> Iterator[Conversation]:
    """The conversations of a file, one at a time, so that memory holds only the ids.

    Raises `UsageError` with file, line and reason: not JSON, a field missing or of a wrong type, a conversation
    without turns, a turn or reference without text, no references although they are needed, a repeated id.
    """
    seen: dict[str, int] = {}
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                conversation = _decoder.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise UsageError(f"{path}, line {number}: {error}") from error
            reason = _fault(conversation, references_needed=references_needed) or (
                f"id {conversation.id!r} was seen on line {seen[conversation.id]}" if conversation.id in seen else None
            )
            if reason:
                raise UsageError(f"{path}, line {number}: {reason}")
            seen[conversation.id] = number
            yield conversation


def parse_conversation(raw: bytes, source: str) -> Conversation:
    """One conversation from JSON (references not needed) or from plain text with one turn per line: `Customer: …`.

    A line of plain text without a known speaker continues the turn above it. Raises `UsageError`.
    """
    stripped = raw.strip()
    if stripped.startswith(b"{"):
        try:
            conversation = _decoder.decode(stripped)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UsageError(f"{source}: {error}") from error
        reason = _fault(conversation, references_needed=False)
        if reason:
            raise UsageError(f"{source}: {reason}")
        return conversation
    return _parse_text(stripped, source)


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


def _parse_text(raw: bytes, source: str) -> Conversation:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{source}: not UTF-8 text ({error.reason} at byte {error.start})") from error
    turns = turns_of(text)
    if turns is None:
        raise UsageError(
            f"{source}: the first line does not name a speaker", "Write turns as `Customer: …` and `Agent: …`."
        )
    conversation = Conversation(id=source, turns=tuple(Turn(role=name.lower(), text=words) for name, words in turns))
    reason = _fault(conversation, references_needed=False)
    if reason:
        raise UsageError(f"{source}: {reason}")
    return conversation


def _fault(conversation: Conversation, *, references_needed: bool = True) -> str | None:
    if not conversation.id:
        return "the id is empty"
    if not conversation.turns:
        return "the conversation has no turns"
    for number, turn in enumerate(conversation.turns, start=1):
        if not turn.text.strip():
            return f"turn {number} has no text"
    if references_needed and not conversation.references:
        return "there are no references (human summaries)"
    for number, reference in enumerate(conversation.references, start=1):
        if not reference.strip():
            return f"reference {number} has no text"
    return None


class JsonLinesFolder(Dataset):
    """A folder with `<split>.jsonl` for each split."""

    def splits(self) -> list[str]:
        return sorted(path.stem for path in self.folder.glob("*.jsonl"))

    def read(self, split: str) -> list[Conversation]:
        return read_jsonl(self.path(split))

    def path(self, split: str) -> Path:
        """A split's file. Raises `UsageError` if it does not exist."""
        path = self.folder / f"{split}.jsonl"
        if not path.is_file():
            raise unknown("split", split, self.splits())
        return path

    @property
    def folder(self) -> Path:
        """The folder with the files. Raises `PrerequisiteError` if it does not exist."""
        folder = Path(self.data_dir or "")
        if not self.data_dir or not folder.is_dir():
            raise PrerequisiteError(f"cannot read conversations from {self.data_dir}: the folder does not exist")
        return folder
