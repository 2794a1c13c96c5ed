"""How a base that is quantized by itself is loaded: as its own `quantization_config` says, or not at all.

Importing this module imports no torch.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from liftbench.plugin_api import PrerequisiteError, UsageError, first_line, read_json

from .tensor_files import read_header

PLAIN = "float32, bfloat16 and float16"
"""The precisions that compute with weights as they are."""

UNPACKED = {"fp8", "mxfp8", "mxfp4", "metal", "compressed-tensors"}
"""Methods whose weights transformers can unpack while it loads them. Their own kernels round the activations, too, need
certain GPUs, and are code from a hub; unpacked, the weights are the same on every machine."""

OWN_PRECISIONS = UNPACKED | {"bitsandbytes_4bit", "bitsandbytes_8bit"}
"""Methods that work in every precision with what liftbench installs, except compressed-tensors."""

STORED = OWN_PRECISIONS | {"fbgemm_fp8", "gptq", "awq"}
"""Methods whose files hold quantized numbers. Others may quantize plain weights in each forward pass (bitnet)."""

QUANTIZED_TYPES = re.compile(r"F8|F4|I|U")
"""Beginning of the types, as safetensors names them, of numbers that are not weights without their scales."""

PARTS_OF_QUANTIZED_WEIGHTS = {
    "g_idx": "GPTQ",
    "weight_scale_inv": "FP8",
    "weight_scale": "FP8 or int8",
    "qweight": "GPTQ or AWQ",
    "qzeros": "GPTQ or AWQ",
    "SCB": "bitsandbytes 8-bit",
    "weight_format": "bitsandbytes 8-bit",
    "weight.absmax": "bitsandbytes 4-bit",
    "weight.quant_map": "bitsandbytes 4-bit",
    "weight_packed": "compressed-tensors",
    "weight_shape": "compressed-tensors",
    "W_q": "HQQ",
}
"""End of a tensor's name → the method whose files have such tensors."""


def own_quantization(config: Any) -> dict[str, Any] | None:
    """The `quantization_config` of a loaded configuration; None for a model with plain weights."""
    own = getattr(config, "quantization_config", None)
    if own is None:
        return None
    return dict(own) if isinstance(own, Mapping) else dict(own.to_dict())


def method_of(own: dict[str, Any]) -> str:
    """The name of a quantization method, as transformers calls it; bitsandbytes has two."""
    if own.get("load_in_4bit"):
        return "bitsandbytes_4bit"
    if own.get("load_in_8bit"):
        return "bitsandbytes_8bit"
    return str(own.get("quant_method") or "")


def use_own_quantization(config: Any, precision: str) -> None:
    """Prepare a configuration so that transformers uses the base's own quantization in this precision.

    The precision is the one that everything else is computed in. Raises `UsageError` if the weights would be quantized
    twice, or transformers does not know the method.
    """
    from transformers.quantizers.auto import AUTO_QUANTIZER_MAPPING

    own = own_quantization(config)
    assert own is not None
    method = method_of(own)
    if method not in AUTO_QUANTIZER_MAPPING:
        # transformers would only log a warning, and take the quantized numbers for the weights.
        raise UsageError(
            f"its weights are quantized with {method or 'a method that its config.json does not name'}, which "
            "transformers cannot load",
            "Use the unquantized model.",
        )
    if precision == "nf4" and not (method == "bitsandbytes_4bit" and own.get("bnb_4bit_quant_type") == "nf4"):
        works = f"Use --set model.precision=bfloat16 ({PLAIN} work), and --plugin lora to train. "
        raise UsageError(
            f"its weights are quantized already ({method}), and cannot be quantized again to nf4",
            works * (method in OWN_PRECISIONS) + "The unquantized model works, too.",
        )
    if method in UNPACKED:
        own |= {"dequantize": True}
    if method == "bitsandbytes_4bit":
        own |= {"bnb_4bit_compute_dtype": {"nf4": "bfloat16"}.get(precision, precision)}
    config.quantization_config = own


def check_stored_types(folder: Path, config: Any) -> None:
    """Raise `UsageError` if a configuration says that weights are quantized and their file does not, or the reverse.

    Plain weights would be scored as quantized ones, or quantized numbers as weights.
    """
    own = own_quantization(config)
    types = stored_types(folder)
    numbers = [name for name, kind in types.items() if QUANTIZED_TYPES.match(kind)]
    if own is not None and not numbers and method_of(own) in STORED:
        raise UsageError(
            f"its config.json says that its weights are quantized ({method_of(own)}), but they are plain numbers",
            "If they were merged or unpacked, remove quantization_config from config.json.",
        )
    weights = sorted(name for name in numbers if name.endswith(".weight") or types[name].startswith(("F8", "F4")))
    if own is None and weights:
        raise UsageError(
            f"{len(weights)} of its weights are quantized numbers (the first: {weights[0]}), and config.json has no "
            "quantization_config that says how",
            "Use the unquantized model, or the config.json that was saved with these weights.",
        )


