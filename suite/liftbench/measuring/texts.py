"""Texts made elsewhere, to be scored: from a file, a mapping, or the log of another program."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from ..errors import UsageError
from ..files import BAD_JSON
from .logs import ARCHIVES, LINES, TABLES, is_logged, read_log
from .plan import Measurement


class TextRow(Struct, frozen=True):
    """A line of a file of texts made elsewhere."""

    id: str
    text: str


class Texts(Struct, frozen=True, kw_only=True):
    """Texts made elsewhere."""

    by_id: dict[str, str]
    sha256: str
    """Hash of the file, and of how it was read if that was chosen or recognized."""
    notes: tuple[str, ...] = ()
    """What readers of the run must know."""


def read_texts(
    path: Path, measurement: Measurement, *, form: str = "", picked: Mapping[str, str] | None = None
) -> Texts:
    """The texts in a file: JSON Lines of `{"id": …, "text": …}`, or a log that `read_log` knows.

    Raises `UsageError` where the file cannot be read, and as `parse_texts` and `read_log` do.
    """
    try:
        with path.open("rb") as file:
            first = file.readline(2**20)
    except OSError as error:
        raise UsageError(f"cannot read the predictions {path}: {error.strerror}") from error
    name = path.name.lower()
    is_log = name.endswith((*TABLES, *ARCHIVES, ".json")) or (name.endswith(LINES) and not _is_text_row(first))
    if not (is_log or form or picked):
        return parse_texts(path.read_bytes(), str(path), measurement)
    log = read_log(path, measurement.conversations, measurement.scored, form=form, picked=picked)
    return Texts(by_id=log.texts, sha256=log.sha256, notes=log.notes)


def _is_text_row(line: bytes) -> bool:
    """Whether a first line is that of JSON Lines of texts, or is damaged."""
    try:
        row = msgspec.json.decode(line, type=dict[str, object])
    except BAD_JSON:
        return True
    return row.keys() <= {"id", "text"} or (row.keys() >= {"id", "text"} and not is_logged(row))


def encode_texts(texts: Mapping[str, str]) -> bytes:
    """Id → text as JSON Lines."""
    return b"".join(msgspec.json.encode(TextRow(id_, text)) + b"\n" for id_, text in texts.items())


def parse_texts(data: bytes, source: str, measurement: Measurement) -> Texts:
    """JSON Lines of `{"id": …, "text": …}` ; `source` names them in errors.

    Raises `UsageError` for a malformed line, a repeated id, an id that the split does not have, or a missing id.
    """
    decoder = msgspec.json.Decoder(TextRow)
    texts: dict[str, str] = {}
    for number, line in enumerate(data.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = decoder.decode(line)
        except BAD_JSON as error:
            raise UsageError(f"{source}, line {number}: {error}", 'Write each line as {"id": …, "text": …}.') from error
        if row.id in texts:
            raise UsageError(f"{source}, line {number}: id {row.id!r} occurs twice")
        if row.id not in measurement.conversations:
            raise UsageError(
                f"{source}, line {number}: the split has no conversation {row.id!r} (its first ids: "
                f"{', '.join(list(measurement.conversations)[:2])})"
            )
        texts[row.id] = row.text
    missing = [id_ for id_ in measurement.scored if id_ not in texts]
    if missing:
        raise UsageError(
            f"{source} lacks {len(missing)} of {len(measurement.scored)} conversations (the first: {missing[0]})",
            "Add a text for each, even an empty one.",
        )
    return Texts(by_id=texts, sha256=hashlib.sha256(data).hexdigest())
