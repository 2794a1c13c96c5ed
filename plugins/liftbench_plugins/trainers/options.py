"""What a recipe may ask of the trainers `lora`, `qlora` and `full`; importable without torch."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from .rows import References

Count = Annotated[int, Meta(ge=1)]
Positive = Annotated[float, Meta(gt=0)]
Fraction = Annotated[float, Meta(ge=0, lt=1)]


class TrainingOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all trainings on TRL have in common."""

    learning_rate: Positive
    """The peak, after the warm-up and before the cosine decay."""
    neftune: Annotated[float, Meta(ge=0)] = 0.0
    """Scale of the noise on embedded tokens in training (NEFTune, Jain et al. 2023: 5 to 15); 0: none."""
    references: References = "all"
    """References of a conversation that a pass trains: `all` of them behind one prompt, or the next `one` in
    rotation."""
    epochs: Positive = 1.5
    """Passes over the conversations; fractions are allowed."""
    max_steps: Count | None = None
    """The largest number of optimizer steps; the learning rate schedule is fitted to it."""
    batch_size: Count = 8
    """Conversations per optimizer step."""
    micro_batch: Count = 1
    """Conversations per forward pass; must divide `batch_size`. A larger number takes more memory, and saves time on a
    GPU."""
    warmup: Fraction = 0.05
    """Fraction of the steps during which the learning rate rises."""
    weight_decay: Annotated[float, Meta(ge=0)] = 0.0
    """Decoupled weight decay of AdamW."""
    max_grad_norm: Annotated[float, Meta(ge=0)] = 1.0
    """Longer gradients are scaled down to this norm; 0 disables clipping."""
    evaluations_per_epoch: Count = 2
    """How often the validation loss is measured; the checkpoint with the lowest becomes the result."""
    patience: Count = 3
    """Training stops after this number of evaluations in a row without improvement."""
    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass: slower, but with much less memory."""

    def __post_init__(self) -> None:
        if self.batch_size % self.micro_batch:
            raise ValueError(f"batch_size ({self.batch_size}) is not a multiple of micro_batch ({self.micro_batch})")


class LoRAOptions(TrainingOptions, frozen=True, kw_only=True):
    """The options of a low-rank training, with defaults for a LLaMA of 0.1 to 1 billion weights.

    With `qlora` the base is in NF4 with double quantization, with `lora` in bfloat16. It computes in bfloat16, and the
    adapter's weights are float32.
    """

    rank: Count = 16
    """Rank of the adapter's matrices."""
    alpha: Count = 32
    """The adapter's output is scaled by alpha / rank."""
    rslora: bool = False
    """Scale by alpha / √rank instead, so that high ranks learn as fast as low ones (Kalajdzievski 2023)."""
    dora: bool = False
    """Train the weights' magnitudes apart from their directions (Liu et al. 2024)."""
    dropout: Fraction = 0.0
    """Dropout of the adapter's inputs. Published recipes use 0.05 over several epochs. Here the default is 0, because
    layers with dropout take a slower way on a CPU, and two passes leave little to memorize."""
    target: Literal["all-linear"] | tuple[str, ...] = "all-linear"
    """Names of the modules that get an adapter; `all-linear` stands for every linear layer except the LM head."""
    learning_rate: Positive = 5e-4
    """The peak, after the warm-up and before the cosine decay. For a 7B model, use 2e-4."""


class FullOptions(TrainingOptions, frozen=True, kw_only=True):
    """The options of a training of all weights, with defaults for a LLaMA of 0.1 to 1 billion weights.

    The model computes in bfloat16, and the optimizer keeps weights, gradients and moments in float32: 18 bytes a
    weight, 2.4 GB for 135 million.
    """

    learning_rate: Positive = 5e-5
    """The peak, after the warm-up and before the cosine decay: a tenth of the default of `lora`, which learns best at
    about ten times the rate of a full fine-tuning (Schulman et al. 2025, "LoRA Without Regret"). For a 7B model, use
    1e-5 to 2e-5."""
