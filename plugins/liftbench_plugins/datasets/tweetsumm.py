"""TweetSumm (Feigenblat et al., 2021): customer support on Twitter, with one to five human summaries each.

Its licence does not allow this package to include it. It is read from a folder or the hub, in any form in which it is
distributed: the suite's JSON Lines, DialogStudio's JSON (also in a zip archive, or as the `datasets` library saves it),
or IBM's own files with Kaggle's table of tweets. The form is recognized by content.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path

import msgspec

from liftbench.plugin_api import (
    BAD_JSON,
    Conversation,
    Dataset,
    PrerequisiteError,
    UsageError,
    hub,
    read_jsonl,
    unknown,
)

from .reading import Readers, by_split, sort_splits, split_name
from .tweetsumm_dialogstudio import documents, read_documents
from .tweetsumm_original import holds_tweets, original_split, read_original
from .tweetsumm_saved import saved_splits

DEFAULT = "hub:Salesforce/dialogstudio"

FOLDERS = ("tweetsumm", "original", "dialogstudio")
"""Subfolders of the data folder that are searched; case is ignored."""

FILES = (".json", ".jsonl", ".zip", ".parquet")

INSTEAD = (
    "Put TweetSumm's files (DialogStudio's JSON, or IBM's JSON Lines and Kaggle's twcs.csv) into a folder and name it "
    "with --data-dir DIR (or LIFTBENCH_DATA_DIR)."
)


class TweetSumm(Dataset):
    """TweetSumm from a folder, or from a data set repository on the hub (DialogStudio's by default)."""

    def is_at_hand(self) -> bool:
        """Whether its folder exists, or the hub's files were downloaded before."""
        place = str(self.data_dir or DEFAULT)
        if not place.startswith(hub.HUB):
            return Path(place).is_dir()
        snapshot = hub.cached_snapshot(place, kind="dataset")
        return snapshot is not None and any("tweetsum" in path.name.casefold() for path in snapshot.rglob("*"))

    def splits(self) -> list[str]:
        return sort_splits(self._readers)

    def read(self, split: str) -> list[Conversation]:
        if split not in self._readers:
            raise unknown("split", split, self.splits())
        return self._readers[split]()

    @cached_property
    def _readers(self) -> Readers:
        place = str(self.data_dir or DEFAULT)
        return from_hub(place) if place.startswith(hub.HUB) else from_folder(Path(place))


def from_folder(folder: Path) -> Readers:
    """The splits in a folder, or in one of `FOLDERS` below it. Raises `PrerequisiteError` if there are none."""
    if not folder.is_dir():
        raise PrerequisiteError(f"cannot read TweetSumm from {folder}: the folder does not exist", INSTEAD)
    seen: list[str] = []
    for place in _places(folder):
        files = sorted(path for path in place.iterdir() if path.is_file())
        if readers := _readers(files, place):
            return readers
        seen += [path.name for path in files]
    found = f" (it has {', '.join(seen[:5])}{', …' if len(seen) > 5 else ''})" if seen else ""
    raise PrerequisiteError(f"{folder} has no TweetSumm files{found}", INSTEAD)


def from_hub(reference: str) -> Readers:
    """The splits in a data set repository, wherever in it the JSON files or archives of TweetSumm are.

    Raises `UsageError` if the repository does not exist or does not have TweetSumm, and `PrerequisiteError` if the hub
    cannot be reached.
    """
    repository, revision = hub.parse(reference)
    own = "tweetsum" in repository.casefold()
    patterns = [f"*{_ignore_case(name)}" for name in (FILES if own else [f"tweetsum*{suffix}" for suffix in FILES])]
    snapshot = hub.download(repository, revision, kind="dataset", allow=patterns, instead=INSTEAD)
    if readers := _readers(sorted(path for path in snapshot.rglob("*") if path.is_file()), snapshot):
        return readers
    raise UsageError(f"{reference} has no JSON file or zip archive of TweetSumm", INSTEAD)


def _readers(files: Sequence[Path], place: Path) -> Readers:
    lines = {path: _fields(path) for path in files if path.suffix.lower() == ".jsonl"}
    own = [path for path, fields in lines.items() if "turns" in fields]
    original = [path for path, fields in lines.items() if "tweet_ids_sentence_offset" in fields]
    converted = [document for path in files for document in documents(path)]
    saved = saved_splits(files, place)
    present = [
        f"{name} ({first})"
        for name, first in (
            ("the suite's JSON Lines", own[0].name if own else ""),
            ("IBM's files", original[0].name if original else ""),
            ("DialogStudio's JSON", converted[0].path.name if converted else ""),
            ("DialogStudio's rows", next(iter(saved), "")),
        )
        if first
    ]
    if len(present) > 1:
        raise UsageError(f"{place} holds TweetSumm as {' and as '.join(present)}", "Keep one of them in a folder.")
    if original:
        tables = [path for path in files if path.suffix.lower() == ".csv" and holds_tweets(path)]
        found = by_split(original, original_split)
        return {split: partial(read_original, path, tables) for split, path in found.items()}
    if converted:
        splits = read_documents(converted)
        return {split: partial(list, conversations) for split, conversations in splits.items()}
    if saved:
        return saved
    return {
        split: partial(read_jsonl, path) for split, path in by_split(own, lambda path: split_name(path.stem)).items()
    }


def _fields(path: Path) -> set[str]:
    """The fields of the first row of a JSON Lines file; none if the file is empty or the row is not an object."""
    with path.open("rb") as lines:
        first = next((line for line in lines if line.strip()), b"{}")
    try:
        row = msgspec.json.decode(first)
    except BAD_JSON as error:
        raise UsageError(f"{path}, line 1: {error}") from error
    return set(row) if isinstance(row, dict) else set()


def _places(folder: Path) -> list[Path]:
    below = sorted(path for path in folder.iterdir() if path.name.casefold() in FOLDERS and path.is_dir())
    return [folder, *(place for path in below for place in _places(path))]


def _ignore_case(pattern: str) -> str:
    """A pattern such as `[tT][wW]…` that ignores case, which the hub's patterns do not."""
    return "".join(f"[{c.lower()}{c.upper()}]" if c.isalpha() else c for c in pattern)
