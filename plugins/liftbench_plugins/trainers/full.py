"""The trainer `full`: fine-tunes every weight, and leaves a whole model in bfloat16.

Importing this module imports no torch, so that options are checked without it.
"""

from __future__ import annotations

from typing import ClassVar

from .low_rank import TRLTrainer


class FullTrainer(TRLTrainer):
    """The same core as `lora` without an adapter: rows, loss, checkpoints and resume are those of `sft`."""

    name: ClassVar[str] = "full"
