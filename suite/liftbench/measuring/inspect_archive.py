"""Reads Inspect's `.eval` files: zip archives with a JSON file for each sample, as the document that
`inspect log convert --to json` makes of them.

Newer versions of Inspect compress with Zstandard, which Python's zipfile does not know before 3.14; pyarrow does.
"""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO

from ..data.intake.json_text import NotJson, decode_json
from ..errors import UsageError, require_packages

HEADERS = ("header.json", "start.json")
"""The first of these that is there says which task and model it is; an evaluation that was stopped has only the
second."""

SAMPLE = re.compile(r"samples/[^/]+(?:\.json|/sample\.json)")
"""A sample, or what is left of one that was so large that its messages and events are in files of their own."""

KEPT = ("id", "epoch", "input", "messages", "output", "error", "invalidation", "metadata")
"""Keys of a sample that are read; events and attachments can be a hundred times as large."""

ZSTANDARD = 93
LOCAL_HEADER = struct.Struct("<4s22xHH")
"""Signature, and the lengths of the name and the extra field, which the bytes of a member follow."""

DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError, struct.error)
"""What zipfile and pyarrow raise for archives that are damaged, encrypted or packed in a way that they do not know."""

CONVERT = "Convert it: inspect log convert LOG.eval --to json --output-dir FOLDER."


def read_archive(path: Path, largest: int) -> dict[str, Any]:
    """The document of an archive; it and each of its files have at most `largest` bytes when they are unpacked.

    Raises `UsageError` where it is larger or damaged, and `PrerequisiteError` without pyarrow where that is needed.
    """
    try:
        with zipfile.ZipFile(path) as archive, path.open("rb") as file:
            members = {info.filename: info for info in archive.infolist()}
            samples = {name: info for name, info in members.items() if SAMPLE.fullmatch(name)}
            if not samples:
                raise UsageError(f"{path} has no samples of Inspect", "Name the log of an evaluation that was run.")
            if sum(info.file_size for info in samples.values()) > largest:
                raise UsageError(f"{path} is larger than {largest / 2**30:.0f} GiB when it is unpacked", CONVERT)
            header = next((members[name] for name in HEADERS if name in members), None)
            document = _member(archive, file, header) if header else {}
            kept = [_sample(archive, file, members, info) for info in samples.values()]
            return {**document, "samples": kept}
    except DAMAGED as error:
        raise UsageError(f"cannot read the log {path}: {error}", CONVERT) from error


def _sample(
    archive: zipfile.ZipFile, file: BinaryIO, members: dict[str, zipfile.ZipInfo], info: zipfile.ZipInfo
) -> dict[str, Any]:
    sample = _member(archive, file, info)
    apart = members.get(info.filename.removesuffix("sample.json") + "metadata.json")
    if info.filename.endswith("/sample.json") and apart and apart.file_size <= info.file_size + 2**24:
        sample["metadata"] = _member(archive, file, apart)
    return {key: sample[key] for key in KEPT if key in sample}


def _member(archive: zipfile.ZipFile, file: BinaryIO, info: zipfile.ZipInfo) -> dict[str, Any]:
    """The object in a member."""
    try:
        value, _ = decode_json(_bytes(archive, file, info))
    except (NotJson, RecursionError) as error:
        raise UsageError(f"{archive.filename}, {info.filename}: {error or 'nested too deeply'}", CONVERT) from error
    if not isinstance(value, dict):
        raise UsageError(f"{archive.filename}, {info.filename}: it is no object", CONVERT)
    return value


def _bytes(archive: zipfile.ZipFile, file: BinaryIO, info: zipfile.ZipInfo) -> bytes:
    """A member's bytes, never more than it says it has."""
    if info.compress_type != ZSTANDARD:
        with archive.open(info) as member:
            data = member.read(info.file_size + 1)
    else:
        require_packages(["pyarrow"], "a log that is compressed with Zstandard", "liftbench[data]")
        import pyarrow

        file.seek(info.header_offset)
        signature, name, extra = LOCAL_HEADER.unpack(file.read(LOCAL_HEADER.size))
        if signature != b"PK\x03\x04":
            raise zipfile.BadZipFile(f"{info.filename} is not where the archive says")
        file.seek(name + extra, 1)
        packed = pyarrow.BufferReader(file.read(info.compress_size))
        with pyarrow.CompressedInputStream(packed, "zstd") as stream:
            data = bytes(stream.read(info.file_size + 1))
        if zlib.crc32(data) != info.CRC:
            raise zipfile.BadZipFile(f"Bad CRC-32 for file {info.filename!r}")
    if len(data) != info.file_size:
        raise zipfile.BadZipFile(f"{info.filename} is not as large as the archive says")
    return data
