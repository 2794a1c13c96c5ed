"""Loads a causal language model from a local folder in a given precision, for scoring and for training.

Importing this module imports no torch.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from liftbench.plugin_api import require_packages, unknown

DTYPES = {"float32": "float32", "bfloat16": "bfloat16", "float16": "float16", "nf4": "bfloat16"}
"""Precision → dtype of the computations and of the weights that are not quantized."""


def device() -> str:
    """The device that everything runs on: the first GPU if there is one, else the CPU."""
    import torch

    return "cuda:0" if torch.cuda.is_available() else "cpu"


def load_model(folder: Path, precision: str) -> Any:
    """The model on `device()`, in evaluation mode. `nf4` is NF4 with double quantization, on the CPU, too.

    Raises `UsageError` for an unknown precision, and `PrerequisiteError` for `nf4` without bitsandbytes.
    """
    if precision not in DTYPES:
        raise unknown("precision", precision, DTYPES)
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    quantization = None
    dtype = getattr(torch, DTYPES[precision])
    if precision == "nf4":
        require_packages(["bitsandbytes"], "the precision nf4", "liftbench[train]")
        quantization = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
        )
    model = AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=dtype,
        quantization_config=quantization,
        device_map={"": device()},
        attn_implementation="sdpa",
        local_files_only=True,
    )
    for module in model.modules():
        # In evaluation, bitsandbytes would repack the weights for AVX512-BF16; later training steps would then silently
        # lose the gradients of their inputs.
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
    return model.eval()
