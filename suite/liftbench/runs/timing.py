"""How long the texts of a run took: beside them, because equal texts take unequal times."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec.structs import replace

from ..files import BAD_JSON, append_lines
from ..records.run import Prediction, Timing
from ..stored_rows import make_each

TIMING = "timing.jsonl"
"""A line for each text that was generated here; one from the cache of generations has none."""


def keep_seconds(folder: Path, rows: Iterable[Prediction]) -> list[Prediction]:
    """Append the seconds of predictions to a run's timing; returns the predictions without them.

    Called before the predictions are written, so that a kill in between leaves no text without a time.
    """
    rows = list(rows)
    timed = [Timing(id=row.id, seconds=row.seconds) for row in rows if row.seconds is not None]
    if timed:
        append_lines(folder / TIMING, timed)
    return [replace(row, seconds=None) for row in rows]


def with_seconds(folder: Path, rows: Iterable[Prediction]) -> Iterator[Prediction]:
    """Predictions with the seconds that a run's timing has of them. Older runs have them in the rows."""
    return map(_reader(folder), rows)


def timed_by_id(folder: Path, rows: Sequence[Prediction]) -> Mapping[str, Prediction]:
    """Predictions by their ids, with their seconds."""
    return make_each(rows, _reader(folder))


def _reader(folder: Path) -> Callable[[Prediction], Prediction]:
    """A function that gives a prediction its seconds."""
    known = {row.id: row.seconds for row in _read(folder / TIMING)}
    return lambda row: replace(row, seconds=known.get(row.id, row.seconds))


def _read(path: Path) -> Iterator[Timing]:
    """The whole lines of a timing; one that a kill has cut is left out, whatever follows it."""
    decode = msgspec.json.Decoder(Timing).decode
    for line in path.read_bytes().splitlines() if path.exists() else ():
        with suppress(*BAD_JSON):
            yield decode(line)
