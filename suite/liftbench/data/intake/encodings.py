"""Finds out which encoding a text file has: from its mark, its zero bytes, all of its bytes, and what they would spell.

UTF-8 is checked over the whole file, because the first umlaut may be on the last line. An older encoding has no check
of its own, so the candidates are compared by the letters that they give; whoever knows better says so (`--encoding`).
"""

from __future__ import annotations

import codecs
import gzip
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TextIO, cast

from ...errors import UsageError
from ...text.languages import languages_of
from .alphabets import CANDIDATES, LANGUAGES, spelling

CHUNK_BYTES = 2**16
HEAD_BYTES = 2**18
EVIDENCE_BYTES = 2**14
"""How much text around characters beyond ASCII is enough to recognize an older encoding."""

MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte order marks. UTF-32 comes first, because its mark begins with that of UTF-16."""
WIDE = ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
BINARY = (
    (b"PK\x03\x04", "an Excel workbook or a zip archive", "Save the workbook as CSV UTF-8, or unpack the archive."),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook of the old kind (.xls)", "Save it as CSV UTF-8."),
    (b"PAR1", "a Parquet file", "Give it the suffix .parquet."),
    (b"\x1f\x8b", "compressed by gzip", "Give it the suffix .gz, for example .csv.gz."),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd", "Unpack it."),
    (b"BZh", "compressed by bzip2", "Unpack it."),
    (b"%PDF", "a PDF document", "Export the conversations as CSV or JSON Lines."),
    (b"SQLite format 3", "an SQLite database", "Export the table as CSV."),
    (b"{\\rtf", "a document in rich text (RTF)", "Save it as plain text."),
    (b"<!doctype html", "an HTML page", "Export the conversations as CSV or JSON Lines."),
    (b"<html", "an HTML page", "Export the conversations as CSV or JSON Lines."),
    (b"<table", "an HTML table", "Open it in a spreadsheet and save it as CSV UTF-8."),
    (b"<?xml", "XML", "Export the conversations as CSV or JSON Lines."),
)
"""First bytes, in lower case → what a file with a text file's suffix is instead, and what to do."""


@contextmanager
def open_bytes(path: Path) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """The unpacked bytes of a file, and the file itself, whose position says how much has been read."""
    with path.open("rb") as raw:
        if path.suffix.lower() == ".gz":
            with gzip.open(raw) as unpacked:
                yield cast(IO[bytes], unpacked), raw
        else:
            yield raw, raw


@contextmanager
def open_text(path: Path, encoding: str, newline: str = "") -> Iterator[tuple[TextIO, IO[bytes]]]:
    """The text of a file, and the file itself; broken bytes are replaced by U+FFFD.

    By default lines end as they do in the file, so that `csv` can distinguish the end of a row from a line break.
    """
    with open_bytes(path) as (stream, raw):
        yield io.TextIOWrapper(stream, encoding, errors="replace", newline=newline), raw


def find_encoding(path: Path, given: str | None = None) -> tuple[str, tuple[str, ...]]:
    """The encoding of a text file, and notes where it is not plainly UTF-8.

    A `given` encoding is only checked. Raises `UsageError` for one that does not exist or does not fit, for an empty
    file, and for a file that is not text.
    """
    with open_bytes(path) as (stream, _):
        head = stream.read(HEAD_BYTES)
        _check_text(path, head)
        if given is not None:
            return _check_given(path, given, head, stream), ()
        name = next((name for mark, name in MARKS if head.startswith(mark)), None)
        notes: tuple[str, ...] = ()
        if name is None and (name := _without_mark(head)):
            notes = (f"{path.name}: no byte order mark; read as {name.upper()} by its zero bytes{_otherwise()}",)
        if name is not None:
            broken = sum(text.count("\ufffd") for text in _decode(head, stream, name, "replace"))
            return name, (*notes, *([_broken_note(path, name.upper(), broken)] if broken else ()))
        return _without_zero_bytes(path, head, stream)


def _check_text(path: Path, head: bytes) -> None:
    if not head.removeprefix(codecs.BOM_UTF8).strip():
        raise UsageError(f"{path}: the file is empty")
    start = head.removeprefix(codecs.BOM_UTF8).lstrip()[:32].lower()
    for first, what, fix in BINARY:
        if start.startswith(first.lower()) or head.startswith(first):
            raise UsageError(f"{path}: the file is not plain text but {what}", fix)


