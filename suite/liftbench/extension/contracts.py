"""What a plugin's objects must do: base classes of trainers, backends, metrics, controls and data sets, and input.

The core calls these and nothing else; first-party plugins implement them as anybody's would.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from msgspec import Struct

from ..records.conversation import Conversation
from ..records.run import Direction, Finding, FinishReason, Sees
from ..records.system import ModelRecord, PromptSpec
from ..records.training import CurvePoint, TrainingSummary

Progress = Callable[[int, int, str], None]
"""`progress(done, total, message)`: called as often as you like; faces turn it into a bar with rate and time left."""


def no_progress(done: int, total: int, message: str) -> None:
    """Show nothing."""


# --------------------------------------------------------------------------------------------------------- data sets


class Dataset(ABC):
    """A data set with named splits. What it reads is cleaned by the suite, not by the data set."""

    def __init__(self, data_dir: str | None, options: Any = None) -> None:
        self.data_dir = data_dir
        """Where the data lies, as the user gave it: a folder, or `hub:org/name`."""
        self.options = options
        """Of the spec's options type; None where it names none."""

    @abstractmethod
    def splits(self) -> list[str]:
        """The names of the splits that can be read."""

    @abstractmethod
    def read(self, split: str) -> list[Conversation]:
        """All conversations of a split, in the order of the source. Raises `UsageError` with file, line and reason."""


# ----------------------------------------------------------------------------------------------------------- metrics


class MetricRequest(Struct, frozen=True, kw_only=True):
    """What a metric may be made from."""

    argument: str = ""
    """What stands after the colon of its name: `hub:org/model` of `minicheck:hub:org/model`."""
    training: tuple[Conversation, ...] = ()
    """The training split, for what has to be known of a data set beforehand: document frequencies, common words. Where
    there is none, the whole scored split stands in, as the authors of CIDEr did it."""
    training_split: str = "none"
    """The name of the split that `training` is; what depends on it says so in its signature."""


class Metric(ABC):
    """Scores texts, each against its own conversation and its human summaries."""

    name: str
    """As registered, with its argument where it has one: `rougeL`, `minicheck:hub:org/model`."""
    signature: str
    """All that the numbers depend on: package and version, options, reference rule, model. Equal names with unequal
    signatures never compare."""
    direction: Direction = "higher"
    sees: Sees = "overlap"

    def __init__(self, request: MetricRequest) -> None:
        """Raise `PrerequisiteError` for a model or data that cannot be had."""

    @abstractmethod
    def score(self, texts: Sequence[str], conversations: Sequence[Conversation]) -> list[float | None]:
        """One value per text (None: no number can be had), each against its own conversation's `references`."""

    def findings(self, text: str, conversation: Conversation) -> list[Finding]:
        """The places in a text that its value comes from, for the report; none by default."""
        return []

    def variants(self) -> dict[str, Metric]:
        """Other defensible ways to compute it (`without stemming`), by name; none by default.

        The sensitivity page shows what the lift would be by each of them.
        """
        return {}

    def blind_to(self, references: Sequence[str]) -> str | None:
        """Why this metric cannot see these references (a script its tokenizer drops), or None if it can."""
        return None


# ---------------------------------------------------------------------------------------------------------- controls


class ControlRequest(Struct, frozen=True, kw_only=True):
    """What a control may learn from."""

    training: tuple[Conversation, ...]
    """The training split; empty where there is none."""
    seed: int


class Control(ABC):
    """A system without a model: what it scores, anything that understands must beat."""

    role: ClassVar[Literal["floor", "bound"]] = "floor"
    """`bound`: it looks at the scored references, and so bounds from above what its kind of system can reach."""
    note: str = ""
    """What it settled on, for the report: the constant's own words."""

    def __init__(self, request: ControlRequest) -> None:
        """Learn what there is to learn. Raise `PrerequisiteError` where the training split is too small for it."""

    @abstractmethod
    def write(self, conversations: Sequence[Conversation]) -> list[str]:
        """One text a conversation; a `floor` never looks at `references`, `facts` or `extracts`."""


# ---------------------------------------------------------------------------------------------------------- backends


class Prompt(Struct, frozen=True, kw_only=True):
    """A conversation rendered for one model."""

    text: str
    token_ids: list[int]
    """`text` in tokens, with one BOS where the model wants one; the same in training and in generation."""
    sha256: str
    """Of `text`."""
    turns_dropped: int = 0


class Generation(Struct, frozen=True, kw_only=True):
    """What a backend made of one prompt."""

    text: str
    """The continuation as it follows the prompt's text: a space at its beginning is kept."""
    new_tokens: int
    """Tokens generated, the end token included."""
    finish_reason: FinishReason


class BackendRequest(Struct, frozen=True, kw_only=True):
    """What a backend is opened with."""

    model: Path
    """Local folder with configuration, tokenizer and safetensors."""
    adapter: Path | None
    precision: str
    """`float32`, `bfloat16`, `float16` or `nf4` (double quantization, bfloat16 compute)."""
    prompt: PromptSpec


class Backend(ABC):
    """Loads a model (and adapter) and generates greedily. Opened once per run, closed at its end."""

    tokenizer: Any
    """The model's own tokenizer (transformers' interface)."""
    device: str
    context_length: int
    """The model's largest number of positions, prompt and new tokens together."""

    @abstractmethod
    def __init__(self, request: BackendRequest) -> None: ...

    @classmethod
    @abstractmethod
    def open_tokenizer(cls, model: Path) -> Any:
        """The tokenizer of a model's folder, without its weights."""

    @abstractmethod
    def generate(self, prompts: Sequence[Prompt], max_new_tokens: int) -> list[Generation]:
        """Greedy continuations of one batch, in order. Raises `OutOfMemory` if the batch does not fit; the harness
        then splits it."""

    def close(self) -> None:
        """Free what was loaded."""


class OutOfMemory(Exception):
    """A batch does not fit in the accelerator's memory."""


# ---------------------------------------------------------------------------------------------------------- trainers


class TrainRequest(Struct, frozen=True, kw_only=True):
    """All that a trainer is given. It never holds the scored split."""

    model: Path
    """Local folder of the base."""
    model_record: ModelRecord
    train: tuple[Conversation, ...]
    validation: tuple[Conversation, ...]
    """Carved from the training split, for choosing the checkpoint; none of it has a duplicate in `train`."""
    prompt: PromptSpec
    max_input_tokens: int
    """Budget of the prompt; shorten the conversation (`render` does), never the reference."""
    max_new_tokens: int
    """The scored system's output budget; references longer than this are still trained on whole."""
    options: Any
    """Of the spec's options type."""
    seed: int
    folder: Path
    """The run's `training/` folder: checkpoints go into `folder / "checkpoints"`, the result into `folder / "adapter"`.
    If checkpoints of an interrupted training are there, continue from the newest whole one."""
    record: Callable[[CurvePoint], None]
    """Appends to the training curve; after a resume, later points than the one recorded are dropped first."""
    progress: Progress


class TrainResult(Struct, frozen=True, kw_only=True):
    adapter: Path
    """Folder in PEFT's format, weights in safetensors."""
    precision: str
    """The base's precision while training; the adapter is scored on the base in this precision."""
    summary: TrainingSummary


class Trainer(ABC):
    """Fine-tunes a base model into an adapter."""

    precision: ClassVar[str]
    """Of the base, while training."""

    @abstractmethod
    def train(self, request: TrainRequest) -> TrainResult:
        """Train, or continue an interrupted training of the same request, and leave the best adapter behind."""
