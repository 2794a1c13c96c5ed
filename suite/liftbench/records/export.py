"""What `bench export` records about what it wrote."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from .run import SCHEMA

Form = Literal["adapter", "merged", "gguf"]
"""`adapter`: what the training left, as it is; `merged`: one model in transformers' format; `gguf`: one GGUF file."""

Dtype = Literal["bfloat16", "float16"]
"""Type of the weights of a merged model."""


class Drift(Struct, frozen=True, kw_only=True):
    """How far an exported model is from the system that was scored, both on the device that exported it."""

    conversations: list[str]
    """Ids of the conversations that both summarized, in one batch."""
    tokens: int
    """Number of tokens of the scored system's summaries; the logits before each of them are compared."""
    largest: float
    """The largest absolute difference of two logits."""
    mean: float
    """The mean absolute difference of logits."""
    divergence: float
    """Mean Kullback-Leibler divergence of the exported model's next token from the scored system's, in nats."""
    same_choices: float
    """The share of these tokens for which both have the same most likely token."""
    same_texts: int
    """Number of conversations for which both wrote the same text, character by character."""


class ExportRecord(Struct, frozen=True, kw_only=True):
    """`export.json`: what was exported, of which run, and how far it is from what was scored."""

    schema: int = SCHEMA
    """Version of the run format."""
    form: Form
    dtype: Dtype | None
    """Type of the weights; None for an adapter, which is as the training left it."""
    run: str
    """Id of the run that trained it."""
    system: str
    """Name of the system that the run measured."""
    of_sha256: str
    """`AdapterRecord.sha256` of what the training left."""
    sha256: str
    """`AdapterRecord.sha256` of what was exported; equal to `of_sha256` for an adapter."""
    base: str
    """Reference of the base."""
    drift: Drift | None
    """None for an adapter: nothing was changed."""
    scored: str | None
    """Id of the run that scored exactly this; None where nothing did."""
    version: str
    """The version of liftbench."""
    created: str
    """When it was exported: UTC, ISO 8601."""
