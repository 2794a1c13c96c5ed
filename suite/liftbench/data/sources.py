"""Opening a data set by name or folder, and reading and cleaning its splits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ..errors import UsageError, unknown
from ..extension.loader import Plugins
from ..recipe.sections import DataSection
from ..records.conversation import Conversation
from ..stored_rows import hold
from .cleaning import CLEANING, clean
from .dataset import Dataset
from .jsonl import IMPORTED, JsonLinesFolder


def open_dataset(section: DataSection, plugins: Plugins) -> Dataset:
    """A registered data set by name, or a folder of JSON Lines. Raises `UsageError` for an unknown name."""
    names = {spec.name for spec in plugins.specs if spec.kind == "dataset"}
    if section.dataset in names:
        spec = plugins.find("dataset", section.dataset)
        kind: type[Dataset] = plugins.load(spec)
        if spec.options is None and not section.options:
            return kind(section.data_dir)
        return kind(section.data_dir, plugins.options(spec, section.options))
    if Path(section.dataset).is_dir():
        return JsonLinesFolder(section.dataset)
    raise unknown("dataset", section.dataset, names).also(" A folder with <split>.jsonl files works, too.")


def read_split(dataset: Dataset, section: DataSection, split: str) -> Sequence[Conversation]:
    """A split's conversations, cleaned unless the recipe says otherwise; many of them stay on disk (see `hold`).

    Raises `UsageError` for an unknown split, with the nearest names, and for a conversation that has no words left
    after cleaning.
    """
    splits = dataset.splits()
    if split not in splits and splits == [IMPORTED]:
        raise UsageError(f"{section.dataset} is not split yet", f"Split it with `bench data split {section.dataset}`.")
    if split not in splits:
        raise unknown("split", split, splits)
    conversations = dataset.each(split)
    return hold(_clean_each(conversations, section.dataset, split) if section.clean else conversations, Conversation)


def _clean_each(conversations: Iterable[Conversation], dataset: str, split: str) -> Iterator[Conversation]:
    for conversation in conversations:
        cleaned = clean(conversation)
        if not cleaned.turns or not all(cleaned.references):
            raise UsageError(
                f"{dataset} {split}: {cleaned.id!r} has no words left after cleaning",
                "Remove the conversation; `bench data split` does.",
            )
        yield cleaned


def cleaning(section: DataSection) -> str:
    """The cleaning's name and version, or `none`; it is part of a split's fingerprint."""
    return CLEANING if section.clean else "none"
