"""Finds what is wrong with a model's files before anything is loaded from them; imports no torch.

Each fault is one that people meet: a pointer of Git LFS in a file's place, a download that stopped, pickled weights, a
model of another kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from ..errors import UsageError
from ..files import BAD_JSON

LFS_POINTER = b"version https://git-lfs.github.com/spec/"
"""The beginning of the small text file that Git leaves in the place of a large file it did not fetch."""

READ_AS_JSON = {
    "adapter_config.json",
    "added_tokens.json",
    "config.json",
    "generation_config.json",
    "model.safetensors.index.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
}
"""The files that transformers reads as JSON; other files of the folder cannot stop it."""

TOKENIZERS: tuple[tuple[str, ...], ...] = (
    ("tokenizer.json",),
    ("tokenizer.model",),
    ("vocab.json", "merges.txt"),
    ("vocab.txt",),  # BERT
    ("spiece.model",),  # ALBERT, T5
    ("spm.model",),  # DeBERTa v3
    ("sentencepiece.bpe.model",),  # XLM-RoBERTa
)
"""The files of a vocabulary; a model has one of these sets."""

OTHER_TASKS = (
    "ForSequenceClassification",
    "ForTokenClassification",
    "ForQuestionAnswering",
    "ForMaskedLM",
    "ForMultipleChoice",
    "ForRewardModel",
    "RewardModel",
)
"""Ends of the names of architectures with another head than that of a language model."""


def find_fault(folder: Path) -> UsageError | None:
    """What keeps a folder from being loaded as a model, or None. Raises `UsageError` for a file that is damaged."""
    if (folder / "adapter_config.json").is_file():
        return UsageError("it is an adapter", f"Measure it with `bench score {folder}`.")
    if not (folder / "config.json").is_file():
        return UsageError("it has no config.json")
    index = folder / "model.safetensors.index.json"
    names = read_json(index).get("weight_map", {}) if index.is_file() else {}
    expected = {str(name) for name in names.values()} if isinstance(names, dict) else set()
    missing = sorted(name for name in expected if not (folder / name).is_file())
    if missing:
        return UsageError(f"{len(missing)} of its {len(expected)} weight files are missing (the first: {missing[0]})")
    if not any(folder.glob("*.safetensors")):
        if any(folder.glob("*.bin")):
            return UsageError(
                "its weights are pickles (.bin), which can run code when loaded", "Save them as safetensors."
            )
        return UsageError("it has no weights in safetensors")
    if not any(all((folder / name).is_file() for name in names) for names in TOKENIZERS):
        return UsageError("it has no tokenizer (tokenizer.json or tokenizer.model)")
    read = {name for names in TOKENIZERS for name in names} | READ_AS_JSON | {"chat_template.jinja"}
    # transformers reads one file, or those of the index; others may lie beside them.
    weights = [folder / "model.safetensors"] if (folder / "model.safetensors").is_file() else []
    weights = weights or [folder / name for name in sorted(expected)]
    check_files([*weights, *(folder / name for name in sorted(read) if (folder / name).is_file())])
    return None


def find_other_kind(config: Mapping[str, Any]) -> UsageError | None:
    """Why the model with this `config.json` is not a causal language model, as far as the file says; else None."""
    architectures = [str(name) for name in config.get("architectures") or ()]
    for name in architectures:
        if name.endswith(OTHER_TASKS):
            return UsageError(
                f"it holds a {name}, not a causal language model", "Use the model that writes text (…ForCausalLM)."
            )
    if config.get("is_encoder_decoder"):
        name = architectures[0] if architectures else str(config.get("model_type"))
        return UsageError(
            f"it holds an encoder and a decoder ({name}); only causal language models are loaded",
            "Score its texts with `bench score --predictions FILE`.",
        )
    return None


def quantization_of(config: Mapping[str, Any]) -> str | None:
    """How the weights beside this `config.json` are quantized, in words (`gptq, 4 bits`); None if they are not."""
    own = config.get("quantization_config") or config.get("compression_config")
    if not isinstance(own, dict):
        return None
    method = str(own.get("quant_method") or "")
    if own.get("load_in_4bit"):
        return f"bitsandbytes, {own.get('bnb_4bit_quant_type') or 'fp4'}"
    if own.get("load_in_8bit"):
        return "bitsandbytes, 8 bits"
    bits = own.get("bits") or own.get("w_bit")
    name = method or "an unnamed method"
    return f"{name}, {bits} bits" if bits else name


def check_files(paths: Iterable[Path]) -> None:
    """Raise `UsageError` for the first of some files that is a pointer of Git LFS, empty, damaged or unreadable."""
    for path in paths:
        _check_beginning(path)
        if path.suffix == ".safetensors":
            _check_safetensors(path)
        elif path.suffix == ".json":
            read_json(path)


def check_fetched(paths: Iterable[Path]) -> None:
    """Raise `UsageError` for the first of some files that is a pointer of Git LFS, or cannot be read."""
    for path in paths:
        try:
            with path.open("rb") as file:
                beginning = file.read(len(LFS_POINTER))
        except OSError as error:
            raise _unreadable(path, error) from error
        if beginning == LFS_POINTER:
            raise _pointer(path)


def check_gguf(path: Path) -> None:
    """Raise `UsageError` if a GGUF file is a pointer of Git LFS, empty, unreadable, or another kind of file."""
    beginning = _check_beginning(path)
    if not beginning.startswith(b"GGUF"):
        raise UsageError(f"{path} is not a GGUF file: it does not begin with GGUF", "Download it again.")


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises `UsageError` if the file is damaged."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except BAD_JSON as error:
        _check_beginning(path)
        raise UsageError(f"{path} is damaged: {error}", "Copy or download it again.") from error
    except OSError as error:
        raise _unreadable(path, error) from error


def _check_beginning(path: Path) -> bytes:
    check_fetched([path])
    with path.open("rb") as file:
        beginning = file.read(8)
    if not beginning:
        raise UsageError(f"{path} is empty", "Copy or download it again.")
    return beginning


def _check_safetensors(path: Path) -> None:
    """Raise `UsageError` unless the file is as long as its header says: a download that stopped is shorter."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = file.read(length) if length <= size - 8 else b""
    try:
        entries = msgspec.json.decode(header, type=dict[str, dict[str, Any]])
        ends = [int(entry["data_offsets"][1]) for name, entry in entries.items() if name != "__metadata__"]
    except (*BAD_JSON, LookupError, TypeError, ValueError) as error:
        raise UsageError(
            f"{path} is cut off or damaged: it has no readable safetensors header", "Copy or download it again."
        ) from error
    expected = 8 + length + max(ends, default=0)
    if size != expected:
        raise UsageError(
            f"{path} is cut off or damaged: it has {size} bytes, and its header describes {expected}",
            "Copy or download it again.",
        )


def _pointer(path: Path) -> UsageError:
    return UsageError(
        f"{path} is only a pointer of Git LFS; the file itself was not fetched",
        f"Run: git -C {path.parent} lfs pull",
    )


def _unreadable(path: Path, error: OSError) -> UsageError:
    return UsageError(f"cannot read {path}: {error.strerror or error}", "Check the file and its permissions.")
