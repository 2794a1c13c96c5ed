"""What a training leaves in a run directory and beside its adapter."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from .conversation import Scalar
from .run import SCHEMA
from .system import ModelRecord, PromptSpec

# ---------------------------------------------------------------------------------------------------------- training


class CurvePoint(Struct, frozen=True, kw_only=True):
    """One line of `training/curve.jsonl`."""

    step: int
    """Optimizer steps done."""
    epoch: float
    loss: float | None = None
    """Mean training loss per target token since the last point."""
    validation_loss: float | None = None
    """Per target token, on the tenth carved from the training split."""
    learning_rate: float | None = None
    seconds: float | None = None
    """Wall time since training began (this process)."""


class TrainingSummary(Struct, frozen=True, kw_only=True):
    """`training/summary.json`: what a training run used and chose."""

    trainer: str
    steps: int
    best_step: int
    best_validation_loss: float | None
    stopped_early: bool
    conversations: int
    """Training conversations given."""
    validation_conversations: int
    rows_trained: int
    """Rows (conversation, reference) that took part in at least one step."""
    rows_reported: dict[str, int]
    """Rows left out, by reason; rows in = rows trained + rows reported."""
    shortened: int
    """Rows whose conversation was shortened to fit."""
    target_tokens: int
    tokens: int
    """Tokens processed in training forward passes, prompts included, padding excluded."""
    trainable_parameters: int
    seconds: float
    peak_memory_bytes: int
    """Largest resident set of the process (CPU) or allocated memory (CUDA)."""
    device: str


class Provenance(Struct, frozen=True, kw_only=True):
    """`adapter/provenance.json`: where an adapter came from. Everything is optional: elsewhere nobody writes it."""

    schema: int = SCHEMA
    adapter_sha256: str | None = None
    """`AdapterRecord.sha256` as it was trained: of changed weights this file, and the rows beside it, tell nothing."""
    trainer: str | None = None
    base: ModelRecord | None = None
    precision: str | None = None
    prompt: PromptSpec | None = None
    options: dict[str, Scalar | list[str]] | None = None
    seed: int | None = None
    dataset: str | None = None
    train_split: str | None = None
    train_fingerprint: str | None = None
    rows: dict[str, str] | None = None
    """Id → sha256 of each conversation it was trained on or whose loss chose its checkpoint."""
    run: str | None = None
    family: str | None = None
    packages: dict[str, str] | None = None
    created: str | None = None


class TrainingRow(Struct, frozen=True, kw_only=True):
    """One line of `training/rows.jsonl`: a conversation used in training, as hashes that leakage checks can compare."""

    id: str
    part: Literal["train", "validation"]
    sha256: str
    """Of the normalized conversation text."""
    shingles: list[int]
    """The smallest hashes of its word 5-grams (a bottom-k MinHash sketch)."""
    reference_ngrams: list[int]
    """Hashes of the word 8-grams of its references."""
