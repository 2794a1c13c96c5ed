"""What a backend plugin must do: load a model and generate."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from msgspec import UNSET, Struct, UnsetType

from ..errors import UsageError
from ..prompts.spec import Prompt
from ..records.run import DecodingRules, FinishReason, ServedAnswer
from ..records.system import PromptSpec


class Generation(Struct, frozen=True, kw_only=True):
    """What a backend generated from one prompt."""

    text: str
    """The continuation of the prompt's text; a space at its beginning is kept."""
    new_tokens: int
    """Number of generated tokens, including the end token."""
    finish_reason: FinishReason
    prompt_tokens: int | UnsetType = UNSET
    """Number of tokens in the prompt, where the backend's tokenizer only estimates it."""
    served: ServedAnswer | UnsetType = UNSET
    """What a server says of its answer."""


class BackendRequest(Struct, frozen=True, kw_only=True):
    """What a backend is opened with."""

    model: Path
    """Local folder with configuration, tokenizer and safetensors."""
    adapter: Path | None
    precision: str
    """`float32`, `bfloat16`, `float16` or `nf4` (double quantization, bfloat16 compute)."""
    prompt: PromptSpec
    rules: DecodingRules = DecodingRules()
    """Restrictions of greedy decoding; only those of `Backend.rules` are ever set."""
    tokenizer: Path | None = None
    """Folder of the tokenizer and chat template to use, where an adapter brings its own; else they are the model's."""
    positions: int = 0
    """The most tokens of a prompt and its continuation together; 0 where that is not known."""


class Backend(ABC):
    """Loads a model (and adapter) and generates greedily. Each run opens one and closes it at its end."""

    rules: ClassVar[frozenset[str]] = frozenset()
    """The fields of `DecodingRules` that this backend follows; the harness refuses a recipe that sets others."""
    cannot_reproduce: ClassVar[tuple[str, ...]] = ()
    """What another run with the same system may do otherwise; each run records it."""
    cached: ClassVar[bool] = False
    """Whether the same request, prompts and machine always give the same texts, so that they may come from the cache of
    generations."""
    tokenizer: Any
    """The model's own tokenizer (transformers' interface)."""
    device: str
    context_length: int
    """The model's largest number of positions, prompt and new tokens together."""

    streams: ClassVar[bool] = False
    """Whether `stream` gives each text as soon as it is there; the harness then keeps each at once. Its texts are
    independent."""
    independent: bool = False
    """Whether a text depends on its own prompt only, to the last bit, and on no other prompt of its batch."""
    most_rows: int = 0
    """How many prompts a backend with independent texts wants at once; the harness then joins planned batches."""

    @abstractmethod
    def __init__(self, request: BackendRequest) -> None: ...

    @classmethod
    @abstractmethod
    def open_tokenizer(cls, model: Path) -> Any:
        """The tokenizer of a model's folder, without its weights."""

    @classmethod
    def check_precision(cls, precision: str) -> None:
        """Raise `UsageError` for a precision that the backend cannot compute in; also called before a training."""

    @abstractmethod
    def generate(self, prompts: Sequence[Prompt], max_new_tokens: int) -> list[Generation]:
        """Greedy continuations of one batch, in order. Raises `OutOfMemory` if the batch does not fit; the harness
        then splits it."""

    def stream(self, prompts: Iterable[Prompt], max_new_tokens: int) -> Iterator[tuple[int, Generation]]:
        """Each continuation as soon as it is there, with the index of its prompt; prompts are taken as they are needed.

        An error is raised only after all that was begun has been given.
        """
        yield from enumerate(self.generate(list(prompts), max_new_tokens))

    @classmethod
    def check(cls, request: BackendRequest) -> None:
        """Raise `UsageError` or `PrerequisiteError` for what the backend cannot do; called before a run is begun."""

    def logits(self, prompt: Sequence[int], continuation: Sequence[int]) -> Any:
        """The logits from which each token of a continuation is chosen: an array (tokens, vocabulary) of float32.

        `bench export` compares them. Raises `UsageError` where the backend has none.
        """
        raise UsageError(f"the backend {type(self).__name__} does not give logits", "Use the backend transformers.")

    @classmethod
    def merge(cls, request: BackendRequest, dtype: str, folder: Path) -> None:
        """Write the model with its adapter as one model without quantization, in `bfloat16` or `float16`.

        `folder` is empty, and gets configuration, weights in safetensors and tokenizer. Without an adapter, the model
        is only cast. Raises `UsageError` where the backend cannot, or the result would compute something else.
        """
        raise UsageError(f"the backend {cls.__name__} does not merge adapters", "Use the backend transformers.")

    def notes(self) -> list[str]:
        """What a reader of the run must know about how it was generated; asked for at the end."""
        return []

    def take(self, request: BackendRequest) -> bool:
        """Become a backend of this request without loading the base again, where what is loaded allows it.

        Afterwards every text must be, to the last bit, that of a backend opened with the request. False where this
        cannot be done; the harness then closes this backend and opens another.
        """
        del request
        return False

    def close(self) -> None:
        """Free the model and everything else that was loaded."""


class OutOfMemory(Exception):
    """A batch does not fit in the accelerator's memory."""
