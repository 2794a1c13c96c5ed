"""The records of a run directory: protocol, manifest, predictions, scores, summary, environment.

`SCHEMA` is raised when an older suite could misread a newer run."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from .system import System

SCHEMA = 3


GREEDY = "greedy"
"""`Protocol.decoding` without rules: each token is the most likely one."""


class DecodingRules(Struct, frozen=True, kw_only=True):
    """What greedy decoding may not write. Rules see generated tokens only, not the prompt; 0 switches a rule off."""

    no_repeat_ngram: int = 0
    """No sequence of this many tokens occurs twice in a summary."""
    repetition_stop: int = 0
    """A summary ends where it would repeat a sequence of this many of its tokens, and the repeat is left out."""
    min_words: int = 0
    """The model does not end a summary before it has written this many words."""

    @property
    def signature(self) -> str:
        """The rules that are in force, as in `Protocol.decoding`."""
        rules = {name.replace("_", "-"): value for name in RULES if (value := getattr(self, name))}
        return "|".join([GREEDY, *(f"{name}:{value}" for name, value in rules.items())])


RULES = tuple(DecodingRules.__struct_fields__)
"""The names of all decoding rules."""


class Protocol(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a system is measured. Two runs compare only if every field but `dataset` (a label) is equal."""

    dataset: str
    """The data set's label: its registered name or folder. It may differ between runs that compare."""
    split: str
    """The scored split."""
    fingerprint: str
    """sha256 over the cleaned conversations of the whole split, in order, with their references, and over the version
    of the cleaning."""
    conversations: str
    """sha256 over the sorted ids of the scored conversations; with `--limit` they are a part of the split."""
    n: int
    """Number of conversations scored."""
    max_input_tokens: int
    """The most tokens that a prompt may have."""
    max_new_tokens: int
    """The most tokens that a summary may have."""
    postprocess: str
    """Name and version of the step from a generated text to the text that is scored."""
    metrics: dict[str, str]
    """Metric name → signature."""
    decoding: str = GREEDY
    """How each token is chosen: `greedy`, and the rules that restrict it (`DecodingRules.signature`)."""
    engine: str = ""
    """Signature of the engine that decodes where it is not the suite's own loop (`Registry.backend`); else empty."""


# -------------------------------------------------------------------------------------------------- what is measured


FinishReason = Literal["stop", "length", "unknown"]


class ServedAnswer(Struct, frozen=True, kw_only=True):
    """What a server says of one answer."""

    by: str
    """The model that answered, and the server's name for its configuration in brackets; empty where it says neither."""
    prompt_tokens: int | None
    """Tokens of the prompt; None where the server gave no number."""
    new_tokens: int | None
    """Tokens of the answer; None where the server gave no number."""
    believed: bool
    """Whether both can be right. If not, `Prediction` has numbers counted or estimated here."""


class Usage(Struct, frozen=True, kw_only=True):
    """The tokens that a server was asked for, and what they cost, over all answers of a run."""

    prompt_tokens: int
    """As the server counted where it is believed, else as counted or estimated here."""
    new_tokens: int
    """As above."""
    not_believed: int
    """Answers of which the server gave no numbers of tokens, or some that cannot be right."""
    answered_by: dict[str, int]
    """`ServedAnswer.by` → number of answers; more than one where the server was changed meanwhile."""
    price_in: float | None = None
    """Price of a million prompt tokens; None where it was not given."""
    price_out: float | None = None
    """Price of a million new tokens."""
    cost: float | None = None
    """In the currency of the prices; None without them."""


class Prediction(Struct, frozen=True, kw_only=True):
    """One generated summary (a line of `predictions.jsonl`)."""

    id: str
    """Id of the conversation."""
    text: str
    """The text that is scored: the generated text after `Protocol.postprocess`."""
    prompt_sha256: str | None = None
    """Hash of the exact prompt text."""
    prompt_tokens: int | None = None
    """Number of tokens in the prompt."""
    new_tokens: int | None = None
    """Generated tokens, the end token included."""
    finish_reason: FinishReason = "unknown"
    """`stop`: the model ended by itself, or the prompt's `stop` or `max_words` or a decoding rule ended the text;
    `length`: it was cut at `max_new_tokens`."""
    turns_dropped: int = 0
    """Turns left out of the prompt because the conversation did not fit `max_input_tokens`."""
    seconds: float | None = None
    """Wall time of the batch divided by the number of conversations in it; where texts come one by one, the time since
    the one before. The file has none: equal texts are equal lines, and times are in `timing.jsonl`."""
    served: ServedAnswer | UnsetType = UNSET
    """Set for a served model."""
    sha256: str = ""
    """Hash of the run's key (in older runs its id) and all other fields, as generated (see `runs.sums`); empty for
    texts made elsewhere."""


