"""Models that a server runs: `openai:NAME@URL`. Of their weights, precision and tokenizer nothing can be known here."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import msgspec

from ..errors import UsageError
from ..files import digest, write_atomic
from ..records.system import ModelRecord, ServedModel
from .cache import cache_folder
from .chat_server import host_of

PREFIX = "openai:"
PRECISION = "as served"
BACKEND = "openai"
FILE = "served.json"
"""In the folder that stands for a served model where others have their weights."""


def is_served(reference: str) -> bool:
    """Whether a reference names a served model."""
    return reference.startswith(PREFIX)


def parse(reference: str) -> ServedModel:
    """The name and the address of a reference `openai:NAME@URL`. Raises `UsageError` for another form.

    User, password and query of the address are refused: they would be written into the run.
    """
    found = re.fullmatch(r"(.+?)@(\w+://.*)", reference.removeprefix(PREFIX))
    example = "Write it as openai:NAME@URL, such as openai:llama-3.1-8b@http://localhost:8000/v1."
    if not found:
        raise UsageError(f"{reference!r} names no served model", example)
    name, url = found.groups()
    host_of(url)
    parts = urlsplit(url)
    if parts.username or parts.password or parts.query:
        raise UsageError(
            f"the address of {PREFIX}{name} holds a user, a password or a query, which would be recorded",
            "Leave it out; keys are read from LIFTBENCH_API_KEY.",
        )
    return ServedModel(name=name, url=urlunsplit(parts).rstrip("/"))


def require_weights(reference: str, what: str) -> None:
    """Raise `UsageError` for a model that a server runs."""
    if is_served(reference):
        raise UsageError(
            f"{what} needs the weights of a model, and {reference} is served elsewhere",
            "Name a folder, a .gguf file, hub:org/name or smollm2-135m with --model.",
        )


def record_of(reference: str) -> ModelRecord:
    """The identity of a served model: its name and address, since its weights are not known."""
    served = parse(reference)
    return ModelRecord(
        reference=f"{PREFIX}{served.name}@{served.url}",
        sha256=digest("served", served.name, served.url),
        source=f"served at {host_of(served.url)}",
        served=served,
    )


def folder_of(served: ServedModel) -> Path:
    """A folder that stands for the model where others have their weights: it holds the name and the address."""
    folder = cache_folder() / "served" / digest(served.name, served.url)[:16]
    path = folder / FILE
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(path, served)
    return folder


def read_served(folder: Path) -> ServedModel:
    """The served model that a folder stands for."""
    return msgspec.json.decode((folder / FILE).read_bytes(), type=ServedModel)


def short_name(served: ServedModel) -> str:
    """The name without what a file name cannot hold: `meta-llama/Llama-3.1-8B` is `Llama-3.1-8B`."""
    return re.sub(r"[^\w.+-]+", "-", served.name.rpartition("/")[2]).strip("-") or "served"
