"""What a training left in a folder, an adapter in PEFT's format or a whole model: identity, base and provenance."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET, Struct
from msgspec.structs import replace

from ..errors import PrerequisiteError, UsageError
from ..files import BAD_JSON, digest, file_sha256, read_lines
from ..records.run import SCHEMA
from ..records.system import AdapterRecord
from ..records.training import Provenance, TrainingRow
from .faults import check_fetched, check_gguf, find_fault
from .hub import HUB, cached_snapshot, parse
from .references import ALIASES, ResolvedModel, files_sha256, is_hub_name, read_json, resolve

CONFIGURATION = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
MODEL_CONFIGURATION = "config.json"
MODEL_FILES = (MODEL_CONFIGURATION, "generation_config.json", "model.safetensors.index.json")
"""The files beside a whole model's weights that say what is computed with them, and where a text ends."""
PROVENANCE = "provenance.json"
ROWS = "rows.jsonl"

MAIN = "main"
"""The hub's default branch."""


class BaseComparison(Struct, frozen=True, kw_only=True):
    """What comparing a model with the base that an adapter names has shown, in words; nothing where they are one."""

    mismatch: str = ""
    """They are two models."""
    unknown: str = ""
    """They cannot be compared."""


def is_whole_model(folder: Path) -> bool:
    """Whether a training's result is a whole model, in transformers' format or as GGUF, rather than an adapter."""
    return not (folder / CONFIGURATION).is_file() and (
        (folder / MODEL_CONFIGURATION).is_file() or gguf_in(folder) is not None
    )


def gguf_in(folder: Path) -> Path | None:
    """The GGUF file that a training's result was exported to; None for a folder in another format."""
    found = [] if (folder / MODEL_CONFIGURATION).is_file() else list(folder.glob("*.gguf"))
    return found[0] if len(found) == 1 else None


def whole_model(folder: Path) -> Path | None:
    """The folder in transformers' format of a training's result that is a whole model, converted if it is a GGUF file;
    None for an adapter."""
    if not is_whole_model(folder):
        return None
    gguf = gguf_in(folder)
    return resolve(str(gguf)).path if gguf else folder


def is_trained(folder: Path) -> bool:
    """Whether a folder holds a training's result: an adapter, or a whole model beside its provenance.

    A whole model without one is a model like any other.
    """
    return (folder / CONFIGURATION).is_file() or (is_whole_model(folder) and (folder / PROVENANCE).is_file())


def read_adapter(folder: Path) -> tuple[AdapterRecord, Provenance]:
    """The identity and provenance of an adapter, or of a whole model that a training left.

    Without `provenance.json` (the adapter was trained elsewhere), or if it was edited, all fields but the sha256 are
    None. Family, seed and rows come only from a provenance that the suite wrote, for these very weights. The sha256 is
    `adapter_sha256`. Raises `UsageError` if the folder is neither, is damaged, or cannot be loaded safely.
    """
    _configuration(folder)
    provenance = _provenance(folder)
    sha256 = adapter_sha256(folder)
    own = _is_own(provenance, sha256)
    rows = provenance.rows if own else None
    record = AdapterRecord(
        sha256=sha256,
        trainer=provenance.trainer,
        base_sha256=provenance.base.sha256 if provenance.base else None,
        precision=provenance.precision,
        run=provenance.run,
        family=provenance.family if own else None,
        seed=provenance.seed if own else None,
        trials=provenance.trials or UNSET,
        rows=None if rows is None else len(rows),
        rows_sha256=None if rows is None else digest(rows),
        whole_model=True if is_whole_model(folder) else UNSET,
        exported=provenance.exported or UNSET,
    )
    return record, provenance


def adapter_sha256(folder: Path) -> str:
    """One hash of the configuration and weights of an adapter or a whole model: `files_sha256` of their files."""
    if not is_whole_model(folder):
        return files_sha256([folder / CONFIGURATION, folder / WEIGHTS])
    if (gguf := gguf_in(folder)) is not None:
        return files_sha256([gguf])
    settings = [folder / name for name in MODEL_FILES if (folder / name).is_file()]
    return files_sha256([*settings, *folder.glob("*.safetensors")])


def seal(provenance: Provenance) -> Provenance:
    """A provenance with the sum of its fields, as it is written beside an adapter."""
    return replace(provenance, sha256=_sum(msgspec.to_builtins(provenance)))


def is_edited(folder: Path) -> bool:
    """Whether an adapter's provenance was changed after it was written: it then counts as one of unknown origin."""
    return (folder / PROVENANCE).is_file() and _provenance(folder) == EDITED


def read_rows(folder: Path) -> list[TrainingRow] | None:
    """The hashes of the conversations that an adapter was trained on; None if they are unknown.

    They are unknown if the adapter was trained elsewhere, or trained further after its provenance was written. Raises
    `UsageError` if the rows are damaged or differ from those in the provenance.
    """
    path, provenance = folder / ROWS, _provenance(folder)
    if not path.is_file() or not _is_own(provenance, adapter_sha256(folder)):
        return None
    rows = read_lines(path, TrainingRow)
    if provenance.rows != {row.id: row.sha256 for row in rows}:
        raise UsageError(
            f"{path} and {PROVENANCE} list different conversations: one of them is damaged or of another adapter",
            "Copy the adapter's folder again from the run that trained it.",
        )
    return rows


