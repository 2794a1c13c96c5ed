"""What a control plugin must do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Literal

from msgspec import Struct

from ..records.conversation import Conversation

# ---------------------------------------------------------------------------------------------------------- controls


class ControlRequest(Struct, frozen=True, kw_only=True):
    """What a control may learn from."""

    training: tuple[Conversation, ...]
    """The training split; empty where the data set has none."""
    seed: int


class Control(ABC):
    """A system without a model; any system that understands the conversation must beat its score."""

    role: ClassVar[Literal["floor", "bound"]] = "floor"
    """`floor`, or `bound`: a bound looks at the scored references, so it is an upper bound for its kind of system."""
    note: str = ""
    """What the control settled on, for the report: for example the words of the constant."""

    def __init__(self, request: ControlRequest) -> None:
        """Learn from the training split. Raise `PrerequisiteError` where it is too small to learn from."""

    @abstractmethod
    def write(self, conversations: Sequence[Conversation]) -> list[str]:
        """Write one text per conversation; a `floor` never looks at `references`, `facts` or `extracts`."""
