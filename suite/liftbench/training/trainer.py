"""What a trainer plugin is given, and what it must do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from msgspec import Struct

from ..progress import Progress
from ..records.conversation import Conversation
from ..records.system import ModelRecord, PromptSpec
from ..records.training import CurvePoint, TrainingSummary
from .ranks import Ranks

# ---------------------------------------------------------------------------------------------------------- trainers


class TrainRequest(Struct, frozen=True, kw_only=True):
    """Everything that a trainer is given. It never includes the scored split."""

    model: Path
    """Local folder of the base."""
    model_record: ModelRecord
    train: tuple[Conversation, ...]
    validation: tuple[Conversation, ...]
    """A part of the training split that chooses the checkpoint; it has no duplicates of conversations in `train`."""
    prompt: PromptSpec
    max_input_tokens: int
    """Budget of the prompt: shorten the conversation to fit (`render` does), never the reference."""
    max_new_tokens: int
    """The output budget of the scored system; train on longer references as a whole, too."""
    options: Any
    """An instance of the spec's options type."""
    seed: int
    folder: Path
    """The run's `training/` folder: checkpoints go into `folder / "checkpoints"`, the result into `folder / "adapter"`.
    If it has checkpoints of an interrupted training, continue from the newest complete one."""
    record: Callable[[CurvePoint], None]
    """Appends to the training curve; after a resume, old points from the new point's step on are dropped first."""
    progress: Progress
    ranks: Ranks = Ranks()
    """Which process this is, if several train together (`--launch`); only the main one writes files."""


class TrainResult(Struct, frozen=True, kw_only=True):
    adapter: Path
    """A folder with an adapter in PEFT's format, or with a whole model in transformers' format (`config.json`, weights,
    tokenizer); the weights are in safetensors."""
    precision: str
    """The precision of the base in training, or of the whole model; it is scored in the same precision."""
    summary: TrainingSummary


class TrainingSize(NamedTuple):
    """How much a training does, if no evaluation stops it early."""

    steps: int
    """Number of optimizer steps."""
    conversations: int
    """Number of conversations over all passes."""


class TrainingEstimate(Struct, frozen=True, kw_only=True):
    """What a training would take on this machine, if no evaluation stops it early."""

    steps: int
    """Number of optimizer steps."""
    target_tokens: int
    """Number of tokens that the loss is computed on."""
    tokens: int
    """Number of tokens in all forward passes of the training: prompts count, padding and validation do not."""
    evaluations: int
    """How often the validation loss is measured."""
    seconds: float
    """Wall time with loading, evaluations and checkpoints, while the machine is as busy as it was when it was asked."""
    peak_memory_bytes: int
    """As in `TrainingSummary`: on a CPU the largest resident set, on a GPU the most memory that torch allocates."""
    weights_bytes: int
    """The part of it that the weights of the base and of the adapter take."""
    available_bytes: int
    """Memory that this process could have taken when it was asked."""
    device: str
    """The device that would train: `cpu`, or the model of the GPU."""
    micro_batch: int
    """The micro-batch of the options."""
    peaks: dict[int, int]
    """Micro-batch → peak memory in bytes, for each that divides the batch size."""
    proposed_micro_batch: int | None
    """The micro-batch to train with; None: memory suffices for none."""
    lower: tuple[str, ...] = ()
    """Settings that lower the peak further, the most effective first."""
    passes: int
    """Number of forward and backward passes that this was predicted from."""
    calibration_seconds: float
    """What the prediction took."""


class Trainer(ABC):
    """Fine-tunes a base model into an adapter, or into another whole model."""

    precision: ClassVar[str]
    """The precision of the base in training."""
    launchable: ClassVar[bool] = False
    """Whether several processes may call `train` together: each with its part of a batch, as `request.ranks` says."""

    search_space: ClassVar[Mapping[str, str]] = {}
    """What `bench sweep` varies by default: option → its values, `1e-4..3e-3:log` or `8,16,32`."""

    def base_precision(self, options: Any) -> str:  # noqa: ARG002 - for trainers that have the choice
        """The precision of the base in a training with these options."""
        return self.precision

    @abstractmethod
    def train(self, request: TrainRequest) -> TrainResult:
        """Train, or continue an interrupted training of the same request, and leave the best result behind."""

    def size(self, options: Any, conversations: int) -> TrainingSize | None:  # noqa: ARG002 - for trainers that can say
        """How much a training of a number of conversations does; None if this trainer cannot say.

        It is asked before each training, so that people know what they begin; it must cost nothing.
        """
        return None

    def estimate(self, request: TrainRequest) -> TrainingEstimate | None:  # noqa: ARG002 - for trainers that can say
        """What `train` would take with this request; None if this trainer cannot say.

        It is called in a process of its own, whose largest resident set is therefore that of the training alone. It may
        train a little: whatever it leaves in `request.folder` is deleted.
        """
        return None
