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
