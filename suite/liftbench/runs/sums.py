"""Checksums of each generated text and of the files of a run: they tell whether the records of a run belong together.

They find accidents and careless edits: a file of another run, a text that was improved by hand, a folder that was
copied in part. They do not protect against somebody who has this code and means to forge a run: sums can be made again.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from msgspec.structs import replace

from ..errors import UsageError
from ..files import digest, file_sha256
from ..records.run import Manifest, Prediction

TRAINED = ("training/rows.jsonl", "training/summary.json")
"""The files that a training writes and a verdict reads."""

SCORED = ("scores.jsonl", "summary.json")
"""The files that are made from the texts, and can be made from them again."""

SUMMED = ("conversations.jsonl", "predictions.jsonl", *SCORED, *TRAINED)
"""The files of a run that a verdict is made from."""


def file_sums(folder: Path, names: Iterable[str] = SUMMED) -> dict[str, str]:
    """File → sha256, for those of a run's files that exist."""
    return {name: file_sha256(folder / name) for name in names if (folder / name).is_file()}


def changed_files(folder: Path, manifest: Manifest, names: Iterable[str] = SUMMED) -> list[str]:
    """A run's files that are missing or do not match the sums in its manifest.

    A run that is not complete has sums only of files that no longer change, or none.
    """
    known = {
        name: manifest.sums.get(name)
        for name in names
        if manifest.status == "complete" or (name in manifest.sums and name not in SCORED)
    }
    now = file_sums(folder, known)
    return [name for name, expected in known.items() if now.get(name) != expected]


def require_unchanged(folder: Path, manifest: Manifest, names: Iterable[str]) -> None:
    """Raise `UsageError`, naming the run, the file and how to fix it, if one of the files is not the run's own."""
    changed = changed_files(folder, manifest, names)
    if not changed:
        return
    name = changed[0]
    done = "completed" if manifest.finished else "made"
    words = f"{name} is not the one that run {manifest.id} was {done} with"
    if not (folder / name).is_file():
        words = f"run {manifest.id} is incomplete: it has no {name}"
    if name in SCORED:
        raise UsageError(words, f"Score it again: the same `bench {manifest.command}` command does, from its texts.")
    raise UsageError(words, "Put the file back from a copy, or measure the run again with --fresh.")


# ---------------------------------------------------------------------------------------------------------------- texts


def seal(row: Prediction, key: str) -> Prediction:
    """A prediction with the sum that binds it to the runs with this key: the same line in each of them."""
    return replace(row, sha256=_sum(row, key))


def require_sealed(rows: Iterable[Prediction], run: str, key: str = "") -> None:
    """Raise `UsageError` for a prediction that is not as the harness generated it for the run with this id and key.

    Older runs have the id in their sums instead of the key.
    """
    changed = next(
        (row.id for row in rows if row.sha256 != _sum(row, key) and row.sha256 != _sum(row, run)),
        None,
    )
    if changed is not None:
        raise UsageError(
            f"predictions.jsonl of run {run} was edited: the line of {changed} is not the one that was generated",
            "Put the file back from a copy, or measure the run again with --fresh.",
        )


def _sum(row: Prediction, name: str) -> str:
    return digest(name, replace(row, sha256=""))
