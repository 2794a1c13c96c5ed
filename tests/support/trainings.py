"""Requests to trainers, for tests of what trains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from liftbench.progress import no_progress
from liftbench.prompts.spec import prompt_spec
from liftbench.records.conversation import Conversation, Turn
from liftbench.records.system import ModelRecord
from liftbench.records.training import CurvePoint
from liftbench.training.trainer import TrainRequest


def train_request(
    model: Path,
    conversations: Sequence[Conversation],
    folder: Path,
    options: Any,
    record: Callable[[CurvePoint], None] = lambda _: None,
) -> TrainRequest:
    """A request on the first nine conversations, with the others for validation."""
    return TrainRequest(
        model=model,
        model_record=ModelRecord(reference="tiny", sha256="0" * 64, source="test"),
        train=tuple(conversations[:9]),
        validation=tuple(conversations[9:]),
        prompt=prompt_spec("Sum up:\n{conversation}", "", "chat"),
        max_input_tokens=300,
        max_new_tokens=40,
        options=options,
        seed=0,
        folder=folder,
        record=record,
        progress=no_progress,
    )


UNLIKE = tuple(
    Conversation(id=text, turns=(Turn(role="customer", text="7 8 9!"),), references=(text,))
    for text in ("QUITE UNLIKE: 123 (ANYTHING) ELSE?", "NO!")
)
"""For validation: what is learned from the others makes its loss rise after a few steps."""


class Killed(Exception):
    """Stands for a kill in the tests that can do without a process of their own."""


def files(folder: Path) -> dict[str, bytes]:
    """Name → contents of every file in a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}
