"""Which adapters vLLM serves as PEFT computes them; the others are refused before the engine is loaded."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from liftbench.plugin_api import UsageError
from liftbench_plugins.tensor_files import read_header

RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""The limits that `max_lora_rank` can be set to in every version since 0.11."""

LORA = re.compile(r"^base_model\.model\.(.+)\.lora_([AB])\.weight$")
EMBEDDINGS = ("embed_tokens", "lm_head", "wte", "word_embeddings")

WITHOUT_EFFECT = frozenset(
    {
        *("auto_mapping", "base_model_name_or_path", "corda_config", "eva_config", "exclude_modules", "inference_mode"),
        *("layers_pattern", "layers_to_transform", "loftq_config", "lora_alpha", "lora_dropout", "megatron_core"),
        *("peft_type", "peft_version", "qalora_group_size", "r", "revision", "runtime_config", "target_modules"),
        *("task_type", "use_rslora"),
    }
)
"""Options of PEFT's LoRA that vLLM reads, or that change nothing once the adapter is trained."""

INITIALIZATIONS = (None, True, False, "gaussian", "eva", "orthogonal")
"""Values of `init_lora_weights` that leave the base's weights as they are."""

REASONS = {
    "use_dora": "it is a DoRA adapter (use_dora), which vLLM does not compute",
    "modules_to_save": "it brings whole modules (modules_to_save), which vLLM does not load",
    "trainable_token_indices": "it brings embeddings of single tokens (trainable_token_indices)",
    "rank_pattern": "its modules have several ranks (rank_pattern), which vLLM's versions scale differently",
    "alpha_pattern": "its modules have several scales (alpha_pattern), of which vLLM reads one",
    "bias": "it has biases of its own, which vLLM does not load",
    "alora_invocation_tokens": "it is an activated LoRA (alora_invocation_tokens)",
}
"""Option → why vLLM cannot serve an adapter that sets it."""

FIX = "Use --backend transformers; or export it with `bench export --as merged --to FOLDER`, and score FOLDER."


def check_adapter(adapter: Path, model: Path) -> int:
    """The `max_lora_rank` that an adapter needs.

    Raises `UsageError`, with the way out, where vLLM would not compute what PEFT computes with it on this model.
    """
    configuration: dict[str, Any] = json.loads((adapter / "adapter_config.json").read_bytes())
    if reason := _unserved(configuration):
        raise UsageError(f"vLLM cannot serve the adapter {adapter}: {reason}", FIX)
    tensors = {name: one.shape for name, one in read_header(adapter / "adapter_model.safetensors").items()}
    modules = {name: found[1] for name in tensors if (found := LORA.match(name))}
    reason = _unread(tensors, modules) or _misplaced(set(modules.values()), model)
    rank = max((shape[0] for name, shape in tensors.items() if ".lora_A." in name), default=0)
    if not reason and rank > RANKS[-1]:
        reason = f"its rank is {rank}, and vLLM's limit is {RANKS[-1]}"
    if reason:
        raise UsageError(f"vLLM cannot serve the adapter {adapter}: {reason}", FIX)
    return next(limit for limit in RANKS if rank <= limit)


def changes_anything(adapter: Path) -> bool:
    """Whether one of an adapter's second matrices is not zero: else it computes what its base computes."""
    from safetensors import safe_open

    with safe_open(str(adapter / "adapter_model.safetensors"), framework="pt") as file:
        names = [name for name in file.keys() if ".lora_B." in name]  # noqa: SIM118 - safe_open is not a dict
        return any(bool(file.get_tensor(name).any()) for name in names)


def _unserved(configuration: Mapping[str, Any]) -> str:
    kind = configuration.get("peft_type")
    if kind != "LORA":
        return f"it is {kind or 'of an unknown kind'}, and vLLM serves LoRA alone"
    if (way := configuration.get("init_lora_weights")) not in INITIALIZATIONS:
        return f"it was made with init_lora_weights={way!r}, which changes the base's weights"
    left = {
        name: value
        for name, value in configuration.items()
        if value and name not in WITHOUT_EFFECT and name != "init_lora_weights" and (name, value) != ("bias", "none")
    }
    for name, reason in REASONS.items():
        if name in left:
            return reason
    return f"vLLM does not read {', '.join(sorted(left))} in its adapter_config.json" if left else ""


def _unread(tensors: Iterable[str], modules: Mapping[str, str]) -> str:
    """Why not every tensor is one of a LoRA on a layer."""
    if on := next((one for one in modules.values() if one.rpartition(".")[2] in EMBEDDINGS), ""):
        return f"it changes the embeddings or the LM head ({on})"
    others = [name for name in tensors if name not in modules]
    if embedded := next((name for name in others if ".lora_embedding_" in name), ""):
        return f"it changes the embeddings ({embedded})"
    if others:
        return f"its file has {len(others)} tensors that are no LoRA of a layer (the first: {others[0]})"
    return "" if modules else "its file has no tensors"


def _misplaced(modules: set[str], model: Path) -> str:
    """Why a LoRA has no layer in the model, which vLLM would pass over without a word."""
    weights = {name for file in model.glob("*.safetensors") for name in read_header(file)}
    missing = sorted(one for one in modules if f"{one}.weight" not in weights)
    return (
        f"{len(missing)} of its modules are not in the model (the first: {missing[0]})" if weights and missing else ""
    )
