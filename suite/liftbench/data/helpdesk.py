"""helpdesk, the corpus that ships with the package; its files are checked against frozen hashes before reading."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

from ..errors import PrerequisiteError
from ..files import file_sha256
from .jsonl import JsonLinesFolder

FROZEN = {
    "train": "dc36f305e55300e4ab01373cc8e89b82279e7e245bdf9b8ea42ba780f4dc4ac3",
    "validation": "5dc575785aa145a9041a5ea1ceb281b4166186eed30bf08112788e6df6411166",
    "test": "e1f374adfc1af1f40a705685a5911e90e6a9ab4679a01c283d9deb35985eda7a",
}
"""Split → sha256 of its file, frozen before the first model was trained on it. Test and validation are those of the
first version; train has grown once, from 128 conversations."""


class Helpdesk(JsonLinesFolder):
    """636 conversations in train, validation and test; the data card is in the same folder."""

    def __init__(self, data_dir: str | None, options: Any = None) -> None:
        # The corpus is in the package, so the user's data folder does not matter.
        del data_dir
        super().__init__(str(resources.files("liftbench") / "corpora" / "helpdesk"), options)

    def path(self, split: str) -> Path:
        """A split's file. Raises `PrerequisiteError` if its hash is not the frozen one."""
        path = super().path(split)
        if file_sha256(path) != FROZEN[split]:
            raise PrerequisiteError(
                f"{path.name} of helpdesk is not the file that ships with this version", "Install liftbench again."
            )
        return path
