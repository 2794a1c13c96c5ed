"""How fast this machine trains: noted after each training and each calibration, in the user's cache.

A later training of the same base by the same trainer is expected to take as long for each character of its
conversations. That is a rough estimate, and costs nothing; `bench train --dry-run` measures.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from ..errors import LiftbenchError
from ..files import BAD_JSON, write_atomic
from ..models.cache import cache_folder
from ..records.conversation import Conversation
from ..runs.environment import processor_name, usable_cores

KEPT = 100
"""The newest notes that are kept."""


class TrainingPace(Struct, frozen=True, kw_only=True):
    """What a training took, or would have taken as its calibration said."""

    trainer: str
    base: str
    """sha256 of the base."""
    machine: str
    """Processor and number of cores."""
    device: str
    """The device that trained: `cpu`, or the model of the GPU."""
    characters: int
    """Characters of the conversations and their summaries, over all passes."""
    seconds: float
    peak_memory_bytes: int | None = None


def machine() -> str:
    """This machine, as a note names it."""
    return f"{processor_name()}, {usable_cores()} cores"


def notes_path() -> Path:
    """The file of the notes."""
    return cache_folder() / "training-pace.json"


def count_characters(conversations: Iterable[Conversation], passed: int) -> int:
    """The characters of `passed` conversations, taken as long as the mean of some; 0 without any."""
    lengths = [
        sum(len(turn.text) for turn in one.turns) + sum(len(text) for text in one.references) for one in conversations
    ]
    return round(passed * sum(lengths) / len(lengths)) if lengths else 0


def note_pace(pace: TrainingPace) -> None:
    """Keep a note; a cache that cannot be written costs a later estimate, and nothing else."""
    if not pace.characters:
        return
    others = [one for one in _notes() if _key(one) != _key(pace)]
    with suppress(LiftbenchError, OSError):
        write_atomic(notes_path(), [*others[-KEPT:], pace])


def expect_pace(trainer: str, base: str, characters: int) -> TrainingPace | None:
    """What a training of this many characters takes on this machine; None where no training like it was noted."""
    here = machine()
    found = [one for one in _notes() if _fits(one, trainer, base, here)]
    if not found:
        return None
    last = found[-1]
    return msgspec.structs.replace(last, characters=characters, seconds=last.seconds * characters / last.characters)


def _fits(note: TrainingPace, trainer: str, base: str, here: str) -> bool:
    # A damaged note may say that nothing took no time.
    sensible = note.characters > 0 and note.seconds > 0
    return sensible and (note.trainer, note.base, note.machine) == (trainer, base, here)


def _key(pace: TrainingPace) -> tuple[str, ...]:
    return pace.trainer, pace.base, pace.machine, pace.device


def _notes() -> list[TrainingPace]:
    try:
        return msgspec.json.decode(notes_path().read_bytes(), type=list[TrainingPace])
    except (OSError, *BAD_JSON):
        return []
