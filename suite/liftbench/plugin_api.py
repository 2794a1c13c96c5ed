"""All that a plugin may use, in one place. What is not here may change without notice."""

from __future__ import annotations

from . import hub
from .contracts import (
    Backend,
    BackendRequest,
    Dataset,
    Generation,
    Metric,
    OutOfMemory,
    Progress,
    Prompt,
    Trainer,
    TrainRequest,
    TrainResult,
)
from .data.jsonl import JsonLinesFolder, read_jsonl
from .environment import peak_memory
from .errors import LiftbenchError, PrerequisiteError, RunFailed, UsageError, unknown
from .hookspecs import API_VERSION, hookimpl
from .prompts import completion_ids, encode, end_token, render
from .records import write_atomic
from .types import (
    Comparison,
    Conversation,
    CurvePoint,
    Manifest,
    ModelRecord,
    PromptSpec,
    TrainingSummary,
    Turn,
)

__all__ = [
    "API_VERSION",
    "Backend",
    "BackendRequest",
    "Comparison",
    "Conversation",
    "CurvePoint",
    "Dataset",
    "Generation",
    "JsonLinesFolder",
    "LiftbenchError",
    "Manifest",
    "Metric",
    "ModelRecord",
    "OutOfMemory",
    "PrerequisiteError",
    "Progress",
    "Prompt",
    "PromptSpec",
    "RunFailed",
    "TrainRequest",
    "TrainResult",
    "Trainer",
    "TrainingSummary",
    "Turn",
    "UsageError",
    "completion_ids",
    "encode",
    "end_token",
    "hookimpl",
    "hub",
    "peak_memory",
    "read_jsonl",
    "render",
    "unknown",
    "write_atomic",
]
