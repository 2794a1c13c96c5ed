"""The user's cache of models. A model is converted or downloaded once, atomically, and checked at every use."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
from filelock import FileLock
from msgspec import Struct

from ..errors import PrerequisiteError, require_packages
from ..files import BAD_JSON, file_sha256

CONVERSION = 2
"""Version of the conversion. If the output of `gguf.convert` changes, raise it: old conversions are then repeated."""

GGUF_PACKAGES = ("gguf", "torch", "transformers")
"""What a conversion from GGUF needs, by import names."""

MARKER = "conversion.json"

SWITCH = "LIFTBENCH_GENERATION_CACHE"
"""The environment variable that switches the cache of generations, and of what metrics' models said, off (`off`), or
limits the size of the former in megabytes."""

OFF = frozenset({"off", "0", "no", "false"})
"""Values of `SWITCH` that switch caches of results off."""

Say = Callable[[str], None]
"""Shows the user one line about work that takes a while."""


class Marker(Struct, frozen=True, kw_only=True):
    """`conversion.json`: the source of a converted folder and the files that it must have."""

    conversion: int
    """`CONVERSION` when it was made."""
    source_sha256: str
    """Hash of the GGUF file."""
    files: dict[str, str]
    """File name → sha256."""


def cache_folder() -> Path:
    """The folder in `LIFTBENCH_CACHE`, else liftbench's folder in the user's cache."""
    import platformdirs

    return Path(os.environ.get("LIFTBENCH_CACHE") or platformdirs.user_cache_dir("liftbench")).expanduser()


def caching() -> bool:
    """Whether what was computed once may be kept for later runs."""
    return os.environ.get(SWITCH, "").strip().lower() not in OFF


def ensure_converted(name: str, sha256: str, obtain: Callable[[Path], Path], say: Say) -> Path:
    """The folder with the converted GGUF file of this hash; the file is converted first if necessary.

    `obtain(scratch)` puts the GGUF file into an empty folder and returns its path. It is called only if there is no
    complete conversion yet. Every file of a conversion is hashed at every use (0.2 seconds for 270 MB), so a damaged
    conversion is repeated. If two processes need the conversion, one makes it and the other waits. Raises `UsageError`
    if the file cannot be converted, and `PrerequisiteError` if the cache cannot be written.
    """

    def make(scratch: Path) -> Path:
        require_packages(GGUF_PACKAGES, f"the conversion of {name} from GGUF", "liftbench[models]")
        from .gguf import convert  # loads torch

        result = scratch / "converted"
        convert(obtain(scratch), result)
        files = {path.name: file_sha256(path) for path in sorted(result.iterdir())}
        marker = Marker(conversion=CONVERSION, source_sha256=sha256, files=files)
        (result / MARKER).write_bytes(msgspec.json.encode(marker))
        return result

    return ensure_cached(f"{name}-{sha256[:12]}", lambda folder: _is_complete(folder, sha256), make, say)


def converted_folder(name: str, sha256: str) -> Path | None:
    """The folder of a complete conversion of the GGUF file of this hash; None if there is none yet."""
    folder = cache_folder() / "models" / f"{name}-{sha256[:12]}"
    return folder if _is_complete(folder, sha256) else None


def ensure_cached(name: str, is_complete: Callable[[Path], bool], make: Callable[[Path], Path], say: Say) -> Path:
    """The folder of this name in the cache; it is made first if it is not complete.

    `make(scratch)` gets an empty folder and returns a folder inside it, which is moved into the cache. If two processes
    need the folder, one makes it and the other waits. Raises `PrerequisiteError` if the cache cannot be written.
    """
    folder = cache_folder() / "models" / name
    if is_complete(folder):
        return folder
    with _explain_failure(folder.parent):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f".{folder.name}.lock")):
            if not is_complete(folder):
                _make(folder, make, say)
    return folder


def _make(folder: Path, make: Callable[[Path], Path], say: Say) -> None:
    again = " again" if folder.exists() else ""
    say(f"preparing {folder.name}{again}, once, in {folder.parent}")
    scratch = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(scratch, ignore_errors=True)  # left by a process that was killed
    scratch.mkdir()
    try:
        result = make(scratch)
        shutil.rmtree(folder, ignore_errors=True)
        result.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _is_complete(folder: Path, sha256: str) -> bool:
    try:
        marker = msgspec.json.decode((folder / MARKER).read_bytes(), type=Marker)
        return (
            marker.conversion == CONVERSION
            and marker.source_sha256 == sha256
            and all(file_sha256(folder / name) == expected for name, expected in marker.files.items())
        )
    except (OSError, *BAD_JSON):
        return False


@contextlib.contextmanager
def _explain_failure(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise PrerequisiteError(
            f"cannot write the model cache {folder}: {error}",
            "Free some space, or set LIFTBENCH_CACHE to another folder.",
        ) from error
