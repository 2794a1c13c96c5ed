"""What a search for the best prompt leaves in a run directory."""

from __future__ import annotations

from msgspec import Struct

from .system import PromptSpec

# ------------------------------------------------------------------------------------------------------------ tuning


class TuneTrial(Struct, frozen=True, kw_only=True):
    """One prompt, tried on the development conversations (a line of `tuning/trials.jsonl`)."""

    number: int
    """From 1, which is the recipe's own prompt, as it is."""
    generation_pass: int
    """From 1. The trials of one pass are the same generations, cut in different ways (`stop`, `max_words`)."""
    prompt: PromptSpec
    n: int
    """Conversations."""
    means: dict[str, float | None]
    """Headline → mean over the conversations that have a score; empty where the prompt could not be tried."""
    gain: float | None = None
    """Geometric mean, over the headlines, of its mean divided by that of trial 1; None where it cannot be had."""
    mean_words: float
    empty: int
    """Texts without a character."""
    seconds: float
    """Generation time of its pass."""
    problem: str = ""
    """Why it could not be tried, if it could not."""


class TuneSummary(Struct, frozen=True, kw_only=True):
    """`tuning/summary.json`: what a search of prompts tried and chose."""

    chosen: int
    """Number of the trial with the greatest gain; the earliest of equals."""
    headlines: tuple[str, ...]
    """The metrics it was chosen by."""
    trials: int
    possible: int
    """Trials that the whole declared set would have been."""
    passes: int
    most_passes: int
    """Generation passes made, and the budget of them."""
    split: str
    conversations: int
    development: str
    """The split that the development conversations are from, their number, and sha256 over their ids, sorted."""
    seconds: float
    """Generation time of all passes."""
