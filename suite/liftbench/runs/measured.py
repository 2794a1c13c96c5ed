"""What a run directory and a promoted file have in common: everything that judging needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, Self

from ..records.conversation import Conversation
from ..records.run import Environment, Finding, Manifest, Prediction, RunSummary
from ..records.training import TrainingRow, TrainingSummary


class MeasuredRun(Protocol):
    """A complete run: `runs.directory.Run`, or `gating.baselines.PromotedRun`."""

    @property
    def id(self) -> str: ...

    @property
    def manifest(self) -> Manifest: ...

    @property
    def summary(self) -> RunSummary: ...

    @property
    def conversations(self) -> Sequence[Conversation]:
        """The scored conversations, in the order of the data set."""

    @property
    def scores(self) -> Mapping[str, Mapping[str, float | None]]:
        """Id → metric → value."""

    @property
    def predictions(self) -> Mapping[str, Prediction]:
        """Id → prediction; empty where texts were not kept."""

    @property
    def findings(self) -> Mapping[str, Sequence[Finding]]:
        """Id → the places in the summary that metrics point at; empty where texts were not kept."""

    @property
    def text_hashes(self) -> Mapping[str, str]:
        """Id → sha256 of its text."""

    @property
    def training_rows(self) -> Sequence[TrainingRow] | None:
        """The rows that the adapter was trained on, as hashes; None where they are not known."""

    @property
    def training(self) -> TrainingSummary | None: ...

    def require_complete(self) -> Self:
        """The run itself. Raises `UsageError`, with the way to finish it, where it is not complete."""

    @property
    def environment(self) -> Environment:
        """Raises `UsageError` where it is not recorded."""
