"""The trainer `full`: fine-tunes every weight, and leaves a whole model in bfloat16.

Importing this module imports no torch, so that options are checked without it.
"""

from __future__ import annotations

from typing import ClassVar

from .low_rank import TRLTrainer


class FullTrainer(TRLTrainer):
    """All weights of a base with float32 masters, by the same steps as `lora`."""

    name: ClassVar[str] = "full"