def base_of(folder: Path) -> str | None:
    """The reference of the model that an adapter names as its base, there or not; None if it names none.

    The provenance is read first, then PEFT's configuration, in which a hub id is plain `org/name`. Raises `UsageError`
    as `read_adapter`.
    """
    configuration = _configuration(folder)
    provenance = _provenance(folder)
    if provenance.base is not None:
        return provenance.base.reference
    reference, revision = configuration.get("base_model_name_or_path"), configuration.get("revision")
    if not isinstance(reference, str) or not reference.strip():
        return None
    if reference in ALIASES or reference.startswith(HUB) or Path(reference).expanduser().exists():
        return reference
    if is_hub_name(reference):
        return f"{HUB}{reference}@{revision}" if revision else f"{HUB}{reference}"
    return reference


def find_base(folder: Path) -> ResolvedModel:
    """The model that an adapter names as its base. Raises `UsageError`, or `PrerequisiteError` where it would have to
    be downloaded, if it names none or the one that it names cannot be had: another model is never taken for it."""
    named = base_of(folder)
    if named is None:
        raise UsageError(
            f"the adapter {folder} does not say which model it was trained on", "Name that model with --model."
        )
    try:
        return resolve(named)
    except (UsageError, PrerequisiteError) as error:
        gone = not named.startswith(HUB) and named not in ALIASES and not Path(named).expanduser().exists()
        reason = "it is not here" if gone else error.what
        raise type(error)(
            f"the adapter {folder} was trained on {named}, which cannot be loaded: {reason}",
            "Name its base with --model, if it lies elsewhere.",
        ) from error


def compare_base(folder: Path, model: ResolvedModel) -> BaseComparison:
    """Whether a model is the one that PEFT's configuration names as an adapter's base, as far as that can be known.

    Nothing is downloaded: a base that is not here, or not in the hub's cache, cannot be compared.
    """
    named = base_of(folder)
    reference = model.record.reference
    if named is None or named == reference:
        return BaseComparison()
    if named in ALIASES:
        return _compare_sums(named, ALIASES[named].sha256, model)
    if named.startswith(HUB):
        if reference.startswith(HUB):
            (own, own_revision), (other, other_revision) = parse(named), parse(reference)
            if own.lower() != other.lower():
                return BaseComparison(mismatch=f"it names {named} as its base, and the model is {reference}")
            if (own_revision or MAIN) == (other_revision or MAIN):
                return BaseComparison()
        there = cached_snapshot(named)
    else:
        there = Path(named).expanduser()
    sha256 = _weights_sha256(there) if there else None
    if sha256 is None:
        return BaseComparison(
            unknown=f"the adapter names {named} as its base, which is not here: whether {reference} has the same "
            "weights is not known"
        )
    return _compare_sums(named, sha256, model)


def _compare_sums(named: str, sha256: str, model: ResolvedModel) -> BaseComparison:
    if sha256 == model.record.sha256:
        return BaseComparison()
    return BaseComparison(
        mismatch=f"it names {named} as its base (weights {sha256[:12]}…), and {model.record.reference} has the weights "
        f"{model.record.sha256[:12]}…"
    )


def _weights_sha256(path: Path) -> str | None:
    if path.is_file():
        return file_sha256(path)
    weights = list(path.glob("*.safetensors")) if path.is_dir() else []
    return files_sha256(weights) if weights else None


def _configuration(folder: Path) -> dict[str, Any]:
    """An adapter's configuration; empty for a whole model, which names no base. Raises `UsageError`."""
    if (gguf := gguf_in(folder)) is not None:
        check_gguf(gguf)
        return {}
    if is_whole_model(folder):
        if error := find_fault(folder):
            raise error.within(f"{folder} cannot be loaded as a model")
        return {}
    if not (folder / CONFIGURATION).is_file():
        raise UsageError(f"{folder} is not an adapter: it has no {CONFIGURATION}")
    if not (folder / WEIGHTS).is_file():
        raise UsageError(
            f"{folder} has no {WEIGHTS}; pickled weights (.bin) are not loaded, because they can run code",
            "Save the adapter again with PEFT's save_pretrained(folder).",
        )
    check_fetched([folder / CONFIGURATION, folder / WEIGHTS])
    return read_json(folder / CONFIGURATION)


EDITED = Provenance(sha256="edited")
"""What is known of an adapter whose provenance is not as it was written: nothing."""


def _is_own(provenance: Provenance, adapter: str) -> bool:
    """Whether the suite wrote a provenance for an adapter, given by its sha256."""
    return provenance.sha256 is not None and provenance.adapter_sha256 == adapter


def _sum(fields: Mapping[str, Any]) -> str:
    return digest({name: value for name, value in fields.items() if name != "sha256"})


def _provenance(folder: Path) -> Provenance:
    path = folder / PROVENANCE
    if not path.is_file():
        return Provenance()
    try:
        fields = msgspec.json.decode(path.read_bytes())
        provenance = msgspec.convert(fields, Provenance)
    except BAD_JSON as error:
        raise UsageError(
            f"{path} is damaged: {error}",
            "Copy it again, or remove it: the adapter then counts as one of unknown origin.",
        ) from error
    if provenance.schema > SCHEMA:
        raise UsageError(
            f"{path} was written by a newer liftbench (schema {provenance.schema}, this one reads up to {SCHEMA})",
            "Upgrade liftbench.",
        )
    # By what stands in the file, so that a field which this suite does not know is no edit.
    return EDITED if provenance.sha256 not in (None, _sum(fields)) else provenance
