"""Folders of quantized models, written by hand: configuration and tensors as the tools that make them write them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

Tensors = dict[str, Any]


def change_model(
    model: Path, folder: Path, change: Callable[[Tensors], Tensors] = dict, *, drop: str = "", **settings: Any
) -> Path:
    """Copy a model's folder with its tensors changed, and some keys of its `config.json` set or dropped."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(model, folder)
    config = json.loads((folder / "config.json").read_text()) | settings
    config.pop(drop, None)
    (folder / "config.json").write_text(json.dumps(config))
    tensors = change(load_file(folder / "model.safetensors"))
    contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
    save_file(contiguous, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def linear(tensors: Tensors) -> Tensors:
    """The weights that quantization methods replace."""
    return {name: tensor for name, tensor in tensors.items() if name.endswith("proj.weight")}


def to_fp8(tensors: Tensors, block: int = 32) -> Tensors:
    """FP8 with a scale for each block, as `fp8` checkpoints have it."""
    import torch

    made = dict(tensors)
    for name, weight in linear(tensors).items():
        rows, columns = weight.shape
        blocks = weight.float().view(rows // block, block, columns // block, block)
        scale = blocks.abs().amax((1, 3)) / 448
        made[name] = (blocks / scale[:, None, :, None]).view(rows, columns).to(torch.float8_e4m3fn)
        made[f"{name}_scale_inv"] = scale
    return made


def from_fp8(tensors: Tensors, block: int = 32) -> Tensors:
    """The weights that `to_fp8` stands for, in float32."""
    plain = {name: tensor for name, tensor in tensors.items() if not name.endswith("_scale_inv")}
    for name in linear(plain):
        scale = tensors[f"{name}_scale_inv"].repeat_interleave(block, 0).repeat_interleave(block, 1)
        plain[name] = plain[name].float() * scale
    return plain


def to_row_fp8(tensors: Tensors) -> Tensors:
    """FP8 with a scale for each row, as fbgemm and compressed-tensors have it."""
    import torch

    made = dict(tensors)
    for name, weight in linear(tensors).items():
        scale = weight.float().abs().amax(1, keepdim=True) / 448
        made[name], made[f"{name}_scale"] = (weight.float() / scale).to(torch.float8_e4m3fn), scale
    return made


def to_int8(tensors: Tensors) -> Tensors:
    """LLM.int8, as bitsandbytes saves it."""
    import torch

    made = dict(tensors)
    for name, weight in linear(tensors).items():
        largest = weight.float().abs().amax(1)
        made[name] = (weight.float() * 127 / largest[:, None]).round().to(torch.int8)
        made[name.replace("weight", "SCB")] = largest
        made[name.replace("weight", "weight_format")] = torch.tensor(0, dtype=torch.uint8)
    return made


def to_gptq(tensors: Tensors) -> Tensors:
    """The tensors of 4-bit GPTQ with one group, their numbers without meaning."""
    import torch

    made = {name: tensor for name, tensor in tensors.items() if not name.endswith("proj.weight")}
    for name, weight in linear(tensors).items():
        rows, columns = weight.shape
        place = name.removesuffix("weight")
        made[f"{place}qweight"] = torch.ones(columns // 8, rows, dtype=torch.int32)
        made[f"{place}qzeros"] = torch.ones(1, rows // 8, dtype=torch.int32)
        made[f"{place}scales"] = torch.ones(1, rows, dtype=torch.float16)
        made[f"{place}g_idx"] = torch.zeros(columns, dtype=torch.int32)
    return made


FP8 = {"quant_method": "fp8", "weight_block_size": [32, 32], "activation_scheme": "dynamic"}
INT8 = {"quant_method": "bitsandbytes", "load_in_8bit": True}
GPTQ = {"quant_method": "gptq", "bits": 4, "group_size": -1, "desc_act": False, "sym": True}
AWQ = {"quant_method": "awq", "bits": 4, "group_size": -1, "zero_point": True, "version": "gemm"}
