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
from .data.intake.assembly import conversations
from .data.intake.columns import Columns, check_names
from .data.intake.tables import Row
from .data.intake.tally import Tally
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
    "Columns",
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
    "Row",
    "RunFailed",
    "Tally",
    "TrainRequest",
    "TrainResult",
    "Trainer",
    "TrainingSummary",
    "Turn",
    "UsageError",
    "check_names",
    "completion_ids",
    "conversations",
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
