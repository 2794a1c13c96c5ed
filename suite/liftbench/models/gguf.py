"""Converts a LLaMA in a GGUF file to a folder that transformers can load, train and quantize."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import UsageError, first_line

DIGIT_SPLITTING = {"smollm"}
"""Values of `tokenizer.ggml.pre` for tokenizers that split numbers into digits; transformers 5 does not know them."""
LLAMA_3 = {"llama3", "llama-v3", "llama-bpe"}
"""Values for Llama 3, whose tokenizer looks for the whole word in its vocabulary before it merges, and adds a BOS."""
PLAIN_BPE = {"gpt-2"}


def convert(gguf: Path, folder: Path) -> None:
    """Write configuration, tokenizer and weights in bfloat16 into `folder`. Loads torch.

    To transformers, a model loaded from GGUF is quantized and can be neither saved nor trained. So its dequantized
    weights go into a new model. Raises `UsageError` if the model is not a LLaMA or the conversion would change it.
    """
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, GgufConfig, LlamaForCausalLM

    facts = _read_facts(gguf)
    with _silence_transformers():
        try:
            tokenizer = _load_tokenizer(gguf, facts)
            loaded = AutoModelForCausalLM.from_pretrained(
                gguf.parent,
                gguf_file=gguf.name,
                dtype=torch.float32,
                quantization_config=GgufConfig(dequantize=True),
            )
        except (ValueError, KeyError, IndexError, NotImplementedError) as error:
            raise UsageError(
                f"{gguf.name} cannot be read as a model: {first_line(error)}", "Copy or download it again."
            ) from error
        config = loaded.config
        if hasattr(config, "quantization_config"):
            del config.quantization_config
        config.dtype = torch.bfloat16
        with torch.device("meta"):
            model = LlamaForCausalLM(config)
        weights = {name: weight.to(torch.bfloat16) for name, weight in loaded.state_dict().items()}
        model.load_state_dict(weights, assign=True)
        model.tie_weights()
        # A GGUF file may have one token for the end of a turn and another for the end of a text. Decoding ends at both.
        ends = {facts[key] for key in ("tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id") if key in facts}
        model.generation_config.eos_token_id = sorted(ends) or None
        try:
            model.save_pretrained(folder)
        except SafetensorError as error:  # for example on a full disk
            raise OSError(str(error)) from error
        tokenizer.save_pretrained(folder)


def _read_facts(gguf: Path) -> dict[str, Any]:
    """The file's metadata without long lists. Raises `UsageError` if a conversion would change the model."""
    from gguf import GGUFReader

    try:
        reader = GGUFReader(gguf)
        facts = {name: field.contents() for name, field in reader.fields.items() if len(field.data) <= 1}
        tensors = {tensor.name for tensor in reader.tensors}
    except Exception as error:  # gguf raises many kinds for a file that is cut off or damaged
        raise UsageError(
            f"{gguf.name} is not a readable GGUF file: {first_line(error)}", "Copy or download it again."
        ) from error
    reason = _find_obstacle(facts, tensors)
    if reason:
        raise UsageError(f"{gguf.name} cannot be converted: {reason}", "Use the model's own folder or hub:org/name.")
    return facts


def _find_obstacle(facts: dict[str, Any], tensors: set[str]) -> str | None:
    architecture = facts.get("general.architecture")
    if architecture != "llama" or facts.get("llama.expert_count", 0):
        return f"its architecture is {architecture!r}; only dense LLaMAs are supported"
    if facts.get("split.count", 1) > 1:
        return "it is one part of several"
    if "rope_freqs.weight" in tensors or facts.get("llama.rope.scaling.type", "none") != "none":
        return "it scales its rotary positions (as Llama 3.1 does), which transformers does not read from GGUF"
    kind, pre = facts.get("tokenizer.ggml.model"), facts.get("tokenizer.ggml.pre")
    if kind == "gpt2" and pre not in DIGIT_SPLITTING | LLAMA_3 | PLAIN_BPE:
        return f"transformers does not know how its tokenizer {pre!r} splits text"
    if kind not in ("gpt2", "llama"):
        return f"its tokenizer has the unknown type {kind!r}"
    return None


def load_tokenizer(gguf: Path) -> Any:
    """The tokenizer in a GGUF file, as a conversion has it. Raises `UsageError` as `convert` does."""
    facts = _read_facts(gguf)
    with _silence_transformers():
        return _load_tokenizer(gguf, facts)


def _load_tokenizer(gguf: Path, facts: dict[str, Any]) -> Any:
    from tokenizers import pre_tokenizers
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    pre = facts.get("tokenizer.ggml.pre")
    if pre in DIGIT_SPLITTING:
        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        )
    if pre in LLAMA_3:
        tokenizer.backend_tokenizer.model.ignore_merges = True
        tokenizer.add_bos_token = facts.get("tokenizer.ggml.add_bos_token", True)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


@contextlib.contextmanager
def _silence_transformers() -> Iterator[None]:
    """Hide transformers' progress bars and its warnings about GGUF, which concern what `convert` does on purpose.

    Some bars come from a plain tqdm without a setting, so the standard error stream is redirected.
    """
    from transformers.utils import logging

    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.set_verbosity(verbosity)
