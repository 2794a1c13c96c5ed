"""Merges an adapter into its base, as one model without quantization.

The sum is made in float32 and rounded once. The base is the one that was scored: rounded to the dtype of the
computations and, in NF4, unpacked from its 4-bit weights.
"""

from __future__ import annotations

import gc
import json
import shutil
import warnings
from pathlib import Path
from typing import Any

from liftbench.plugin_api import BackendRequest, UsageError, first_line
from liftbench_plugins.loading import DTYPES, load_config, load_model
from liftbench_plugins.model_files import CONFIG, settings_in, write_config
from liftbench_plugins.quantization import method_of, own_quantization, unpacked_weight

from .adapter import attach
from .embeddings import fit_embeddings

ALIKE = 1e-3
"""The relative difference of logits, in float32, up to which a merge computes the same. Rounding makes 1e-6 to 1e-5; a
kind of adapter that PEFT does not merge exactly is refused."""


def write_merged(request: BackendRequest, dtype: str, folder: Path) -> None:
    """Write the model of a request with its adapter merged, see `Backend.merge`."""
    import torch

    model = _base_in_float32(request)
    tied = _is_tied(model)
    if request.adapter is not None:
        fit_embeddings(model, request.adapter)
        model = _merge(attach(model, request.adapter), request.adapter)
    if tied:
        _tie_if_equal(model)
    model.to(getattr(torch, dtype))
    broken = [name for name, weight in model.named_parameters() if not weight.isfinite().all()]
    if broken:
        fix = "Export it in bfloat16." if dtype == "float16" else "Train it again."
        raise UsageError(f"{len(broken)} of the merged weights are no numbers in {dtype} (the first: {broken[0]})", fix)
    model.save_pretrained(folder)
    for path in folder.glob("*.safetensors"):
        path.chmod(0o644)  # safetensors writes files that nobody else may read
    _copy_settings(request.model, folder)
    if request.tokenizer is not None:
        _copy_settings(request.tokenizer, folder)
    _write_config(request.model, folder, model, dtype)


def _base_in_float32(request: BackendRequest) -> Any:
    """The base with the very weights that it is scored with, in float32."""
    import torch

    if own := own_quantization(load_config(request.model)):
        # transformers would quantize them again when it saves them.
        raise UsageError(
            f"the weights of {request.model.name} are quantized by themselves ({method_of(own)}): nothing is merged "
            "into them",
            "Export the adapter (--as adapter), or train it on the unquantized model.",
        )
    model = load_model(request.model, "float32")
    dtype = getattr(torch, DTYPES[request.precision])
    for parameter in model.parameters():
        parameter.data = parameter.data.to(dtype).float()
    if request.precision == "nf4":
        _take_unpacked(model, request.model)
    return model


def _take_unpacked(model: Any, folder: Path) -> None:
    """Replace the weights of the layers that NF4 quantizes by those that it computes with."""
    from bitsandbytes.nn import Linear4bit

    quantized = load_model(folder, "nf4")
    for name, layer in quantized.named_modules():
        if isinstance(layer, Linear4bit):
            model.get_submodule(name).weight.data = unpacked_weight(layer).float()
    del quantized
    gc.collect()


def _merge(wrapped: Any, adapter: Path) -> Any:
    """The model with its adapter merged by PEFT. Raises `UsageError` unless it computes the same afterwards."""
    import torch

    kind = str(wrapped.active_peft_config.peft_type).rpartition(".")[2]
    unmerged = UsageError(
        f"the adapter {adapter} ({kind}) cannot be merged into its base",
        "Export the adapter as it is (--as adapter).",
    )
    if not hasattr(wrapped.base_model, "merge_and_unload"):
        raise unmerged
    expected = _probe(wrapped)
    _untie(wrapped)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            merged = wrapped.base_model.merge_and_unload(safe_merge=True)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # PEFT raises many kinds where a layer cannot be merged
        raise UsageError(f"{unmerged.what}: {first_line(error)}", unmerged.fix) from error
    found = _probe(merged)
    difference = ((found - expected).norm() / expected.norm()).item()
    if not difference < ALIKE:
        raise UsageError(f"{unmerged.what}: its logits would change by {difference:.2%}", unmerged.fix)
    return merged


def _probe(model: Any) -> Any:
    """Logits (tokens, vocabulary) of tokens from all over the vocabulary."""
    import torch

    rows = model.get_input_embeddings().weight.shape[0]
    ids = torch.linspace(0, rows - 1, 64, device=model.device).long()
    with torch.inference_mode():
        return model(input_ids=ids[None]).logits[0].float().clone()


def _untie(wrapped: Any) -> None:
    """Give each layer that shares the embeddings' weight a copy: PEFT adds to weights in place."""
    import torch

    seen: set[int] = set()
    for module in wrapped.modules():
        weight = module._parameters.get("weight")
        if weight is None:
            continue
        if id(weight) in seen:
            module.weight = torch.nn.Parameter(weight.detach().clone(), requires_grad=False)
        seen.add(id(module.weight))


def _is_tied(model: Any) -> bool:
    head = model.get_output_embeddings()
    return head is not None and head.weight is model.get_input_embeddings().weight


def _tie_if_equal(model: Any) -> None:
    """Share the weight of embeddings and LM head again where they are equal, and say so in the configuration."""
    import torch

    head, embeddings = model.get_output_embeddings(), model.get_input_embeddings()
    if torch.equal(head.weight, embeddings.weight):
        head.weight = embeddings.weight
    model.config.tie_word_embeddings = _is_tied(model)


def _copy_settings(source: Path, folder: Path) -> None:
    for path in settings_in(source):
        shutil.copyfile(path, folder / path.name)


def _write_config(base: Path, folder: Path, model: Any, dtype: str) -> None:
    """Write the base's own configuration, with what has changed."""
    config = json.loads((base / CONFIG).read_text(encoding="utf-8"))
    for name in ("quantization_config", "torch_dtype"):
        config.pop(name, None)
    config["dtype"] = dtype
    if "vocab_size" in config:
        config["vocab_size"] = model.get_input_embeddings().weight.shape[0]
    if model.get_output_embeddings() is not None:
        config["tie_word_embeddings"] = _is_tied(model)
    write_config(folder / CONFIG, config)
