"""Checks that a file's weights and a model's are the same set: nothing random, nothing left over.

transformers initializes missing weights at random and ignores those that it has no place for; PEFT does likewise.
Importing this module imports no torch.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

from liftbench.plugin_api import UsageError

from .quantization import PARTS_OF_QUANTIZED_WEIGHTS

HARMLESS = re.compile(
    r"(rotary_emb\.(inv_freq|cos_cached|sin_cached)|position_ids|masked_bias|attn\.bias"
    r"|[kv]_scale|input_scale|activation_scale)$|^v_head\."
)
"""Names of tensors that files hold without changing what the model computes: buffers that transformers computes itself,
scales of a quantized cache or of quantized activations, and the value head of reinforcement learning."""

SHOWN = 3
"""The number of names that an error lists."""


def check_loaded(model: Any, report: Mapping[str, Any], *, quantized: bool = False) -> None:
    """Raise `UsageError` unless every weight of the model came from the file, and every one of the file was used.

    `report` is transformers' loading information, with `mismatched_keys` collected instead of raised. `quantized` says
    whether config.json has a `quantization_config`; the model's has none after its weights were unpacked.
    """
    config = model.config
    missing = sorted(report["missing_keys"])
    unexpected = sorted(name for name in report["unexpected_keys"] if not HARMLESS.search(name))
    mismatched = sorted({*report["mismatched_keys"], *_of_other_shapes(model)})
    if not (missing or unexpected or mismatched):
        return
    parts = []
    if missing:
        parts.append(f"{_count(missing, 'weight')} missing from its files ({_names(missing)})")
    if unexpected:
        parts.append(f"{_count(unexpected, 'tensor')} in its files unused ({_names(unexpected)})")
    if mismatched:
        name, found, expected = mismatched[0]  # shapes
        parts.append(
            f"{_count(mismatched, 'weight')} of another shape than its config.json says "
            f"({name}: {list(found)}, not {list(expected)})"
        )
    what = "its weights are not those of its config.json: " + "; ".join(parts)
    raise UsageError(what, _fix(missing, unexpected, config, quantized))


def check_adapter(missing: Collection[str], unexpected: Collection[str]) -> None:
    """Raise `UsageError` unless an adapter's file has every tensor of its configuration, and no other.

    The names are PEFT's, which has put its name for the adapter, `default`, into those that are missing.
    """
    absent = sorted(name.replace(".default", "") for name in missing)
    unused = sorted(unexpected)
    parts = []
    if absent:
        parts.append(f"{_count(absent, 'tensor')} missing from its file ({_names(absent)})")
    if unused:
        parts.append(f"{_count(unused, 'tensor')} in its file unused ({_names(unused)})")
    if parts:
        raise UsageError(
            "; ".join(parts),
            _prefix_fix(absent, unused)
            or "Its adapter_config.json (target_modules, use_dora, layers) and adapter_model.safetensors are not of "
            "the same adapter, or it was trained on another model.",
        )


def common_prefix(missing: Collection[str], unexpected: Collection[str]) -> str:
    """What stands before the names in a file that else are the expected ones; empty if it is not that."""
    prefixes: Counter[str] = Counter()
    for name in unexpected:
        for end in (name[place + 1 :] for place, letter in enumerate(name) if letter == "."):
            if end in missing:
                prefixes[name.removesuffix(end)] += 1
                break
    [(prefix, count)] = prefixes.most_common(1) or [("", 0)]
    return prefix if count * 2 > len(unexpected) else ""


def _of_other_shapes(model: Any) -> list[tuple[str, Any, Any]]:
    """The quantized layers whose weights have another shape than the layer; transformers does not report them.

    Name, found and expected shape, as in the loading information.
    """
    found = []
    for name, module in model.named_modules():
        state = getattr(getattr(module, "weight", None), "quant_state", None)
        if state is not None and tuple(state.shape) != (module.out_features, module.in_features):
            found.append((f"{name}.weight", tuple(state.shape), (module.out_features, module.in_features)))
    return found


def _fix(missing: Collection[str], unexpected: Collection[str], config: Any, quantized: bool) -> str:
    parts = PARTS_OF_QUANTIZED_WEIGHTS.items()
    method = next((method for end, method in parts if any(name.endswith(end) for name in unexpected)), None)
    if method and quantized:
        return (
            f"They look like weights quantized with {method}, and its quantization_config names another method or "
            "other layers: use the unquantized model."
        )
    if method:
        return (
            f"They look like weights quantized with {method}, and config.json has no quantization_config that says so: "
            "use the unquantized model."
        )
    if fix := _prefix_fix(missing, unexpected):
        return fix
    if any(".lora_" in name or "modules_to_save" in name for name in unexpected):
        return "An adapter was saved into it: merge it with PEFT's merge_and_unload(), and save the model again."
    if set(missing) == {"lm_head.weight"} and not getattr(config, "tie_word_embeddings", False):
        return "If the model ties its LM head to its embeddings, set tie_word_embeddings to true in config.json."
    return "Copy or download the folder again; config.json and the weights have to be of the same model."


def _prefix_fix(missing: Collection[str], unexpected: Collection[str]) -> str:
    if prefix := common_prefix(set(missing), unexpected):
        return f"The names in the file begin with {prefix!r}: save it again without this prefix."
    if prefix := common_prefix(set(unexpected), missing):
        return f"The names in the file lack {prefix!r} at their beginning: save it again with this prefix."
    return ""


def _count(names: Collection[Any], noun: str) -> str:
    return f"{len(names)} {noun} is" if len(names) == 1 else f"{len(names)} {noun}s are"


def _names(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", …" if len(names) > SHOWN else "")
