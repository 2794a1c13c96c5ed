"""The user's cache of generations: what a system wrote for a planned batch, under everything that its texts depend on.

An entry is served only where every part of its key is equal. Prompts are rendered anew for every run, so the key has
the tokens that the model sees, and what comes after generation (cutting, scoring) is never cached.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence, Set
from pathlib import Path
from typing import Any

import msgspec
from filelock import FileLock, Timeout
from msgspec import Struct

from ..files import BAD_JSON, digest
from ..models.cache import SWITCH, cache_folder, caching
from ..prompts.spec import Prompt
from ..recipe.sections import Recipe
from ..records.conversation import Conversation
from ..runs.environment import processor_name, versions
from .backend import Backend, Generation
from .plan import Measurement
from .systems import Loadable

DEFAULT_MEGABYTES = 512

COUNTED = 64
"""After so many writes, a process counts what all of them have written."""

ROWS = 512
"""Conversations that are read from the cache at a time, so that memory does not grow with a run."""

NUMERIC_SETTINGS = ("ATEN_", "CUBLAS_", "DNNL_", "MKL_", "NVIDIA_", "ONEDNN_", "TORCH_", "CUDA_VISIBLE_DEVICES")
"""Beginnings of the names of environment variables that choose how products are computed."""

NOT_IN_KEY = {
    "System": frozenset({"name", "kind", "generation_verified", "file_sha256"}),
    "ModelRecord": frozenset({"reference"}),
    "BackendRequest": frozenset({"model", "adapter", "tokenizer"}),
}
"""Record → fields that generated texts do not depend on: labels, and folders, whose bytes are in the key as hashes.

Every other field of these records is in the key, and so is one that is added later."""


class Entry(Struct, frozen=True, kw_only=True):
    """The generations of one planned batch, in its order."""

    key: str
    """Hash of everything that the texts depend on."""
    device: str
    """The device that generated them."""
    generations: list[Generation]


class GenerationCache(Struct, kw_only=True):
    """Entries in a folder, one file each. The least recently used go first where there is too much.

    Several processes may use one folder at once.
    """

    folder: Path
    limit: int
    """The most bytes that all entries may take. They are counted every `COUNTED` writes, so that processes that write
    at once may exceed it by as many entries."""
    room: int = 0
    """Bytes that this process may still write before it counts the entries."""
    uncounted: int = 0
    """Entries that it has written since."""

    def read(self, key: str, rows: int) -> Entry | None:
        """The entry of a key for a batch of `rows`; None if there is none or it is damaged, which also removes it."""
        path = self._path(key)
        try:
            data = path.read_bytes()
        except OSError:
            return None
        entry = _decode(data)
        if entry is None or entry.key != key or len(entry.generations) != rows:
            path.unlink(missing_ok=True)
            return None
        with contextlib.suppress(OSError):
            os.utime(path)  # the time of the last use, for `_evict`
        return entry

    def write(self, entry: Entry) -> None:
        """Keep an entry. A cache that cannot be written costs time later, but no run: the error is dropped."""
        body = msgspec.json.encode(entry)
        path = self._path(entry.key)
        scratch = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with FileLock(self.folder / ".lock", timeout=10, mode=0o600):
                _write_private(scratch, hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
                scratch.replace(path)
                self.room -= len(body) + 65
                self.uncounted += 1
                if self.room < 0 or self.uncounted >= COUNTED:
                    self._evict()
        except (OSError, Timeout):
            with contextlib.suppress(OSError):
                scratch.unlink(missing_ok=True)

    def size(self) -> int:
        """Bytes of all entries."""
        return sum(size for _, size, _ in self._entries())

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.entry"

    def _entries(self) -> list[tuple[int, int, Path]]:
        """Time of the last use in nanoseconds, bytes and path of each entry; the least recently used first."""
        found = []
        for path in self.folder.glob("*.entry"):
            with contextlib.suppress(FileNotFoundError):
                facts = path.stat()
                found.append((facts.st_mtime_ns, facts.st_size, path))
        return sorted(found)

    def _evict(self) -> None:
        entries = self._entries()
        total = sum(size for _, size, _ in entries)
        for _, size, path in entries:
            if total <= self.limit:
                break
            path.unlink(missing_ok=True)
            total -= size
        self.room, self.uncounted = self.limit - total, 0


class Found(Struct, frozen=True, kw_only=True):
    """Some of what a cache has of a run, as equally long lists."""

    device: str
    conversations: list[Conversation]
    prompts: list[Prompt]
    generations: list[Generation]


class CachedBatches:
    """The planned batches of one run in the cache."""

    def __init__(
        self,
        cache: GenerationCache,
        common: dict[str, Any],
        tokenizer: Any,
        measurement: Measurement,
        render: Callable[[Conversation], Prompt],
    ) -> None:
        self._cache = cache
        self._common = common
        self.tokenizer = tokenizer
        self._conversations = measurement.conversations
        self._plan = measurement.plan
        self._render = render
        self._made: dict[str, Generation] = {}
        self._open: dict[str, int] = {}
        """Id → place in the plan of its batch, for the batches that are not in the cache yet."""
        self._left: dict[int, int] = {}
        """Place in the plan → conversations of that batch without a generation."""
        self._keys: dict[int, str] = {}
        """Place in the plan → key of that batch."""

    def read(self, missing: Set[str]) -> Iterator[Found]:
        """The generations of all planned batches with a missing conversation that the cache has, some at a time.

        All were generated on one device. What the cache lacks is known when the last ones were read, and `missing` must
        not change until then.
        """
        found: Found | None = None
        device = ""
        for place, batch in enumerate(self._plan):
            if missing.isdisjoint(batch):
                continue
            prompts = [self._render(self._conversations[id_]) for id_ in batch]
            key = batch_key(self._common, prompts)
            entry = self._cache.read(key, len(batch))
            if entry is None or (device and entry.device != device):
                self._open.update(dict.fromkeys(batch, place))
                self._left[place], self._keys[place] = len(batch), key
                continue
            device = entry.device
            found = found or Found(device=device, conversations=[], prompts=[], generations=[])
            for id_, prompt, generation in zip(batch, prompts, entry.generations, strict=True):
                if id_ in missing:
                    found.conversations.append(self._conversations[id_])
                    found.prompts.append(prompt)
                    found.generations.append(generation)
            if len(found.conversations) >= ROWS:
                yield found
                found = None
        if found:
            yield found

    def add(self, made: dict[str, Generation], device: str) -> None:
        """Keep generations by the id of their conversation, and write each planned batch that is complete with them."""
        for id_, generation in made.items():
            place = self._open.pop(id_, None)
            if place is None:
                continue
            self._made[id_] = generation
            self._left[place] -= 1
            if not self._left[place]:
                generations = [self._made.pop(one) for one in self._plan[place]]
                self._cache.write(Entry(key=self._keys.pop(place), device=device, generations=generations))


def open_cache(backend: type[Backend]) -> GenerationCache | None:
    """The user's cache; None where it is switched off, or for a backend whose texts may not be cached."""
    # The notes of a backend are about a generation that did not happen here.
    told = backend.notes is not Backend.notes
    if not backend.cached or told or not caching():
        return None
    return user_cache()


