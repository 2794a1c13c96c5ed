"""What lies beside the weights in a model's folder, in transformers' format. Importing this module imports no torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CONFIG = "config.json"
INDEX = "model.safetensors.index.json"
"""The file that says which of several files of a model holds a weight."""

SUFFIXES = (".json", ".jinja", ".model", ".txt")
"""Of the configuration, the generation config, the tokenizer and the chat template."""

OF_OTHER_WEIGHTS = (CONFIG, INDEX, "provenance.json", "conversion.json")
"""Files that do not hold for new weights; the last two say where the old ones came from: a training, or a GGUF file."""


def settings_in(folder: Path) -> list[Path]:
    """The files that a model with new weights takes from this one as they are."""
    return [
        path
        for path in folder.iterdir()
        if path.suffix in SUFFIXES and path.name not in OF_OTHER_WEIGHTS and path.is_file()
    ]


def write_config(path: Path, config: dict[str, Any]) -> None:
    """Write a configuration in a fixed order, so that equal ones have equal bytes."""
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