class Timing(Struct, frozen=True, kw_only=True):
    """How long one generated text took (a line of `timing.jsonl`)."""

    id: str
    """Id of the conversation."""
    seconds: float
    """Wall time of the batch divided by the number of conversations in it."""


Against = Literal["baseline", "best-prompted"]
"""The baseline that a lift is judged over."""

Direction = Literal["higher", "lower", "neither"]
"""Which values are better; `neither` for a metric that only describes, such as a length."""

Sees = Literal["overlap", "meaning", "facts", "faithfulness", "form"]
"""What a metric looks at: words shared with the references, closeness in meaning to them, single facts, whether the
conversation supports the text, or the form of the text."""


class Finding(Struct, frozen=True, kw_only=True):
    """A place in a summary that contributes to a metric's value: `summary[start:end]`."""

    start: int
    """Index of the first character."""
    end: int
    """Index after the last character."""
    kind: str
    """What the metric found there, such as `unsupported number`."""


class SampleScores(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One conversation's scores (a line of `scores.jsonl`)."""

    id: str
    """Id of the conversation."""
    scores: dict[str, float | None]
    """Metric name → value; None where the metric gave none."""
    findings: dict[str, list[Finding]] = {}
    """Metric name → the places in the summary that its value comes from."""


class MetricInfo(Struct, frozen=True, kw_only=True):
    """What a metric is, without its values."""

    name: str
    """Name of the metric."""
    signature: str
    """Everything that the metric's values depend on."""
    direction: Direction
    """Which values are better."""
    sees: Sees
    """What the metric looks at."""


class MetricSummary(Struct, frozen=True, kw_only=True):
    """One metric's values over a run (in `summary.json`)."""

    name: str
    """Name of the metric."""
    mean: float | None
    """Mean over the conversations with a score; None if there are none."""
    low: float | None
    """Lower bound of the 95% bootstrap interval of the mean."""
    high: float | None
    """Upper bound of that interval."""
    n: int
    """Number of conversations with a score."""
    n_unscored: int
    """Number of conversations without a score."""
    signature: str
    """Everything that the metric's values depend on."""
    direction: Direction = "higher"
    """Which values are better."""
    sees: Sees = "overlap"
    """What the metric looks at."""
    misread: float = 0.0
    """The share of the references' words that the metric misreads (see `Metric.misreading`)."""

    @property
    def info(self) -> MetricInfo:
        """What the metric is, without its values."""
        return MetricInfo(name=self.name, signature=self.signature, direction=self.direction, sees=self.sees)


class RunSummary(Struct, frozen=True, kw_only=True):
    """`summary.json`: what a run measured, over all its conversations."""

    metrics: list[MetricSummary]
    """Each metric with its mean and interval."""
    n: int
    """Number of predictions."""
    empty: int
    """Number of empty predictions."""
    cut: int
    """Number of predictions cut off at `Protocol.max_new_tokens`."""
    shortened: int
    """Number of conversations that were shortened to fit `Protocol.max_input_tokens`."""
    mean_words: float
    """Mean number of words in a prediction."""
    new_tokens: int | None = None
    """Number of tokens generated in all predictions; None where it is not known."""
    seconds: float | None = None
    """Generation time without loading the model; None where it is not known."""
    usage: Usage | UnsetType = UNSET
    """Set for a served model."""


# -------------------------------------------------------------------------------------------------------------- runs


class Limits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the guards of a verdict allow (the recipe's section `[guards]`)."""

    slices: tuple[str, ...] = ("turns", "length", "references")
    """The fields to slice by: the number of turns, the conversation's length in words, the number of references, or any
    field of the metadata. On no slice may the candidate be significantly worse than the baseline."""
    unsupported: Annotated[float, Meta(ge=0)] = 0.1
    """How many more unsupported facts per summary the candidate may have than the humans; the guard compares the upper
    bound of the interval."""
    abstraction: Annotated[float, Meta(ge=0, le=1)] = 0.5
    """How large the share of new bigrams must be, between the best control that copies (0) and the humans (1); the
    guard compares the lower bound of the interval. 0 demands nothing, for those who want extracts."""
    faults: Annotated[float, Meta(ge=0, lt=1)] = 0.02
    """The share of the candidate's summaries that may have one kind of fault: empty, cut off, repetitive, written for a
    shortened conversation, copied from a training summary, or in another language. It applies to each kind alone."""
    judges: Annotated[int, Meta(ge=0)] = 0
    """People who must have judged the candidate's summaries against the baseline's, and preferred them (`bench judge`);
    0: nobody is asked."""
    share_level: bool = False
    """Whether the candidates that were measured under one protocol share the 5% of wrongly verified lifts (Bonferroni)
    even where they are compared one by one."""


class Terms(Struct, frozen=True, kw_only=True):
    """What a lift is judged on: headlines, target, baseline and limits."""

    headlines: tuple[str, ...]
    """The metrics that the lift is judged on: it must reach the target on each of them."""
    target: float
    """The lift to reach, as a fraction: 0.4 is 40%."""
    against: Against
    """The baseline that the lift is judged over."""
    limits: Limits
    """What the guards of the verdict allow."""


class GitState(Struct, frozen=True, kw_only=True):
    """The state of the working directory's git repository when the run began."""

    commit: str
    """Hash of the commit that was checked out."""
    dirty: bool
    """Whether tracked files had uncommitted changes."""


class Manifest(Struct, frozen=True, kw_only=True):
    """`manifest.json`: what was measured and how. It is replaced atomically; only the last write says `complete`."""

    schema: int = SCHEMA
    """Version of the run format."""
    id: str
    """Id of the run and name of its directory."""
    key: str
    """Hash of everything that determines the result; a command with the same key resumes the run or reuses it."""
    command: Literal["baseline", "train", "score"]
    """The command that made the run."""
    status: Literal["running", "trained", "shard", "complete"]
    """How far the run is: started, trained but not measured, a shard with all its texts (see `shard`), or measured."""
    created: str
    """When the run began: UTC, ISO 8601."""
    finished: str | None = None
    """When the run was complete: UTC, ISO 8601."""
    shard: str = ""
    """`2/4` for the second of four parts, which `bench merge` joins to one run; empty for a whole run."""
    sums: dict[str, str] = {}
    """File → sha256 at completion; before that, of the files that no longer change (see `runs.sums`)."""
    system: System
    """The system that is measured."""
    protocol: Protocol
    """How the system is measured."""
    plan: list[list[str]]
    """The conversation ids of each generation batch, over the whole split (see `measuring.plan`); empty for texts made
    elsewhere."""
    headlines: tuple[str, ...]
    """The metrics that the lift is judged on."""
    against: Against = "baseline"
    """The baseline that the lift is judged over."""
    limits: Limits = Limits()
    """What the guards of the verdict allow."""
    family: str = ""
    """Hash of everything but the seed that the adapter's training depends on: runs with the same hash are a seed group.
    Empty where there is no adapter or its origin is not known."""
    device: str | None = None
    """The device that generated the texts (`cpu`, `cuda:0`); None where that is not known."""
    training: str = ""
    """Fingerprint of the training split, which metrics and controls learn from; empty where there is none."""
    target: float
    """The lift to reach, as a fraction: 0.4 is 40%."""
    seed: int
    """The recipe's seed, for sampling, training and intervals."""
    recipe: dict[str, object]
    """The resolved recipe."""
    origins: dict[str, str]
    """`section.key` → where the value came from: `default`, `recipe NAME`, `environment NAME` or `command line`."""
    argv: list[str]
    """The command line."""
    git: GitState | None = None
    """The state of the git repository; None outside a repository."""
    version: str
    """The version of liftbench."""
    parent: str | None = None
    """Id of the run that trained the adapter, where that is another run."""
    tuned: bool = False
    """Whether a prompt search chooses the prompt (see `tuning/`); `system` has the prompt once it is chosen."""
    skipped: dict[str, str] = {}
    """Name of each requested metric that was not available → the reason."""
    notes: list[str] = []
    """What a reader must know, such as an accepted precision mismatch or a batch split for lack of memory."""

    @property
    def terms(self) -> Terms:
        """What the run's lift is judged on, as its recipe says."""
        return Terms(headlines=self.headlines, target=self.target, against=self.against, limits=self.limits)


class Environment(Struct, frozen=True, kw_only=True):
    """`environment.json`: the machine and the software that made the run."""

    python: str
    """Version of Python."""
    platform: str
    """Operating system, with its version."""
    processor: str
    """Model of the processor."""
    cpu_count: int
    """Number of cores that the process may use."""
    memory_bytes: int
    """Main memory of the machine."""
    threads: int | None
    """Number of torch's threads; None where torch was not loaded."""
    gpu: str | None
    """Model of the GPU; None without one."""
    driver: str | None
    """Version of the GPU's driver; None without a GPU."""
    packages: dict[str, str]
    """Package → installed version."""


class ShardRecord(Struct, frozen=True, kw_only=True):
    """One shard of a merged run (`shards.json` holds a list of them)."""

    shard: str
    """`2/4` for the second of four."""
    run: str
    """Id of the shard's run."""
    created: str
    """When the shard began: UTC, ISO 8601."""
    finished: str | None
    """When all its texts were made: UTC, ISO 8601."""
    texts: int
    """Number of its texts."""
    new_tokens: int
    """Generated tokens, the end tokens included."""
    seconds: float | None
    """Wall time of its generations; None if some texts came from the cache of generations. The run's own seconds are
    the sum over all shards, whether or not they were made at the same time."""
    device: str | None
    """The device that generated its texts."""
    environment: Environment
    """The machine and the software that made it."""