def user_cache() -> GenerationCache:
    """The user's cache of generations, which need not exist yet."""
    setting = os.environ.get(SWITCH, "").strip()
    megabytes = int(setting) if setting.isdecimal() else DEFAULT_MEGABYTES
    return GenerationCache(folder=cache_folder() / "generations", limit=megabytes * 1_000_000)


def system_parts(subject: Loadable, request: Struct, recipe: Recipe, backend: type[Backend]) -> dict[str, Any]:
    """What all batches of a run have in common in their keys."""
    return {
        "system": parts(subject.system),
        "request": parts(request),
        "input": recipe.generation.max_input_tokens,
        "budget": recipe.generation.max_new_tokens,
        "backend": f"{backend.__module__}.{backend.__qualname__}",
        "code": code_sha256(backend),
        "machine": machine(),
    }


def batch_key(common: dict[str, Any], prompts: Sequence[Prompt]) -> str:
    """The key of a planned batch: the texts of half-precision models depend on all its prompts, and their order."""
    return digest(common, [[prompt.sha256, prompt.token_ids] for prompt in prompts])


def parts(record: Struct) -> dict[str, Any]:
    """Every field of a record but those in `NOT_IN_KEY`, and of the records in it."""
    kind = type(record).__name__
    names = [name for name in record.__struct_fields__ if name not in NOT_IN_KEY.get(kind, ())]
    values = {name: getattr(record, name) for name in names}
    return {
        name: parts(value) if isinstance(value, Struct) else msgspec.to_builtins(value)
        for name, value in values.items()
        if value is not msgspec.UNSET
    }


def machine() -> dict[str, Any]:
    """What decides the last bits of a product on this machine: libraries, processor, threads, GPU and settings."""
    import torch

    cuda = torch.cuda.is_available()
    return {
        "python": sys.version,
        "packages": {name: version for name, version in versions().items() if name != "liftbench"},
        "processor": processor_name(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "products": torch.get_float32_matmul_precision(),
        "gpu": [torch.cuda.get_device_name(0), str(torch.version.cuda)] if cuda else None,
        "settings": {name: value for name, value in sorted(os.environ.items()) if name.startswith(NUMERIC_SETTINGS)},
    }


@functools.cache
def code_sha256(backend: type[Backend]) -> str:
    """Hash of the sources that generate: all of the backend's package, and liftbench's prompts and harness.

    A version number stays the same while somebody edits a plugin; the sources do not.
    """
    package = backend.__module__.partition(".")[0]
    own = Path(__file__).parent
    folders = [own, own.parent / "prompts"]
    if (file := getattr(sys.modules[package], "__file__", None)) is not None:
        folders.append(Path(file).parent)
    else:
        folders += [Path(folder) for folder in sys.modules[package].__path__]
    hashes = [
        (path.relative_to(folder).as_posix(), hashlib.sha256(path.read_bytes()).hexdigest())
        for folder in folders
        for path in sorted(folder.rglob("*.py"))
    ]
    return digest(hashes)


def _decode(data: bytes) -> Entry | None:
    """An entry's file, None where its sum says that it was damaged or cut."""
    total, _, body = data.partition(b"\n")
    if hashlib.sha256(body).hexdigest().encode() != total:
        return None
    try:
        return msgspec.json.decode(body, type=Entry)
    except BAD_JSON:
        return None


def _write_private(path: Path, data: bytes) -> None:
    """Texts of conversations are nobody else's business, so only the user can read the file.

    It is not forced to the disk: an entry that a crash cuts short is found by its sum.
    """
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
