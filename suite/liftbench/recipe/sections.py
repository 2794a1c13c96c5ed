"""What a recipe may say: every section and key, with its type, default and meaning."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from ..records.run import Against, Limits

DEFAULT_RECIPE = "smollm2-135m"

Count = Annotated[int, Meta(ge=1)]
CountOrNone = Annotated[int, Meta(ge=0)]
Precision = Literal["float32", "bfloat16", "float16", "nf4"]

DEFAULT_TEMPLATE = (
    "Below is a conversation between a customer and a customer support agent.\n\n{conversation}\n\n"
    "Summarize this conversation in one or two sentences: what the customer wanted, and what the agent did."
)


METRICS = (
    "rouge1",
    "rouge2",
    "rougeL",
    "rougeLsum",
    "content-overlap",
    "cider-d",
    "chrf",
    "unsupported-facts",
    "role-accuracy",
    "coverage",
    "density",
    "compression",
    "novel-bigrams",
    "repetition",
)
"""What needs no model, and so costs seconds."""


class ModelSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is measured, untuned: the baseline and the base of adapters."""

    reference: str = DEFAULT_RECIPE
    """An alias, a folder, a GGUF file or `hub:org/name`."""
    precision: Precision = "bfloat16"
    """Of the untuned model while generating; an adapter is scored in the precision that it was trained on."""
    backend: str = "transformers"


class DataSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which conversations."""

    dataset: str = "tweetsumm"
    """A registered name, or a folder with a `<split>.jsonl` for each split."""
    data_dir: str | None = None
    """Where a registered data set lies: a folder, or `hub:org/name` where the data set can be read from the hub."""
    options: dict[str, Any] = {}
    """The data set plugin's own options."""
    clean: bool = True
    """Clean the conversations (see `data/cleaning.py`); the version is in the fingerprint."""
    split: str = "validation"
    """The split that is scored; a trainer never sees it."""
    train_split: str = "train"
    limit: Count | None = None
    """Score only so many conversations (the same ones for every system)."""


class PromptSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a conversation is put to the model."""

    template: str = DEFAULT_TEMPLATE
    system: str = ""
    style: Literal["auto", "chat", "plain"] = "auto"
    """`auto`: `chat` where the model has a chat template, else `plain`."""
    prefill: str = ""
    """The beginning of the summary, which the model continues."""
    shots: CountOrNone = 0
    """Worked examples before the conversation, chosen from the training split (see `prompts.choose_shots`)."""
    stop: tuple[str, ...] = ()
    """A summary ends before the first of these strings."""
    max_words: CountOrNone = 0
    """A summary is cut after so many words; 0: it is not."""


class GenerationSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Greedy decoding and its budgets."""

    max_input_tokens: Count = 1024
    max_new_tokens: Count = 80
    batch_size: Count = 16


class MetricsSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is computed, and what the lift is judged on."""

    names: Annotated[tuple[str, ...], Meta(min_length=1)] = METRICS
    extra: tuple[str, ...] = ()
    """More of them, beside `names`: `bertscore`, `key-facts`, `evaluate:PATH`, … (`--metric` adds here)."""
    checkers: tuple[str, ...] = ()
    """Metrics that are left out, with the reason in the run, where their model cannot be had: `minicheck:hub:…`."""
    headlines: Annotated[tuple[str, ...], Meta(min_length=1)] = ("rougeL", "content-overlap")
    """What the lift is judged on: it must reach the target on each of them."""
    target: Annotated[float, Meta(gt=0)] = 0.4
    """As a fraction: 0.4 is 40%."""
    against: Against = "baseline"
    """Over which of the two the lift is judged; the other is always shown beside it."""


class TrainSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an adapter is trained."""

    plugin: str = "qlora"
    limit: Count | None = None
    """Use only so many conversations of the training split (validation part included)."""
    validation_fraction: Annotated[float, Meta(gt=0, lt=1)] = 0.1
    """Carved from the training split, to choose the checkpoint on."""
    options: dict[str, Any] = {}
    """The trainer plugin's own options."""


class TuneSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The prompts that `bench baseline --tune` may try; what `[prompt]` says is always one of them."""

    templates: tuple[str, ...] = ()
    """Background the recipe's own; empty: those of `tuning_plan.TEMPLATES`."""
    prefills: tuple[str, ...] = ("", "auto")
    """`auto`: how the summaries of the training split most often begin, if they do."""
    shots: tuple[CountOrNone, ...] = (0, 2)
    max_words: tuple[CountOrNone | Literal["auto"], ...] = (0, "auto")
    """0: no cut; `auto`: the median length of the summaries of the training split."""
    stop: tuple[str, ...] = ("", "\n")
    """One string a trial; empty: none."""
    conversations: Count = 32
    """Development conversations, from the training split; none of the scored ones."""
    trials: Count = 12
    """The most prompts that texts are generated with; cutting texts that are there costs nothing."""


class GatesSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `bench gate` holds a run of this recipe to."""

    baseline: str = ""
    """The promoted baseline of the untuned model, which lifts are over."""
    proven: str = ""
    """The promoted adapter that a run must not fall behind, which drops are from."""
    rules: tuple[str, ...] = ()
    """In the language of `rules`: `lift(rougeL) >= 40% verified`, …"""


class Recipe(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A resolved recipe."""

    description: str = ""
    seed: Annotated[int, Meta(ge=0)] = 0
    """Of sampling, training and intervals; batches do not depend on it."""
    model: ModelSection = ModelSection()
    data: DataSection = DataSection()
    prompt: PromptSection = PromptSection()
    tune: TuneSection = TuneSection()
    generation: GenerationSection = GenerationSection()
    metrics: MetricsSection = MetricsSection()
    guards: Limits = Limits()
    gates: GatesSection = GatesSection()
    train: TrainSection = TrainSection()
