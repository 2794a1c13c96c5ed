"""The suite's own format: JSON Lines, one conversation a line, in `<folder>/<split>.jsonl`."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from ..errors import PrerequisiteError, UsageError, unknown
from ..files import BAD_JSON
from ..records.conversation import Conversation, Turn
from .dataset import Dataset
from .intake.transcripts import transcript_turns

IMPORTED = "conversations"
"""The only split of a folder that was imported but not yet split."""

_decoder = msgspec.json.Decoder(Conversation)


def read_jsonl(path: Path) -> list[Conversation]:
    """The conversations of a file, in order. Raises `UsageError` as `each_in_jsonl` does, and for an empty file."""
    return list(_some_in_jsonl(path))


def _some_in_jsonl(path: Path) -> Iterator[Conversation]:
    conversations = each_in_jsonl(path)
    first = next(conversations, None)
    if first is None:
        raise UsageError(f"{path}: the file has no conversations")
    yield first
    yield from conversations


def each_in_jsonl(path: Path, *, references_needed: bool = True) -> Iterator[Conversation]:
    """The conversations of a file, one at a time, so that memory holds only the ids.

    Raises `UsageError` as `each_in_lines` does, and for a repeated id.
    """
    seen: dict[str, int] = {}
    with path.open("rb") as lines:
        for number, conversation in _numbered(lines, str(path), references_needed=references_needed):
            if conversation.id in seen:
                raise UsageError(
                    f"{path}, line {number}: id {conversation.id!r} was seen on line {seen[conversation.id]}"
                )
            seen[conversation.id] = number
            yield conversation


def each_in_lines(lines: Iterable[bytes], source: str) -> Iterator[Conversation]:
    """The conversations of JSON Lines, one at a time; references are not needed, and memory holds one of them.

    Raises `UsageError` with source, line and reason: not JSON, a field missing or of a wrong type, a conversation
    without turns, a turn or reference without text.
    """
    for _, conversation in _numbered(lines, source, references_needed=False):
        yield conversation


def _numbered(lines: Iterable[bytes], source: str, *, references_needed: bool) -> Iterator[tuple[int, Conversation]]:
    for number, line in enumerate(lines, start=1):
        text = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line  # Windows programs write the mark.
        if not text.strip():
            continue
        try:
            conversation = _decoder.decode(text)
        except BAD_JSON as error:
            raise UsageError(f"{source}, line {number}: {error}") from error
        if reason := _fault(conversation, references_needed=references_needed):
            raise UsageError(f"{source}, line {number}: {reason}")
        yield number, conversation


def parse_conversation(raw: bytes, source: str) -> Conversation:
    """One conversation from JSON (references not needed) or from plain text with one turn per line: `Customer: …`.

    A line of plain text without a known speaker continues the turn above it. Raises `UsageError`.
    """
    stripped = raw.strip()
    if stripped.startswith(b"{"):
        try:
            conversation = _decoder.decode(stripped)
        except BAD_JSON as error:
            raise UsageError(f"{source}: {error}") from error
        reason = _fault(conversation, references_needed=False)
        if reason:
            raise UsageError(f"{source}: {reason}")
        return conversation
    return _parse_text(stripped, source)


def _parse_text(raw: bytes, source: str) -> Conversation:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{source}: not UTF-8 text ({error.reason} at byte {error.start})") from error
    turns = transcript_turns(text)
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

    def each(self, split: str) -> Iterator[Conversation]:
        if type(self).read is not JsonLinesFolder.read:
            return super().each(split)  # what a plugin's own `read` does
        return _some_in_jsonl(self.path(split))

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
