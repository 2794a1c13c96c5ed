"""From a data set's name or folder to its conversations."""

from __future__ import annotations

from pathlib import Path

from ..config import DataSection
from ..contracts import Dataset
from ..errors import unknown
from ..plugins import Plugins
from ..types import Conversation
from .jsonl import JsonLinesFolder


def open_dataset(section: DataSection, plugins: Plugins) -> Dataset:
    """A registered data set by name, or a folder of JSON Lines. Raises `UsageError` for an unknown name."""
    names = {spec.name for spec in plugins.specs if spec.kind == "dataset"}
    if section.dataset in names:
        spec = plugins.find("dataset", section.dataset)
        opened: Dataset = plugins.load(spec)(Path(section.data_dir) if section.data_dir else None)
        return opened
    if Path(section.dataset).is_dir():
        return JsonLinesFolder(Path(section.dataset))
    error = unknown("dataset", section.dataset, names)
    raise type(error)(f"{error} (or a folder with <split>.jsonl files)")


def read_split(dataset: Dataset, split: str) -> list[Conversation]:
    """A split's conversations. Raises `UsageError` naming the nearest splits for an unknown one."""
    if split not in dataset.splits():
        raise unknown("split", split, dataset.splits())
    return dataset.read(split)
