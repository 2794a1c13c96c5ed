"""TweetSumm as DialogStudio converted it: JSON files, or a zip archive of them, with keys `TweetSumm--<split>--<n>`."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

import msgspec
from msgspec import Struct, field

from liftbench.plugin_api import BAD_JSON, Conversation, Turn, UsageError

from .reading import split_name

FIRST_KEY = re.compile(rb'\s*\{\s*"tweetsum[^"-]*--\w+--\d+"\s*:', re.IGNORECASE)
KEY = re.compile(r"tweetsum[^-]*--(\w+)--(\d+)", re.IGNORECASE)

HEAD_BYTES = 4096
LARGEST_BYTES = 1 << 30
"""The largest member of an archive that is unpacked; the real files have about ten megabytes."""


class _Exchange(Struct, frozen=True):
    """An utterance of the customer and the answer; either can be empty, and each may join several tweets."""

    user: str = field(name="user utterance", default="")
    system: str = field(name="system response", default="")


class _Extract(Struct, frozen=True):
    sentences: list[str]


class _Summaries(Struct, frozen=True):
    abstractive: list[list[str] | None] = field(name="abstractive_summaries")
    extractive: list[list[_Extract] | None] = field(name="extractive_summaries", default_factory=list)


class _Info(Struct, frozen=True):
    summaries: _Summaries


class Dialog(Struct, frozen=True):
    """A conversation as DialogStudio writes it."""

    id: str = field(name="original dialog id")
    info: _Info = field(name="original dialog info")
    log: list[_Exchange]


class Document(Struct, frozen=True):
    """A JSON file, or a JSON file in a zip archive, which is read into memory and never unpacked to disk."""

    path: Path
    member: str | None = None

    def __str__(self) -> str:
        return str(self.path) if self.member is None else f"{self.member} in {self.path}"

    def read(self, size: int = -1) -> bytes:
        """The first `size` bytes, by default all. Raises `UsageError` for an archive that cannot be read."""
        if self.member is None:
            with self.path.open("rb") as file:
                return file.read(size)
        try:
            with zipfile.ZipFile(self.path) as archive:
                if archive.getinfo(self.member).file_size > LARGEST_BYTES:
                    raise UsageError(f"{self}: unpacked, it is larger than the limit of {LARGEST_BYTES >> 20} MiB")
                with archive.open(self.member) as file:
                    return file.read(size)
        except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
            raise UsageError(f"{self}: the archive cannot be read: {error}") from error


def documents(path: Path) -> list[Document]:
    """TweetSumm's documents in a `.json` or `.zip` file, recognized by their first key; none in any other file."""
    found = [Document(path)] if path.suffix.lower() == ".json" else []
    if path.suffix.lower() == ".zip":
        found = [Document(path, member) for member in _json_members(path)]
    return [document for document in found if FIRST_KEY.match(document.read(HEAD_BYTES))]


def read_documents(sources: Iterable[Document]) -> dict[str, list[Conversation]]:
    """Split → conversations, sorted by their numbers; those without an abstractive summary are left out.

    The published examples repeat the first conversations of the training split; equal conversations count once. Raises
    `UsageError` with file, key and reason for a malformed conversation, and for two different ones with the same key.
    """
    dialogs: dict[tuple[str, int], Dialog] = {}
    for source in sources:
        try:
            entries = msgspec.json.decode(source.read(), type=dict[str, msgspec.Raw])
        except BAD_JSON as error:
            raise UsageError(f"{source}: {error}") from error
        for name, raw in entries.items():
            key = _key(name, source)
            try:
                dialog = msgspec.json.decode(raw, type=Dialog)
            except BAD_JSON as error:
                raise UsageError(f"{source}, {name}: {error}") from error
            if dialogs.setdefault(key, dialog) != dialog:
                raise UsageError(f"{source}, {name}: another file has a different conversation with this key")
    splits: dict[str, list[Conversation]] = {}
    for (split, _), dialog in sorted(dialogs.items()):
        conversation = to_conversation(dialog)
        if conversation.references:
            splits.setdefault(split, []).append(conversation)
    return splits


def _json_members(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile as error:
        raise UsageError(f"{path}: the archive cannot be read: {error}") from error
    # macOS adds resource forks with the same names to an archive: `__MACOSX/TweetSumm/._train.json`.
    return [name for name in names if name.lower().endswith(".json") and not name.rpartition("/")[2].startswith(".")]


def _key(name: str, source: Document) -> tuple[str, int]:
    matched = KEY.fullmatch(name)
    if matched is None:
        raise UsageError(f"{source}, {name}: the key does not have the form TweetSumm--train--1")
    return split_name(matched[1]), int(matched[2])


def to_conversation(dialog: Dialog) -> Conversation:
    """The conversation with all its summaries and extracts."""
    said = [turn for pair in dialog.log for turn in (("customer", pair.user), ("agent", pair.system))]
    summaries = dialog.info.summaries
    return Conversation(
        id=dialog.id,
        turns=tuple(Turn(role=role, text=text) for role, text in said if text.strip()),
        references=tuple(" ".join(sentences) for sentences in summaries.abstractive if sentences),
        metadata={"source": "DialogStudio"},
        extracts=tuple(
            " ".join(sentence for turn in extract for sentence in turn.sentences)
            for extract in summaries.extractive
            if extract
        ),
    )
