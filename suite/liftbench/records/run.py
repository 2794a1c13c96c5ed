"""A run directory: the protocol, the manifest, predictions, scores and summary. Its format can be read here alone.

`SCHEMA` changes when an older suite could misread a newer run."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from .system import System

SCHEMA = 2


class Protocol(Struct, frozen=True, kw_only=True):
    """How a system is measured. Two runs compare only if every field but `dataset` (a label) is equal."""

    dataset: str
    split: str
    fingerprint: str
    """sha256 over the whole split's conversations, as cleaned, references included, in order, and the cleaning's
    version."""
    conversations: str
    """sha256 over the ids of the conversations scored, sorted (a part of the split under `--limit`)."""
    n: int
    max_input_tokens: int
    max_new_tokens: int
    postprocess: str
    """Name and version of what is done to a generated text before it is scored."""
    metrics: dict[str, str]
    """Metric name → signature."""


# -------------------------------------------------------------------------------------------------- what is measured


FinishReason = Literal["stop", "length", "unknown"]


class Prediction(Struct, frozen=True, kw_only=True):
    """One generated summary (a line of `predictions.jsonl`)."""

    id: str
    text: str
    """As scored, that is after `Protocol.postprocess`."""
    prompt_sha256: str | None = None
    """Hash of the exact prompt text."""
    prompt_tokens: int | None = None
    new_tokens: int | None = None
    """Generated tokens, the end token included."""
    finish_reason: FinishReason = "unknown"
    """`stop`: the model ended by itself, or the prompt's `stop` or `max_words` ended the text; `length`: it was cut at
    `max_new_tokens`."""
    turns_dropped: int = 0
    """Turns left out of the prompt because the conversation did not fit `max_input_tokens`."""
    seconds: float | None = None
    """Wall time of its batch divided by the batch's size."""


Against = Literal["baseline", "best-prompted"]
"""Over which of the two a lift is judged."""

Direction = Literal["higher", "lower", "neither"]
"""Which way is better; `neither` for what only describes (a length)."""

Sees = Literal["overlap", "meaning", "facts", "faithfulness", "form"]
"""What a metric looks at: shared words with the references, likeness of meaning to them, single facts, whether the
conversation supports the text, or the text's form."""


class Finding(Struct, frozen=True, kw_only=True):
    """A place in a summary that a metric's value comes from: `summary[start:end]`."""

    start: int
    end: int
    kind: str
    """What was found there: `unsupported number`, …"""


