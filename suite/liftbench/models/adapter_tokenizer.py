"""The tokenizer and chat template that were saved beside an adapter, joined with the files of its base."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from msgspec import Struct

from ..files import digest, file_sha256
from .cache import ensure_cached
from .faults import TOKENIZERS
from .references import SETTINGS, files_sha256, read_json

VOCABULARIES = tuple(name for names in TOKENIZERS for name in names)
CONFIGURATION = "tokenizer_config.json"
TEMPLATE = "chat_template.jinja"
ADDITIONS = ("added_tokens.json", "special_tokens_map.json")
"""What `tokenizer_config.json` holds today, and older versions of transformers wrote into files of their own."""
FILES = (*VOCABULARIES, CONFIGURATION, TEMPLATE, "chat_template.json", *ADDITIONS)


class JoinedTokenizer(Struct, frozen=True, kw_only=True):
    """A folder with the tokenizer of an adapter, and what the adapter leaves to its base."""

    folder: Path
    sha256: str
    """Hash of the tokenizer's files beside the adapter."""


def join_tokenizer(model: Path, adapter: Path) -> JoinedTokenizer | None:
    """The tokenizer beside an adapter; None if there is none, or its files are the base's.

    The adapter's files take the place of the base's. A part that the adapter lacks (the chat template, the vocabulary)
    stays the base's. Raises `UsageError` if a file is damaged, and `PrerequisiteError` if the cache cannot be written.
    """
    own = {name: adapter / name for name in FILES if (adapter / name).is_file()}
    if all((model / name).is_file() and file_sha256(model / name) == file_sha256(own[name]) for name in own):
        return None
    files = {path.name: path for path in model.iterdir() if path.suffix in SETTINGS and path.is_file()}
    if own.keys() & set(VOCABULARIES):
        files = {name: path for name, path in files.items() if name not in (*VOCABULARIES, ADDITIONS[0])}
    if CONFIGURATION in own:
        files = {name: path for name, path in files.items() if name not in ADDITIONS}
    template = ""
    if TEMPLATE in own or "chat_template.json" in own or _template_in(own.get(CONFIGURATION)):
        files.pop(TEMPLATE, None)
    elif CONFIGURATION in own and TEMPLATE not in files:
        template = _template_in(files.get(CONFIGURATION))
    files |= own
    sums = {name: file_sha256(path) for name, path in files.items()}

    def is_complete(folder: Path) -> bool:
        return all((folder / name).is_file() and file_sha256(folder / name) == sums[name] for name in sums)

    def make(scratch: Path) -> Path:
        result = scratch / "tokenizer"
        result.mkdir()
        if template:
            (result / TEMPLATE).write_text(template, encoding="utf-8")
        for name, path in files.items():
            shutil.copyfile(path, result / name)
        return result

    name = f"tokenizer-{digest(sums, template)[:16]}"
    return JoinedTokenizer(
        folder=ensure_cached(name, is_complete, make, lambda _: None), sha256=files_sha256(own.values())
    )


def _template_in(configuration: Path | None) -> str:
    """The chat template in a `tokenizer_config.json`: the default one where there are several."""
    found: Any = read_json(configuration).get("chat_template") if configuration else ""
    if isinstance(found, list):
        found = {one.get("name"): one.get("template") for one in found if isinstance(one, dict)}.get("default")
    return found if isinstance(found, str) else ""
