"""What a sweep over a trainer's options leaves behind."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from .conversation import Scalar


class SweepTrial(Struct, frozen=True, kw_only=True):
    """A training with other options (a line of `trials.jsonl` in the sweep's folder)."""

    number: int
    """Number of the trial, from 1."""
    options: dict[str, Scalar]
    """The options that the sweep varies, with their values in this trial."""
    state: Literal["complete", "pruned", "failed"]
    """`pruned`: stopped, because at the same share of its training its loss was worse than the median of the complete
    trials; `failed`: it could not be trained."""
    value: float | None = None
    """What the trials are compared by, on the development conversations; None unless the trial is complete."""
    losses: dict[int, float] = {}
    """Quarter of the training (1 to 3) → the first validation loss that was measured nearest to it."""
    steps: int | None = None
    """Number of optimizer steps, where the trainer tells it."""
    seconds: float
    """Wall time of the training."""
    problem: str = ""
    """Why the trial failed; empty if it did not."""


class Sweep(Struct, frozen=True, kw_only=True):
    """A finished sweep."""

    folder: str
    """The sweep's folder."""
    recipe: str
    """Path of the recipe with the best trial's options."""
    by: str
    """What the trials are compared by: `loss`, or the name of a metric."""
    best: int
    """Number of the best complete trial; the earliest among equals."""
    trials: list[SweepTrial]
    """All trials, in their order."""
    split: str
    """The split that all conversations are from."""
    training: int
    """Number of conversations that every trial trained on."""
    development: int
    """Number of conversations that the trials are compared on."""