class SampleScores(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One conversation's scores (a line of `scores.jsonl`)."""

    id: str
    scores: dict[str, float | None]
    """Metric name → value; None where the metric gave no number."""
    findings: dict[str, list[Finding]] = {}
    """Metric name → where in the summary its value comes from."""


class MetricInfo(Struct, frozen=True, kw_only=True):
    """A metric as it was made."""

    name: str
    signature: str
    direction: Direction
    sees: Sees


class MetricSummary(Struct, frozen=True, kw_only=True):
    """One metric over a run (`summary.json`)."""

    name: str
    mean: float | None
    """Over the scored conversations; None if there are none."""
    low: float | None
    high: float | None
    """Bounds of the 95% bootstrap interval of the mean."""
    n: int
    """Conversations with a score."""
    n_unscored: int
    signature: str
    direction: Direction = "higher"
    sees: Sees = "overlap"

    @property
    def info(self) -> MetricInfo:
        """The metric itself, without its figures."""
        return MetricInfo(name=self.name, signature=self.signature, direction=self.direction, sees=self.sees)


class RunSummary(Struct, frozen=True, kw_only=True):
    """`summary.json`."""

    metrics: list[MetricSummary]
    n: int
    empty: int
    """Predictions without a character."""
    cut: int
    """Predictions that ended at the token limit."""
    shortened: int
    """Conversations that did not fit the input budget."""
    mean_words: float
    new_tokens: int | None = None
    seconds: float | None = None
    """Generation time, loading excluded."""


# -------------------------------------------------------------------------------------------------------------- runs


class Limits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the guards of a verdict allow (the recipe's section `[guards]`)."""

    slices: tuple[str, ...] = ("turns", "length", "references")
    """Parts of the data on none of which the candidate may be significantly worse than the baseline: the number of
    turns, the conversation's length in words, the number of references, or any field of the metadata."""
    unsupported: Annotated[float, Meta(ge=0)] = 0.1
    """Unsupported facts a summary that the candidate may have more than the humans, by the upper bound."""
    faults: Annotated[float, Meta(ge=0, lt=1)] = 0.02
    """Share of the candidate's summaries that may be empty, never-ending, degenerate, shortened at the input, copied
    from training summaries, or in another language: each for itself."""
    share_level: bool = False
    """Whether the candidates that were measured under one protocol share the 5% of wrongly verified lifts (Bonferroni)
    even where they are compared one by one."""


class Terms(Struct, frozen=True, kw_only=True):
    """What a lift is judged by."""

    headlines: tuple[str, ...]
    """The metrics that must reach the target, each of them."""
    target: float
    """The lift to reach, as a fraction: 0.4 is 40%."""
    against: Against
    """Over which of the two baselines the lift is judged."""
    limits: Limits
    """What the guards allow."""


class GitState(Struct, frozen=True, kw_only=True):
    """The working directory's repository when the run began."""

    commit: str
    dirty: bool


class Manifest(Struct, frozen=True, kw_only=True):
    """`manifest.json`. Replaced atomically; `status` says `complete` only in the last write."""

    schema: int = SCHEMA
    id: str
    key: str
    """Hash of all that determines the result; the same key resumes."""
    command: Literal["baseline", "train", "score"]
    status: Literal["running", "trained", "complete"]
    created: str
    """UTC, ISO 8601."""
    finished: str | None = None
    system: System
    protocol: Protocol
    plan: list[list[str]]
    """Conversation ids in generation batches, over the whole split (see `measuring.plan`); empty for texts made
    elsewhere."""
    headlines: tuple[str, ...]
    """The metrics that the lift is judged on."""
    against: Against = "baseline"
    limits: Limits = Limits()
    """What the guards of the verdict allow."""
    family: str = ""
    """Hash of all that the adapter's training depends on but its seed: runs of one family are one trainer's seeds.
    Empty where there is no adapter, or its origin is not known."""
    device: str | None = None
    """Where the texts were generated (`cpu`, `cuda:0`); None where that is not known."""
    training: str = ""
    """Fingerprint of the training split, which metrics and controls learn from; empty where there is none."""
    target: float
    """The lift to reach, as a fraction: 0.4 is 40%."""
    seed: int
    recipe: dict[str, object]
    """The resolved recipe, as given to the run."""
    origins: dict[str, str]
    """Where each value came from: `default`, `recipe NAME`, `environment NAME`, `command line`."""
    argv: list[str]
    git: GitState | None = None
    version: str
    """Of liftbench."""
    parent: str | None = None
    """Id of the run that trained the adapter, where that is another run."""
    tuned: bool = False
    """The prompt was chosen among trials on development data (`tuning/`); `system` holds it once it is."""
    skipped: dict[str, str] = {}
    """Metrics that were asked for and could not be had, with the reason."""
    notes: list[str] = []
    """What a reader must know: precision mismatches told to be accepted, batches split for memory, …"""

    @property
    def terms(self) -> Terms:
        """What the run's recipe says that its lift is judged by."""
        return Terms(headlines=self.headlines, target=self.target, against=self.against, limits=self.limits)


class Environment(Struct, frozen=True, kw_only=True):
    """`environment.json`."""

    python: str
    platform: str
    processor: str
    cpu_count: int
    """Cores this process may use."""
    memory_bytes: int
    threads: int | None
    """Torch's, None where no torch was loaded."""
    gpu: str | None
    driver: str | None
    packages: dict[str, str]


# -------------------------------------------------------------------------------------------------------- controls
