"""What a training leaves in a run directory and beside its adapter."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from .conversation import Scalar
from .run import SCHEMA
from .system import Exported, ModelRecord, PromptSpec


class CurvePoint(Struct, frozen=True, kw_only=True):
    """One line of `training/curve.jsonl`."""

    step: int
    """Number of optimizer steps so far."""
    epoch: float
    """Number of passes over the training rows so far."""
    loss: float | None = None
    """Mean training loss per target token since the last point."""
    validation_loss: float | None = None
    """Mean loss per target token on the part of the training split that chooses the checkpoint."""
    learning_rate: float | None = None
    """Learning rate at this step."""
    seconds: float | None = None
    """Wall time since this process began to train."""
    tokens: int | None = None
    """Number of tokens in the forward passes of all training steps so far, those before a resume included."""
    memory_bytes: int | None = None
    """The most memory so far, as in `TrainingSummary.peak_memory_bytes`."""


class TrainingSummary(Struct, frozen=True, kw_only=True):
    """`training/summary.json`: what a training used, and which checkpoint it chose. A trainer leaves out what it does
    not know."""

    trainer: str
    """Name of the trainer plugin."""
    steps: int | None = None
    """Number of optimizer steps."""
    best_step: int | None = None
    """The step whose checkpoint became the result."""
    best_validation_loss: float | None = None
    """Validation loss of that checkpoint; None without validation conversations."""
    stopped_early: bool = False
    """Whether training ended before all planned steps."""
    conversations: int
    """Number of conversations trained on."""
    validation_conversations: int
    """Number of conversations kept apart to choose the checkpoint."""
    rows_trained: int | None = None
    """Number of references that took part in at least one step."""
    rows_reported: dict[str, int] = {}
    """Reason → number of references left out for it. With `rows_trained` they add up to all references."""
    shortened: int | None = None
    """Number of trained references whose conversation was shortened to fit."""
    target_tokens: int | None = None
    """Number of tokens that the loss was computed on."""
    tokens: int | None = None
    """Number of tokens in all forward passes of the training: prompts count, padding and validation do not."""
    trainable_parameters: int
    """Number of parameters in the adapter, or in the whole model."""
    seconds: float
    """Wall time of the training."""
    peak_memory_bytes: int | None = None
    """On a CPU the largest resident set of the process; on a GPU the most memory that torch allocated."""
    device: str | None = None
    """The device that trained: `cpu`, or the model of the GPU."""
    processes: int | None = None
    """Number of processes that trained together (`--launch`); None where it was one. Memory is the main one's."""


class Provenance(Struct, frozen=True, kw_only=True):
    """`adapter/provenance.json`: where an adapter came from. The fields are optional, because an adapter trained
    elsewhere has no such file."""

    schema: int = SCHEMA
    """Version of the run format."""
    adapter_sha256: str | None = None
    """`AdapterRecord.sha256` after training. If the weights have another hash now, they were changed, and this file and
    the rows beside it do not describe them."""
    trainer: str | None = None
    """Name of the trainer plugin."""
    base: ModelRecord | None = None
    """The model that the adapter was trained on."""
    precision: str | None = None
    """Precision of the base during training."""
    prompt: PromptSpec | None = None
    """The prompt of the training rows."""
    options: dict[str, Scalar | list[str]] | None = None
    """The trainer's options."""
    seed: int | None = None
    """Seed of the training."""
    trials: int | None = None
    """Number of trainings that `bench sweep` compared to choose the options; None without a sweep."""
    dataset: str | None = None
    """The data set's label."""
    train_split: str | None = None
    """The split that was trained on."""
    train_fingerprint: str | None = None
    """Fingerprint of the conversations that were used."""
    rows: dict[str, str] | None = None
    """Id → sha256 of each conversation that was trained on or helped to choose the checkpoint."""
    run: str | None = None
    """Id of the run that trained the adapter."""
    family: str | None = None
    """`Manifest.family` of that run."""
    packages: dict[str, str] | None = None
    """Package → installed version."""
    created: str | None = None
    """When the adapter was trained: UTC, ISO 8601."""
    exported: Exported | None = None
    """Set beside a whole model that `bench export` made of the training's result; `adapter_sha256` is then its own."""
    sha256: str | None = None
    """Hash of all other fields. If the file has another one now, it was edited, and counts as if it were not there."""


class TrainingRow(Struct, frozen=True, kw_only=True):
    """One line of `training/rows.jsonl`: a conversation used in training, as hashes for the search for leaks."""

    id: str
    """Id of the conversation."""
    part: Literal["train", "validation"]
    """`train`: it was trained on; `validation`: it helped to choose the checkpoint."""
    sha256: str
    """Hash of the normalized text of the conversation."""
    shingles: list[int]
    """The smallest hashes of the conversation's word 5-grams (a bottom-k MinHash sketch)."""
    reference_ngrams: list[int]
    """Hashes of the word 8-grams of the references."""