def stored_types(folder: Path) -> dict[str, str]:
    """The name and the type of each tensor in the files that transformers loads, from their headers."""
    whole, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    types: dict[str, str] = {}
    names = {whole.name} if whole.is_file() else set(read_json(index)["weight_map"].values())
    for path in (folder / name for name in sorted(names)):
        types |= {name: tensor.type for name, tensor in read_header(path).items()}
    return types


@contextmanager
def explain_method(config: Any) -> Iterator[None]:
    """Name the method in the error of a quantized base that cannot be loaded here.

    Raises `PrerequisiteError` for a missing package or device, else `UsageError`.
    """
    import torch

    own = own_quantization(config)
    try:
        yield
    except (PrerequisiteError, UsageError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        if own is None:
            raise
        missing = isinstance(error, ImportError | NotImplementedError) or "GPU" in str(error)
        kind = PrerequisiteError if missing else UsageError
        reason = " ".join(first_line(error).split())[:200]
        raise kind(
            f"its weights are quantized with {method_of(own)}, which cannot be used here: {reason}",
            "Use the unquantized model.",
        ) from error


def check_quantized(model: Any, folder: Path) -> None:
    """Raise `UsageError` if quantized numbers have become weights as they are: their scales are missing.

    transformers reports no scale that is missing if it unpacks the weights, and takes any number for a plain layer's.
    """
    import torch

    stored = stored_types(folder)
    modules = dict(model.named_modules())
    bare = []
    for name, parameter in model.named_parameters():
        float8 = parameter.is_floating_point() and parameter.element_size() == 1
        plain = type(modules[name.rpartition(".")[0]]) in (torch.nn.Linear, torch.nn.Embedding)
        has_scale = any(f"{name}{end}" in stored for end in ("_scale", "_scale_inv"))
        number = QUANTIZED_TYPES.match(stored.get(name, "")) is not None
        if plain and (float8 or (number and not has_scale)):
            bare.append(name)
    eight = {f"{name}.weight" for name, module in modules.items() if type(module).__name__ == "Linear8bitLt"}
    if unquantized := sorted(name for name in eight if stored.get(name, "I8") != "I8"):
        raise UsageError(
            f"{len(unquantized)} of its weights are plain numbers, and its quantization_config says that they are int8 "
            f"(the first: {unquantized[0]})",
            "Use the config.json that was saved with these weights (llm_int8_skip_modules), or the unquantized model.",
        )
    if bare:
        raise UsageError(
            f"{len(bare)} of its weights are quantized numbers without their scales (the first: {bare[0]})",
            "Copy or download the folder again, or use the unquantized model.",
        )


def check_computes(model: Any) -> None:
    """Compute a few tokens, and raise `UsageError` if a quantized model cannot.

    Scales of another shape, or layers that were not quantized, are only seen in the forward pass.
    """
    import torch

    ids = torch.arange(4, device=model.get_input_embeddings().weight.device)
    try:
        with torch.inference_mode():
            model(input_ids=ids[None])
    except torch.OutOfMemoryError:
        raise
    except Exception as error:
        reason = " ".join(first_line(error).split())[:200]
        raise UsageError(
            f"its quantized weights cannot be computed with: {reason}",
            "Copy or download the folder again; config.json and the weights have to be of the same model. The "
            "unquantized model works, too.",
        ) from error


def cast_plain_weights(model: Any, dtype: Any) -> None:
    """Cast the weights that are not quantized, in place; those that the architecture keeps in float32 stay.

    With a quantized base, transformers leaves them in the type of the file, whichever type was requested.
    """
    kept = {*(getattr(model, "_keep_in_fp32_modules", None) or ())}
    kept |= {*(getattr(model, "_keep_in_fp32_modules_strict", None) or ())}
    for name, parameter in model.named_parameters():
        wide = parameter.is_floating_point() and parameter.element_size() > 1
        if wide and not any(part in name for part in kept):
            parameter.data = parameter.data.to(dtype)
    for module in model.modules():
        if hasattr(module, "compute_dtype") and hasattr(module, "quant_state"):
            module.compute_dtype, module.compute_type_is_set = dtype, True


def unpacked_weight(layer: Any) -> Any:
    """The weight that a 4-bit layer of bitsandbytes computes with."""
    from bitsandbytes.functional import dequantize_4bit

    return dequantize_4bit(layer.weight.data, layer.weight.quant_state).to(layer.compute_dtype)
