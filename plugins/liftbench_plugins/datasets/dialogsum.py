"""DialogSum (Chen et al., 2021) in its own format: everyday dialogues with one human summary each, three in `test`."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path

from msgspec import Struct

from liftbench.plugin_api import Conversation, Dataset, PrerequisiteError, Turn, UsageError, unknown

from .reading import by_split, each_row, sort_splits, split_name

TURN = re.compile(r"#\s*(\w[\w ]*?)\s*#\s*:\s*(.*)", re.DOTALL)


class _Row(Struct, frozen=True):
    fname: str
    dialogue: str
    summary: str = ""
    summary1: str = ""
    summary2: str = ""
    summary3: str = ""
    topic: str = ""
    topic1: str = ""
    """The topic of the first summary: the test split has one for each summary."""


class DialogSum(Dataset):
    """`dialogsum.{train,dev,test}.jsonl` in the data folder, or in `dialogsum/` below it."""

    def splits(self) -> list[str]:
        return sort_splits(self._files)

    def read(self, split: str) -> list[Conversation]:
        """Raises `UsageError` with file, line and reason: a malformed row, no speaker, no summary, a repeated id."""
        if split not in self._files:
            raise unknown("split", split, self.splits())
        path = self._files[split]
        conversations: dict[str, Conversation] = {}
        for where, row in each_row(path, _Row):
            if row.fname in conversations:
                raise UsageError(f"{where}: fname {row.fname!r} occurs twice")
            conversations[row.fname] = _conversation(row, where)
        if not conversations:
            raise UsageError(f"{path}: the file has no conversations")
        return list(conversations.values())

    @cached_property
    def _files(self) -> dict[str, Path]:
        fix = (
            "Put dialogsum.train.jsonl, dialogsum.dev.jsonl, … into a folder and name it with --data-dir DIR (or "
            "LIFTBENCH_DATA_DIR)."
        )
        if self.data_dir is None:
            raise PrerequisiteError("DialogSum's licence does not allow this package to include it", fix)
        for folder in (Path(self.data_dir), Path(self.data_dir) / "dialogsum"):
            if files := by_split(sorted(folder.glob("dialogsum.*.jsonl")), _split):
                return files
        raise PrerequisiteError(f"{self.data_dir} has no DialogSum files", fix)


def _split(path: Path) -> str:
    return split_name(path.stem.removeprefix("dialogsum."))


def _conversation(row: _Row, where: str) -> Conversation:
    turns: list[Turn] = []
    for line in filter(None, map(str.strip, row.dialogue.splitlines())):
        if matched := TURN.fullmatch(line):
            turns.append(Turn(role=matched[1].replace(" ", "").casefold(), text=matched[2]))
        elif turns:
            turns[-1] = Turn(role=turns[-1].role, text=f"{turns[-1].text} {line}".strip())
        else:
            raise UsageError(f"{where}: the dialogue does not begin with a speaker (#Person1#: …): {line[:40]!r}")
    turns = [turn for turn in turns if turn.text]
    if not turns:
        raise UsageError(f"{where}: the dialogue is empty")
    references = tuple(filter(str.strip, (row.summary, row.summary1, row.summary2, row.summary3)))
    if not references:
        raise UsageError(f"{where}: the row has no summary (summary, or summary1 to summary3)")
    topic = row.topic or row.topic1
    return Conversation(
        id=row.fname, turns=tuple(turns), references=references, metadata={"topic": topic} if topic else {}
    )
