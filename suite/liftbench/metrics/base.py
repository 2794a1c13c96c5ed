"""What a metric plugin must do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

from msgspec import Struct

from ..records.conversation import Conversation
from ..records.run import Direction, Finding, Sees

# ----------------------------------------------------------------------------------------------------------- metrics


class MetricRequest(Struct, frozen=True, kw_only=True):
    """What a metric is made from."""

    argument: str = ""
    """The part of its name after the first colon: `hub:org/model` in `minicheck:hub:org/model`."""
    training: tuple[Conversation, ...] = ()
    """The training split, for metrics that learn from a data set (document frequencies, common words). A data set
    without one is represented by its whole scored split, as the authors of CIDEr did it."""
    training_split: str = "none"
    """The name of the split in `training`; a metric that depends on it must say so in its signature."""


class Misreading(NamedTuple):
    """What a metric does not read as it is written, in the references of a whole run."""

    share: float
    """The share of the references' words, in (0, 1]."""
    words: str
    """A sentence without a full stop, with counts and an example."""


class Metric(ABC):
    """Scores texts, each against its own conversation and its human summaries."""

    name: str
    """As registered, with the argument if there is one: `rougeL`, `minicheck:hub:org/model`."""
    signature: str
    """Everything that the numbers depend on: package and version, options, how references are combined, model. Values
    with equal names but different signatures are never compared."""
    direction: Direction = "higher"
    sees: Sees = "overlap"
    tolerance: float = 1e-9
    """By how much the value of one text may differ between machines and batches: a model's value does, arithmetic does
    not. A recorded score that differs by more from what its text scores makes no verdict."""

    def __init__(self, request: MetricRequest) -> None:
        """Raise `PrerequisiteError` if a model or data that it needs is not available."""

    @abstractmethod
    def score(self, texts: Sequence[str], conversations: Sequence[Conversation]) -> list[float | None]:
        """One value for each text against its own conversation; None if no number can be computed."""

    def findings(self, text: str, conversation: Conversation) -> list[Finding]:
        """The places in a text that explain its value, for the report; none by default."""
        return []

    def variants(self) -> dict[str, Metric]:
        """Other defensible ways to compute the metric, by name (`without stemming`); none by default.

        The sensitivity page shows what the lift would be with each of them.
        """
        return {}

    def blind_to(self, references: Sequence[str]) -> str | None:
        """Why the metric cannot read these references (a script that its tokenizer drops), or None if it can."""
        return None

    def misreading(self, references: Sequence[str]) -> Misreading | None:
        """What the metric misreads in all references of a run (words that its tokenizer splits), or None.

        The run is measured, and has a note. From a third of the words on, no lift on the metric is verified.
        """
        return None
