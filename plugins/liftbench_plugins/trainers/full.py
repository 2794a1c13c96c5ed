"""The trainer `full`: fine-tunes every weight, and leaves a whole model in bfloat16.

Importing this module imports no torch, so that options are checked without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from .trl_trainer import TRLTrainer


class FullTrainer(TRLTrainer):
    """All weights of a base with float32 masters, by the same steps as `lora`."""

    name: ClassVar[str] = "full"
    search_space: ClassVar[Mapping[str, str]] = {
        "learning_rate": "1e-5..2e-4:log",
        "batch_size": "4,8",
        "epochs": "1,2,3",
    }
