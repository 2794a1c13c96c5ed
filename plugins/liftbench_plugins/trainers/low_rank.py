"""The trainers `lora` and `qlora`: low-rank adapters (Hu et al. 2021, arXiv:2106.09685) on a base in bfloat16, or in
NF4 after Dettmers et al. 2023 (arXiv:2305.14314).

Importing this module imports no torch, so that options are checked without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from .trl_trainer import TRLTrainer


class LoRATrainer(TRLTrainer):
    """A low-rank adapter on a base in bfloat16, by PEFT."""

    name: ClassVar[str] = "lora"
    launchable: ClassVar[bool] = True
    search_space: ClassVar[Mapping[str, str]] = {
        "learning_rate": "1e-4..3e-3:log",
        "rank": "8,16,32",
        "batch_size": "4,8",
        "epochs": "1,2,3",
    }


class QLoRATrainer(LoRATrainer):
    """A low-rank adapter on a base in NF4, by PEFT and bitsandbytes."""

    name: ClassVar[str] = "qlora"
    precision: ClassVar[str] = "nf4"
