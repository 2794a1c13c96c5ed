"""What a data set plugin must do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

from ..records.conversation import Conversation

# --------------------------------------------------------------------------------------------------------- data sets


class Dataset(ABC):
    """A data set with named splits. The suite cleans what it reads; the data set does not."""

    def __init__(self, data_dir: str | None, options: Any = None) -> None:
        self.data_dir = data_dir
        """Where the data is, as the user gave it: a folder, or `hub:org/name`."""
        self.options = options
        """An instance of the spec's options type; None if the spec has no options type."""

    def is_at_hand(self) -> bool:
        """Whether it can be read without a download."""
        return True

    @abstractmethod
    def splits(self) -> list[str]:
        """The names of the splits that can be read."""

    @abstractmethod
    def read(self, split: str) -> list[Conversation]:
        """All conversations of a split, in the order of the source. Raises `UsageError` with file, line and reason."""

    def each(self, split: str) -> Iterator[Conversation]:
        """The same, one at a time; worth its own code where a split may be larger than memory."""
        yield from self.read(split)
