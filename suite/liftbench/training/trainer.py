"""What a trainer plugin is given, and what it must do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from msgspec import Struct

from ..progress import Progress
from ..records.conversation import Conversation
from ..records.system import ModelRecord, PromptSpec
from ..records.training import CurvePoint, TrainingSummary

# ---------------------------------------------------------------------------------------------------------- trainers


class TrainRequest(Struct, frozen=True, kw_only=True):
    """All that a trainer is given. It never holds the scored split."""

    model: Path
    """Local folder of the base."""
    model_record: ModelRecord
    train: tuple[Conversation, ...]
    validation: tuple[Conversation, ...]
    """Carved from the training split, for choosing the checkpoint; none of it has a duplicate in `train`."""
    prompt: PromptSpec
    max_input_tokens: int
    """Budget of the prompt; shorten the conversation (`render` does), never the reference."""
    max_new_tokens: int
    """The scored system's output budget; references longer than this are still trained on whole."""
    options: Any
    """Of the spec's options type."""
    seed: int
    folder: Path
    """The run's `training/` folder: checkpoints go into `folder / "checkpoints"`, the result into `folder / "adapter"`.
    If checkpoints of an interrupted training are there, continue from the newest whole one."""
    record: Callable[[CurvePoint], None]
    """Appends to the training curve; after a resume, later points than the one recorded are dropped first."""
    progress: Progress


class TrainResult(Struct, frozen=True, kw_only=True):
    adapter: Path
    """Folder in PEFT's format, weights in safetensors."""
    precision: str
    """The base's precision while training; the adapter is scored on the base in this precision."""
    summary: TrainingSummary


class Trainer(ABC):
    """Fine-tunes a base model into an adapter."""

    precision: ClassVar[str]
    """Of the base, while training."""

    @abstractmethod
    def train(self, request: TrainRequest) -> TrainResult:
        """Train, or continue an interrupted training of the same request, and leave the best adapter behind."""
