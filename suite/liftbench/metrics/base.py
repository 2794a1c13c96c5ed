"""What a metric plugin must do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from msgspec import Struct

from ..records.conversation import Conversation
from ..records.run import Direction, Finding, Sees

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
