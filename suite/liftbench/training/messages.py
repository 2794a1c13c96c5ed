"""What a launched training is given, and what its processes report: JSON between `launch` and `worker`."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from ..extension.registry import Spec
from ..records.conversation import Conversation
from ..records.system import ModelRecord, PromptSpec
from ..records.training import CurvePoint, TrainingSummary


class LaunchRequest(Struct, frozen=True, kw_only=True):
    """A `TrainRequest` as JSON, with the trainer that it is for."""

    spec: Spec
    model: str
    model_record: ModelRecord
    train: tuple[Conversation, ...]
    validation: tuple[Conversation, ...]
    prompt: PromptSpec
    max_input_tokens: int
    max_new_tokens: int
    options: dict[str, Any]
    seed: int
    folder: str


class Point(Struct, frozen=True, tag=True):
    """A point of the training curve."""

    point: CurvePoint


class Step(Struct, frozen=True, tag=True):
    """A call of `progress`."""

    done: int
    total: int
    text: str


class Result(Struct, frozen=True, tag=True):
    """The `TrainResult` of the main process."""

    adapter: str
    precision: str
    summary: TrainingSummary


class Failure(Struct, frozen=True, tag=True):
    """Why a process ends without a result."""

    rank: int
    kind: Literal["UsageError", "PrerequisiteError", "RunFailed", "bug"]
    what: str
    fix: str = ""


Message = Point | Step | Result | Failure
