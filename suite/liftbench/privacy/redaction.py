"""Writes a copy of a data set without personal data, and a separate table of what was replaced."""

from __future__ import annotations

import os
import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec
from msgspec import Struct

from ..data.folders import count_lines, sibling
from ..data.jsonl import each_in_jsonl
from ..files import writing
from ..progress import Progress
from .personal import redact

KEY_BYTES = 32


class KeyRow(Struct, frozen=True):
    """The first row of the table: the key that the redaction made its digests with."""

    key: str
    """The key in hexadecimal."""


def table_path(target: Path) -> Path:
    """The path of the table for a redacted folder: beside the folder, so that it is not passed on with it."""
    return sibling(target, ".replaced.jsonl")


def write_redacted(files: Sequence[Path], folder: Path, table: BinaryIO, progress: Progress) -> Counter[str]:
    """Write the redacted conversations of each file into a folder, and the key and the replaced values to a table.

    The key is new and random, so customers and ids of two redactions do not match. Returns kind → number of
    replacements.
    """
    key = secrets.token_bytes(KEY_BYTES)
    table.write(msgspec.json.encode(KeyRow(key.hex())) + b"\n")
    total = count_lines(files)
    counts: Counter[str] = Counter()
    done = 0
    for path in files:
        with (folder / path.name).open("wb") as out:
            for conversation in each_in_jsonl(path, references_needed=False):
                redacted, replacements = redact(conversation, key)
                out.write(msgspec.json.encode(redacted) + b"\n")
                for replacement in replacements:
                    table.write(msgspec.json.encode(replacement) + b"\n")
                    counts[replacement.kind] += replacement.count
                done += 1
                progress(done, total, f"redacting {path.name}")
    return counts


@contextmanager
def private_file(path: Path) -> Iterator[BinaryIO]:
    """A new file that only its owner may read. It appears at the path when it is complete, and not after an error."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with writing(path):
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as out:
                yield out
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
