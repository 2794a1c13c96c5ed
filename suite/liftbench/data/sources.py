"""Opening a data set by name or folder, and reading and cleaning its splits."""

from __future__ import annotations

from pathlib import Path

from ..errors import UsageError, unknown
from ..extension.loader import Plugins
from ..recipe.sections import DataSection
from ..records.conversation import Conversation
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


def read_split(dataset: Dataset, section: DataSection, split: str) -> list[Conversation]:
    """A split's conversations, cleaned unless the recipe says otherwise.

    Raises `UsageError` for an unknown split, with the nearest names, and for a conversation that has no words left
    after cleaning.
    """
    splits = dataset.splits()
    if split not in splits and splits == [IMPORTED]:
        raise UsageError(f"{section.dataset} is not split yet", f"Split it with `bench data split {section.dataset}`.")
    if split not in splits:
        raise unknown("split", split, splits)
    conversations = dataset.read(split)
    if not section.clean:
        return conversations
    cleaned = [clean(conversation) for conversation in conversations]
    for conversation in cleaned:
        if not conversation.turns or not all(conversation.references):
            raise UsageError(
                f"{section.dataset} {split}: {conversation.id!r} has no words left after cleaning",
                "Remove the conversation; `bench data split` does.",
            )
    return cleaned


def cleaning(section: DataSection) -> str:
    """The cleaning's name and version, or `none`; it is part of a split's fingerprint."""
    return CLEANING if section.clean else "none"
