"""What a search for the best prompt leaves in a run directory."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from .run import Usage
from .system import PromptSpec


class TuneTrial(Struct, frozen=True, kw_only=True):
    """A prompt tried on the development conversations (a line of `tuning/trials.jsonl`)."""

    number: int
    """Number of the trial, from 1; trial 1 is the recipe's own prompt, unchanged."""
    generation_pass: int
    """Number of the generation pass, from 1. The trials of one pass cut the same generated texts in different ways
    (`stop`, `max_words`)."""
    prompt: PromptSpec
    """The prompt."""
    n: int
    """Number of development conversations."""
    means: dict[str, float | None]
    """Headline → mean over the conversations with a score; empty if the prompt could not be tried."""
    gain: float | None = None
    """Geometric mean, over the headlines, of the trial's mean divided by that of trial 1; None where that cannot be
    computed."""
    mean_words: float
    """Mean number of words in a text."""
    empty: int
    """Number of empty texts."""
    seconds: float
    """Generation time of the pass."""
    problem: str = ""
    """Why the prompt could not be tried; empty if it was."""
    usage: Usage | UnsetType = UNSET
    """The tokens of the pass; set for a served model."""


class TuneSummary(Struct, frozen=True, kw_only=True):
    """`tuning/summary.json`: what a prompt search tried and chose."""

    chosen: int
    """Number of the trial with the greatest gain; among equal gains, the first."""
    headlines: tuple[str, ...]
    """The metrics that the gain was computed from."""
    trials: int
    """Number of trials made."""
    possible: int
    """Number of trials that would have covered all prompts that the recipe declares."""
    passes: int
    """Number of generation passes made."""
    most_passes: int
    """The most generation passes that the recipe allowed."""
    split: str
    """The split that the development conversations are from."""
    conversations: int
    """Number of development conversations."""
    development: str
    """sha256 over the sorted ids of the development conversations."""
    seconds: float
    """Generation time of all passes."""
