"""Gives a model as many embeddings as the adapter has that is put on it: one trained with added tokens has more."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from liftbench.plugin_api import UsageError
from liftbench_plugins.tensor_files import read_header

WRAPPED = re.compile(r"\.(?:modules_to_save|original_module)\.")
TOKENS = ".token_adapter.trainable_tokens_delta"

Shapes = Mapping[str, tuple[int, ...]]


def fit_embeddings(model: Any, adapter: Path) -> None:
    """Resize the model's embeddings to those of the adapter, if the adapter's have another number of rows.

    The adapter must bring every row that the base does not have. Raises `UsageError` if it does not: in their place
    would be random numbers.
    """
    shapes = _shapes(adapter / "adapter_model.safetensors")
    configuration = json.loads((adapter / "adapter_config.json").read_bytes())
    matrices = {"the input": model.get_input_embeddings(), "the output": model.get_output_embeddings()}
    names = {part: name for name, part in model.named_modules() if part in matrices.values()}
    rows = embedding_rows(model)
    whole = {name: _rows_of(name, shapes) for name in names.values()}
    indices = _token_indices(configuration, shapes)
    wanted = max([*filter(None, whole.values()), *(index + 1 for index in indices)], default=rows)
    if wanted == rows or (wanted < rows and not any(whole.values())):
        return
    new_in_indices = set(range(rows, wanted)) <= indices
    tied = matrices["the input"].weight is getattr(matrices["the output"], "weight", None)
    for what, matrix in matrices.items():
        if matrix is None:
            continue
        brought = whole[names[matrix]] == wanted or (new_in_indices and (what == "the input" or tied))
        # A tied output follows the input, unless PEFT trains a copy of the input in its place.
        follows = what == "the output" and tied and whole[names[matrices["the input"]]] == wanted
        copied = names[matrices["the input"]].rpartition(".")[2] in (configuration.get("modules_to_save") or ())
        if not brought and not (follows and (not copied or configuration.get("ensure_weight_tying"))):
            raise UsageError(
                f"the adapter {adapter} has {wanted} token embeddings and its base {rows}, but {what} embeddings of "
                "the new tokens were not saved with it",
                "Save it again with PEFT's save_pretrained(folder, save_embedding_layers=True), or train it with both "
                "embeddings in modules_to_save.",
            )
    model.resize_token_embeddings(wanted, mean_resizing=False)


def embedding_rows(model: Any) -> int:
    """The number of rows of a model's input embeddings."""
    return int(model.get_input_embeddings().weight.shape[0])


def drop_copies(unused: Collection[str], adapter: Path) -> list[str]:
    """The unused tensors of an adapter's file, without the second copies of embeddings in it.

    `save_embedding_layers` writes what stands in the place of an embedding layer, also where the file has it already
    (`modules_to_save`, `trainable_token_indices`).
    """
    used = set(_shapes(adapter / "adapter_model.safetensors")) - set(unused)
    trained = any(name.endswith(TOKENS) for name in used)

    def is_copy(name: str) -> bool:
        plain = WRAPPED.sub(".", name)
        return (plain != name and plain in used) or (trained and name.endswith(TOKENS))

    return [name for name in unused if not is_copy(name)]


def _rows_of(name: str, shapes: Shapes) -> int | None:
    """The number of rows of the whole matrix of this name in an adapter's file; None if it is not there."""
    # `embed_tokens.weight` from `modules_to_save` or `save_embedding_layers`, `base_layer` where LoRA is on it, too.
    whole = re.compile(rf"(?:.*\.)?{re.escape(name)}(?:\.base_layer|\.modules_to_save(?:\.\w+)?)?\.weight")
    found = [shape[0] for key, shape in shapes.items() if whole.fullmatch(key) and len(shape) == 2]
    return max(found, default=None)


def _token_indices(configuration: Mapping[str, Any], shapes: Shapes) -> set[int]:
    """The tokens whose embeddings alone an adapter trained (`trainable_token_indices`)."""
    indices = configuration.get("trainable_token_indices") or configuration.get("token_indices") or []
    if isinstance(indices, dict):
        indices = [index for some in indices.values() for index in some]
    return set(indices) if any("trainable_tokens_delta" in key for key in shapes) else set()


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    return {name: tensor.shape for name, tensor in read_header(path).items()}
