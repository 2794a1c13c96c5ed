"""Writes a LLaMA in transformers' format as a GGUF file, which llama.cpp and `gguf.convert` read as the same model.

Names and metadata follow llama.cpp's `convert_hf_to_gguf.py` and its specification of GGUF.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..errors import UsageError
from .gguf import load_tokenizer
from .references import read_json

ELSEWHERE = "Export it with --as merged, and convert that folder with llama.cpp's convert_hf_to_gguf.py."

DTYPES = {"BF16": "MOSTLY_BF16", "F16": "MOSTLY_F16", "F32": "ALL_F32"}
"""Type of a tensor in safetensors → GGUF's name for a file of such tensors."""

SAMPLES = (
    "Customer: My order #12345 hasn't arrived; it's 3 weeks late!!\nAgent: We're sorry — please DM us (24/7).",
    "  two  spaces,\ttabs\n\n\nand lines: 1,000.50 € ≥ 20% naïve Übergröße 你好 🙂🏽 e\u0301 don't WE'LL",
    "http://example.com/a?b=c&d=1#e 2026-11-30T16:05:07Z x_y-z ''' \"quoted\" <|im_start|>user</s><s>",
)
"""Texts whose tokens must be the same after a round trip: numbers, spaces, accents, names of control tokens."""