def _check_given(path: Path, given: str, head: bytes, stream: IO[bytes]) -> str:
    try:
        codec = codecs.lookup(given)
        if not codec._is_text_encoding:
            raise LookupError
    except (LookupError, ValueError) as error:
        raise UsageError(
            f"--encoding {given!r}: there is no such encoding",
            "Common ones are utf-8, utf-16, cp1252 (Windows), latin-1, mac_roman, cp1250, cp1251, shift_jis, gb18030.",
        ) from error
    name = "utf-8-sig" if codec.name == "utf-8" else codec.name
    marked = next((mark_name for mark, mark_name in MARKS if head.startswith(mark)), None)
    if marked and name != marked and not name.startswith(f"{marked}-"):
        raise UsageError(f"{path} is not {given}: it begins with the byte order mark of {marked.upper()}", _leave_out())
    if name.startswith(("utf-16", "utf-32")) and not marked and b"\0" not in head:
        raise UsageError(f"{path} is not {given}: it has neither a byte order mark nor zero bytes", _leave_out())
    if name in ("utf-16", "utf-32") and not marked:
        # Python would take the machine's byte order; the file's own can be seen.
        name = _without_mark(head) or name
    read = 0
    try:
        for text in _decode(head, stream, name, "strict"):
            read += text.count("\n")
    except UnicodeError as error:
        place, reason = f"line {read + 1}", str(error)
        if isinstance(error, UnicodeDecodeError):
            before = error.object[: error.start].decode(name, "replace")
            place, reason = f"line {read + before.count(chr(10)) + 1}", error.reason
        raise UsageError(f"{path} is not {given}: {place}, {reason}", _leave_out()) from error
    return name


def _leave_out() -> str:
    return "Leave out --encoding to have it found, or name another one."


def _otherwise() -> str:
    return "; where letters look wrong, name the encoding (--encoding)"


def _broken_note(path: Path, name: str, broken: int) -> str:
    return f"{path.name}: {name} with broken bytes, which were replaced by \ufffd: {broken}{_otherwise()}"


def _decode(head: bytes, stream: IO[bytes], name: str, errors: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(name)(errors)
    yield decoder.decode(head)
    while chunk := stream.read(CHUNK_BYTES):
        yield decoder.decode(chunk)
    yield decoder.decode(b"", final=True)


def _without_mark(head: bytes) -> str | None:
    """UTF-16 or UTF-32 without a mark: what ASCII there is (line ends, delimiters) has zero bytes in fixed places."""
    zeros = head.count(0) / len(head)
    # Text in one byte a character may be padded with zero bytes; without them it is ordinary text.
    if zeros < 0.02 or (zeros < 0.4 and not re.search(rb"[^\x00\t\r\n -~]", head)):
        return None

    def ascii_characters(name: str) -> int:
        text = head[: len(head) // 4 * 4].decode(name, "replace")
        # A text in one byte a character that is padded with zero bytes has zero characters, whichever way it is read.
        if "\0" in text or text.count("\ufffd") > 1:
            return 0
        return sum(character in "\r\n\t" or " " <= character <= "~" for character in text)

    best = max(WIDE, key=ascii_characters)
    return best if ascii_characters(best) else None


def _without_zero_bytes(path: Path, head: bytes, stream: IO[bytes]) -> tuple[str, tuple[str, ...]]:
    good = broken = 0
    evidence = bytearray()
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    chunk = head
    while chunk:
        if not chunk.isascii():
            text = decoder.decode(chunk)
            stray = len(re.findall("[\udc80-\udcff]", text))
            broken += stray
            good += len(re.findall("[^\x00-\x7f]", text)) - stray
            if len(evidence) < EVIDENCE_BYTES:
                evidence += (
                    b"\n".join(re.findall(rb"[^\n]{0,60}[\x80-\xff][^\n]{0,60}", chunk))[:EVIDENCE_BYTES] + b"\n"
                )
        elif decoder.getstate()[0]:
            decoder.reset()
            broken += 1
        chunk = stream.read(CHUNK_BYTES)
    broken += bool(decoder.getstate()[0])
    if not broken:
        return "utf-8-sig", ()
    if good > 2 * broken:
        return "utf-8-sig", (_broken_note(path, "UTF-8", broken),)
    name, shown = _older(bytes(evidence))
    return name, (f"{path.name}: not UTF-8; read as {shown} ({name}){_otherwise()}",)


def _older(evidence: bytes) -> tuple[str, str]:
    """The encoding of one or two bytes a character that spells best; Windows-1252 unless another is plainly better."""
    scores = {name: spelling(evidence, name, alphabets) for name, (_, alphabets) in CANDIDATES.items()}
    usual, best = "cp1252", max(scores, key=lambda name: scores[name])
    if scores[best] <= max(scores[usual] + 0.3, 0.5):
        best = usual
    # French and Polish, for instance, use the same bytes for other letters; then the words without them decide.
    close = [name for name in scores if scores[name] > scores[best] - 0.3 and CANDIDATES[name][1] in LANGUAGES]
    if len({evidence.decode(name, "replace") for name in close}) > 1:
        languages = languages_of(evidence.decode(best, "ignore"))[:1]
        fit = [name for name in close if set(languages) & set(LANGUAGES[CANDIDATES[name][1]])]
        best = fit[0] if fit and best not in fit else best
    return best, CANDIDATES[best][0]
