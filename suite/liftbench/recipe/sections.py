"""The sections and keys of a recipe, with their types, defaults and meanings."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from ..records.run import RULES, Against, DecodingRules, Limits

DEFAULT_RECIPE = "smollm2-135m"

OFFLINE_RECIPE = "helpdesk"
"""The default where TweetSumm is not at hand: its conversations ship with the package."""

Count = Annotated[int, Meta(ge=1)]
CountOrZero = Annotated[int, Meta(ge=0)]
Price = Annotated[float, Meta(ge=0, le=1e9)]
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
"""The default metrics. They need no model and take seconds."""


class ModelSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The untuned model: the baseline, and the base of adapters."""

    reference: str = DEFAULT_RECIPE
    """An alias, a folder, a GGUF file or `hub:org/name`."""
    precision: Precision = "bfloat16"
    """Precision of the untuned model during generation. An adapter is scored in the precision of its training."""
    backend: str = "transformers"
    """The backend plugin that loads the model and generates."""
    price_in: Price | None = None
    """What a served model costs for a million prompt tokens, in any currency; the run then records its cost."""
    price_out: Price | None = None
    """What it costs for a million new tokens."""


class DataSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which conversations are scored and trained on."""

    dataset: str = "tweetsumm"
    """A registered name, or a folder with a file `<split>.jsonl` for each split."""
    data_dir: str | None = None
    """Where a registered data set is: a folder, or `hub:org/name` if the data set can be read from the hub."""
    options: dict[str, Any] = {}
    """The options of the data set plugin."""
    clean: bool = True
    """Clean the conversations (see `data/cleaning.py`); the version is in the fingerprint."""
    split: str = "validation"
    """The split that is scored. A trainer never sees it."""
    train_split: str = "train"
    """The split that adapters are trained on, and that controls, metrics and examples in prompts learn from."""
    limit: Count | None = None
    """Score only this many conversations (the same ones for every system)."""


class PromptSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a conversation is shown to the model."""

    template: str = DEFAULT_TEMPLATE
    """The user's message; `{conversation}` marks where the conversation goes."""
    system: str = ""
    """The system message; empty for none."""
    style: Literal["auto", "chat", "plain"] = "auto"
    """`chat`: through the model's chat template; `plain`: as plain text; `auto`: `chat` if the model has a template."""
    prefill: str = ""
    """The beginning of the summary, which the model continues."""
    shots: CountOrZero = 0
    """Worked examples before the conversation, chosen from the training split."""
    stop: tuple[str, ...] = ()
    """A summary ends before the first of these strings."""
    max_words: CountOrZero = 0
    """A summary is cut after this many words; 0: it is not cut."""
    template_arguments: dict[str, Any] = {}
    """Arguments of the model's chat template, such as `{enable_thinking = false}`."""


class GenerationSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Greedy decoding and its budgets."""

    max_input_tokens: Count = 1024
    """The most tokens of a prompt. A conversation that does not fit loses turns from its middle."""
    max_new_tokens: Count = 80
    """The most tokens of a summary. A longer one is cut off."""
    batch_size: Count = 16
    """Conversations generated at once. The batches are the same for every system."""
    no_repeat_ngram: CountOrZero = 0
    """No sequence of this many generated tokens occurs twice in a summary; 0: no such rule."""
    repetition_stop: CountOrZero = 0
    """A summary ends where it would repeat a sequence of this many of its tokens; the repeat is left out. 0: no such
    rule."""
    min_words: CountOrZero = 0
    """The model does not end a summary before it has written this many words; 0: no such rule."""

    @property
    def rules(self) -> DecodingRules:
        """The rules of decoding, which every system of a measurement follows."""
        return DecodingRules(**{name: getattr(self, name) for name in RULES})


class MetricsSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which metrics are computed, and which of them the lift is judged on."""

    names: Annotated[tuple[str, ...], Meta(min_length=1)] = METRICS
    """The metrics."""
    extra: tuple[str, ...] = ()
    """More metrics beside `names`: `bertscore`, `key-facts`, `evaluate:PATH`, … (`--metric` adds here)."""
    checkers: tuple[str, ...] = ()
    """More metrics, such as `minicheck:hub:…`. One whose model is not available is left out, and the run says why."""
    headlines: Annotated[tuple[str, ...], Meta(min_length=1)] = ("rougeL", "content-overlap")
    """The metrics that the lift is judged on: it must reach the target on each of them."""
    target: Annotated[float, Meta(gt=0)] = 0.4
    """The lift to reach, as a fraction: 0.4 is 40%."""
    against: Against = "baseline"
    """The baseline that the lift is judged over. The lift over the other one is always shown too."""

    @property
    def asked_for(self) -> tuple[str, ...]:
        """All metrics of the recipe, each once."""
        return tuple(dict.fromkeys((*self.names, *self.extra, *self.checkers)))


class TrainSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an adapter is trained."""

    plugin: str = "qlora"
    """The trainer plugin."""
    limit: Count | None = None
    """Use only this many conversations of the training split, the validation part included."""
    validation_fraction: Annotated[float, Meta(gt=0, lt=1)] = 0.1
    """The share of the training split that is kept apart to choose the checkpoint on."""
    trials: CountOrZero = 0
    """The number of trainings that `bench sweep` compared to choose the options; it is in the adapter's provenance."""
    options: dict[str, Any] = {}
    """The options of the trainer plugin."""


class TuneSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The prompts that `bench baseline --tune` may try. The prompt of `[prompt]` is always one of them."""

    templates: tuple[str, ...] = ()
    """Templates beside the recipe's own; empty: those that ship with the package."""
    prefills: tuple[str, ...] = ("", "auto")
    """Beginnings of the summary. `auto`: the most common beginning in the training split, if there is one."""
    shots: tuple[CountOrZero, ...] = (0, 2)
    """Numbers of worked examples."""
    max_words: tuple[CountOrZero | Literal["auto"], ...] = (0, "auto")
    """Word limits. 0: none; `auto`: the median length of the summaries of the training split."""
    stop: tuple[str, ...] = ("", "\n")
    """Strings that end a summary, one a trial; empty: none."""
    conversations: Count = 32
    """Development conversations, from the training split and unlike the scored ones."""
    trials: Count = 12
    """The most prompts that texts are generated with. Trials that only cut the texts of another trial do not count."""


class GatesSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The rules that `bench gate` checks a run of this recipe against."""

    baseline: str = ""
    """The promoted untuned model that lifts are over."""
    proven: str = ""
    """The promoted adapter that drops are from: a run must not fall behind it."""
    rules: tuple[str, ...] = ()
    """The rules: `lift(rougeL) >= 40% verified`, …"""


class Recipe(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A resolved recipe."""

    description: str = ""
    """One line for `bench recipes`."""
    seed: Annotated[int, Meta(ge=0)] = 0
    """The seed of sampling, training and intervals; batches do not depend on it."""
    model: ModelSection = ModelSection()
    data: DataSection = DataSection()
    prompt: PromptSection = PromptSection()
    tune: TuneSection = TuneSection()
    generation: GenerationSection = GenerationSection()
    metrics: MetricsSection = MetricsSection()
    guards: Limits = Limits()
    gates: GatesSection = GatesSection()
    train: TrainSection = TrainSection()