def write_gguf(model: Path, path: Path, *, name: str = "", license_: str = "") -> None:
    """Write the LLaMA in a folder as one GGUF file with tensors of the same type; vectors become float32.

    Raises `UsageError` for another architecture, for what GGUF or its readers have no place for, and for a tokenizer
    that would split texts otherwise.
    """
    from gguf import (
        GGML_QUANT_VERSION,
        MODEL_ARCH,
        MODEL_ARCH_NAMES,
        GGUFType,
        GGUFWriter,
        LlamaFileType,
        get_tensor_name_map,
    )
    from transformers import AutoTokenizer, LlamaConfig

    if reason := _find_obstacle(read_json(model / "config.json")):
        raise UsageError(f"{model.name} cannot be written as GGUF: {reason}", ELSEWHERE)
    # With the defaults of what the file leaves out.
    config = LlamaConfig.from_pretrained(model, local_files_only=True).to_dict()
    tokenizer = AutoTokenizer.from_pretrained(model, local_files_only=True, trust_remote_code=False)
    metadata = _architecture(config) | _tokenizer_metadata(model, tokenizer, config)
    types = {kind for _, kind, _ in _tensors(model, data=False) if kind in DTYPES}
    writer = GGUFWriter(path, MODEL_ARCH_NAMES[MODEL_ARCH.LLAMA])
    writer.add_type(GGUFType.MODEL)
    writer.add_quantization_version(GGML_QUANT_VERSION)
    writer.add_file_type(LlamaFileType[DTYPES[types.pop()]] if len(types) == 1 else LlamaFileType.GUESSED)
    for key, value in {"general.name": name, "general.license": license_}.items():
        if value:
            writer.add_string(key, value)
    for key, value in metadata.items():
        _add(writer, key, value)
    names = get_tensor_name_map(MODEL_ARCH.LLAMA, config["num_hidden_layers"])
    heads = {"q_proj": config["num_attention_heads"], "k_proj": _key_heads(config)}
    for tensor, _, values in _tensors(model):
        known = names.get_name(tensor, try_suffixes=(".weight",))
        if known is None:
            raise UsageError(f"{model.name} cannot be written as GGUF: llama.cpp has no tensor {tensor}", ELSEWHERE)
        count = heads.get(tensor.split(".")[-2])
        _add_tensor(writer, known, _permute(values, count) if count else values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    _check_tokens(model, tokenizer, path)


def _find_obstacle(config: Mapping[str, Any]) -> str | None:
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    kind = rope.get("rope_type", rope.get("type", "default"))
    if config.get("model_type") != "llama":
        return f"its architecture is {config.get('model_type')!r}; only dense LLaMAs are supported"
    if kind != "default":
        return f"it scales its rotary positions ({kind}), which transformers does not read from GGUF"
    if config.get("attention_bias") or config.get("mlp_bias"):
        return "its layers have biases"
    if config.get("hidden_act", "silu") != "silu":
        return f"its activation is {config['hidden_act']}, not silu"
    return None


def _architecture(config: Mapping[str, Any]) -> dict[str, Any]:
    rope = config.get("rope_parameters") or {}
    width = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
    return {
        "llama.context_length": config["max_position_embeddings"],
        "llama.embedding_length": config["hidden_size"],
        "llama.block_count": config["num_hidden_layers"],
        "llama.feed_forward_length": config["intermediate_size"],
        "llama.attention.head_count": config["num_attention_heads"],
        "llama.attention.head_count_kv": _key_heads(config),
        "llama.attention.key_length": width,
        "llama.attention.value_length": width,
        "llama.attention.layer_norm_rms_epsilon": float(config["rms_norm_eps"]),
        "llama.rope.freq_base": float(rope.get("rope_theta") or config.get("rope_theta") or 10_000.0),
        "llama.rope.dimension_count": width,
        "llama.vocab_size": config["vocab_size"],
    }


def _key_heads(config: Mapping[str, Any]) -> int:
    return int(config.get("num_key_value_heads") or config["num_attention_heads"])


# ------------------------------------------------------------------------------------------------------------- tensors


def _tensors(model: Path, *, data: bool = True) -> Iterator[tuple[str, str, Any]]:
    """Name, type and values of each tensor of a folder, one after the other; None for the values without `data`."""
    from safetensors import safe_open

    for path in sorted(model.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - it is no mapping
                kind = file.get_slice(name).get_dtype()
                yield name, kind, file.get_tensor(name) if data else None


def _permute(weight: Any, heads: int) -> Any:
    """A projection's rows in llama.cpp's order: it rotates neighbouring dimensions, transformers the two halves."""
    return (
        weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)
    )


def _add_tensor(writer: Any, name: str, tensor: Any) -> None:
    import torch
    from gguf import GGMLQuantizationType

    if tensor.ndim == 1 or tensor.dtype not in (torch.bfloat16, torch.float16):
        writer.add_tensor(name, tensor.float().numpy())
    elif tensor.dtype == torch.float16:
        writer.add_tensor(name, tensor.contiguous().numpy())
    else:
        # numpy has no bfloat16: its two bytes are written as they are.
        raw = tensor.contiguous().view(torch.uint8).numpy()
        writer.add_tensor(name, raw, raw_dtype=GGMLQuantizationType.BF16)


def _add(writer: Any, key: str, value: Any) -> None:
    match value:
        case bool():
            writer.add_bool(key, value)
        case int():
            writer.add_uint32(key, value)
        case float():
            writer.add_float32(key, value)
        case str():
            writer.add_string(key, value)
        case _:
            writer.add_array(key, value)


# ----------------------------------------------------------------------------------------------------------- tokenizer


def _tokenizer_metadata(model: Path, tokenizer: Any, config: Mapping[str, Any]) -> dict[str, Any]:
    file = read_json(model / "tokenizer.json") if (model / "tokenizer.json").is_file() else {}
    pre = _find_pre(file)
    if pre is None:
        raise UsageError(
            f"the tokenizer of {model.name} cannot be written as GGUF: it does not split texts like GPT-2, SmolLM or "
            "Llama 3",
            ELSEWHERE,
        )
    tokens, types = _vocabulary(tokenizer, file, config["vocab_size"])
    ends = _ends(model, tokenizer)
    special = {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "eot_token_id": next(iter(ends), None),
        "unknown_token_id": tokenizer.unk_token_id,
        "padding_token_id": tokenizer.pad_token_id,
    }
    found: dict[str, Any] = {f"tokenizer.ggml.{key}": int(id_) for key, id_ in special.items() if id_ is not None}
    merges = [one if isinstance(one, str) else " ".join(one) for one in file["model"]["merges"]]
    first = tokenizer("a", add_special_tokens=True)["input_ids"][0]
    found |= {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": pre,
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": types,
        "tokenizer.ggml.merges": merges,
        "tokenizer.ggml.add_bos_token": first == tokenizer.bos_token_id,
    }
    if tokenizer.chat_template:
        found["tokenizer.chat_template"] = tokenizer.chat_template
    return found


LLAMA_3_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""The regular expression with which Llama 3 splits texts."""


def _find_pre(file: Mapping[str, Any]) -> str | None:
    """llama.cpp's name for how a `tokenizer.json` splits texts before it merges; None for one that it is not."""
    model, steps = file.get("model", {}), file.get("pre_tokenizer") or {}
    if model.get("type") != "BPE" or model.get("byte_fallback") or file.get("normalizer"):
        return None
    parts = steps["pretokenizers"] if steps.get("type") == "Sequence" else [steps]
    kinds = [part.get("type") for part in parts]
    if not kinds or kinds[-1] != "ByteLevel" or parts[-1].get("add_prefix_space"):
        return None
    by_regex = parts[-1].get("use_regex", True)
    if kinds == ["ByteLevel"] and by_regex:
        return "gpt-2"
    if kinds == ["Digits", "ByteLevel"] and parts[0].get("individual_digits") and by_regex:
        return "smollm"
    if kinds == ["Split", "ByteLevel"] and not by_regex and parts[0].get("pattern") == {"Regex": LLAMA_3_PATTERN}:
        return "llama-bpe" if model.get("ignore_merges") else None
    return None


def _vocabulary(tokenizer: Any, file: Mapping[str, Any], size: int) -> tuple[list[str], list[int]]:
    """Each token with its type, in the order of the ids; ids that no token has are unused."""
    from gguf import TokenType

    by_id = {id_: token for token, id_ in file["model"]["vocab"].items()}
    added = tokenizer.added_tokens_decoder
    by_id |= {id_: token.content for id_, token in added.items()}
    if (highest := max(by_id)) >= size:
        raise UsageError(
            f"the tokenizer has a token with the id {highest}, and the model only {size} embeddings", ELSEWHERE
        )
    kinds = [
        (TokenType.CONTROL if added[id_].special else TokenType.USER_DEFINED)
        if id_ in added
        else TokenType.NORMAL
        if id_ in by_id
        else TokenType.UNUSED
        for id_ in range(size)
    ]
    return [by_id.get(id_, f"[PAD{id_}]") for id_ in range(size)], [int(kind) for kind in kinds]


def _ends(model: Path, tokenizer: Any) -> set[int]:
    """The tokens beside the tokenizer's end-of-sequence token that end a text: GGUF has a place for one."""
    path = model / "generation_config.json"
    found = read_json(path).get("eos_token_id") if path.is_file() else None
    ends = {*found} if isinstance(found, list) else {found}
    others = {end for end in ends if end is not None and end != tokenizer.eos_token_id}
    if len(others) > 1:
        raise UsageError(
            f"{model.name} ends its texts at {len(others) + 1} tokens, and GGUF has a place for two", ELSEWHERE
        )
    return others


def _check_tokens(model: Path, before: Any, path: Path) -> None:
    """Raise `UsageError` unless the file's tokenizer, as it is read, makes the tokens that the model's own makes."""
    after = load_tokenizer(path)
    for text in (*SAMPLES, before.chat_template or ""):
        ids = [tokenizer(text)["input_ids"] for tokenizer in (before, after)]
        if ids[0] != ids[1] or before.decode(ids[0]) != after.decode(ids[1]):
            raise UsageError(
                f"the tokenizer of {model.name} cannot be written as GGUF: it would split texts otherwise", ELSEWHERE
            )
