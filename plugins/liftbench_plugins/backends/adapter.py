"""Puts a PEFT adapter on a model for scoring, completely or not at all."""

from __future__ import annotations

import dataclasses
import json
import re
import warnings
from pathlib import Path
from typing import Any

from liftbench.plugin_api import PrerequisiteError, UsageError, first_line
from liftbench_plugins.tensor_files import read_header
from liftbench_plugins.weights import check_adapter

from .embeddings import drop_copies

SHARED = re.compile(r"^base_model\.model\..*vblora_vector_bank")
"""Names of tensors that a file holds once and layers share; PEFT counts the layers' own as missing."""

OTHER_SHAPE = re.compile(
    r"size mismatch for (\S+): copying a param with shape torch\.Size\((\[.*?\])\) .*? is torch\.Size\((\[.*?\])\)"
)
"""What PyTorch says of a tensor of another shape."""

WEIGHT = re.compile(r"\.lora_|\.weight$")
"""Names of tensors that are weights; some kinds of adapters also store indices (SHiRA, VB-LoRA)."""

MORE_THAN_LAYERS = ("modules_to_save", "trainable_token_indices", "target_parameters", "layer_replication")
"""Options of LoRA by which it replaces more than linear layers."""

WITHOUT_EFFECT = re.compile("unsloth")
"""Names of options that other tools write into an adapter's configuration without changing what it computes."""


def attach(model: Any, adapter: Path) -> Any:
    """PEFT's model around `model`, with an adapter that is not merged: rounding the sum would change what was trained.

    The adapter's weights are cast to the base's compute dtype, as autocast does in training: in bfloat16 the logits
    then equal those of the training's forward pass bit by bit, while with float32 weights they are 1.4% off (relative
    error on SmolLM2-135M in NF4). Raises `UsageError` for an adapter that does not fit, or whose effect depends on
    PEFT's own decoding loop.
    """
    import torch
    from peft import PeftConfig, PeftModel

    place = f"the adapter {adapter} does not fit the model"
    dtype = model.dtype
    try:
        config = PeftConfig.from_pretrained(str(adapter))
        _refuse_unsupported(config, adapter)
        _refuse_unread(config, adapter)
        own = {id(tensor) for tensor in (*model.parameters(), *model.buffers())}
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Found missing adapter keys")
            wrapped = PeftModel.from_pretrained(model, adapter, is_trainable=False).eval()
        # Read once more for its report: PEFT only warns of missing tensors, which keep their initial values, and drops
        # those that it has no place for without a word.
        report = wrapped.load_adapter(str(adapter), "default", is_trainable=False)
        missing = [name for name in report.missing_keys if not SHARED.search(name)]
        check_adapter(missing, drop_copies(report.unexpected_keys, adapter))
    except (torch.OutOfMemoryError, MemoryError):
        raise
    except UsageError as error:
        raise error if str(adapter) in error.what else error.within(place) from None
    except ImportError as error:
        raise PrerequisiteError(f"the adapter {adapter} cannot be loaded: {first_line(error)}") from error
    except Exception as error:  # PEFT raises many kinds for files that a user can mend
        reason = " ".join(str(error).split())[:200]
        if isinstance(error, KeyError):
            named = "base_model." in reason
            reason = f"its file has no tensor {reason}" if named else f"this version of PEFT does not know {reason}"
        elif found := OTHER_SHAPE.search(" ".join(str(error).split())):
            name, own_shape, shape = found.groups()
            reason = f"{name.replace('.default', '')} has the shape {own_shape}, not {shape}"
        raise UsageError(
            f"{place}: {reason}",
            "Its adapter_config.json and adapter_model.safetensors have to be of the same adapter, and the model the "
            "one it was trained on.",
        ) from error
    for tensor in (*wrapped.parameters(), *wrapped.buffers()):
        if id(tensor) not in own and tensor.is_floating_point():
            tensor.data = tensor.data.to(dtype)
    base = wrapped.get_base_model()
    _check_effect(wrapped, base, _kind_of(config), adapter)
    return wrapped


def _kind_of(config: Any) -> str:
    """PEFT's name for a kind of adapters: `LORA`."""
    return str(getattr(config.peft_type, "value", config.peft_type))


def leaves_base(wrapped: Any) -> bool:
    """Whether `wrapped.unload()` gives back the base as it was, to the last bit.

    It does for LoRA on linear layers, which is put around them. Some ways to initialize it (PiSSA, OLoRA, LoftQ) change
    the base, and other kinds of adapters, or further modules in a file, may.
    """
    return all(
        _kind_of(config) == "LORA"
        and config.init_lora_weights in (True, False, "gaussian")
        and config.bias == "none"
        and not any(getattr(config, name, None) for name in MORE_THAN_LAYERS)
        for config in wrapped.peft_config.values()
    )


def _refuse_unsupported(config: Any, adapter: Path) -> None:
    kind = _kind_of(config)
    if config.is_prompt_learning:
        raise UsageError(
            f"the adapter {adapter} is a learned prompt ({kind}), which the backend transformers does not support",
            "Score its texts with `bench score --predictions FILE`.",
        )
    if getattr(config, "alora_invocation_tokens", None):
        raise UsageError(
            f"the adapter {adapter} is an activated LoRA (alora_invocation_tokens), which acts only after its "
            "invocation tokens; the backend transformers does not support it",
            "Score its texts with `bench score --predictions FILE`.",
        )


def _refuse_unread(config: Any, adapter: Path) -> None:
    """Raise `UsageError` for what PEFT would ignore or misread: options that it does not know, and integers."""
    import peft

    known = {field.name for field in dataclasses.fields(config)}
    raw = json.loads((adapter / "adapter_config.json").read_bytes())
    ignored = [name for name, value in raw.items() if value and name not in known and not WITHOUT_EFFECT.match(name)]
    if ignored:
        count = f"{len(ignored)} option{'s' * (len(ignored) > 1)}"
        raise UsageError(
            f"PEFT {peft.__version__} would ignore {count} in the adapter_config.json of {adapter}: "
            f"{', '.join(ignored[:3])}{', …' * (len(ignored) > 3)}",
            "Upgrade PEFT; or remove them, if they do not change what the adapter computes.",
        )
    tensors = read_header(adapter / "adapter_model.safetensors")
    integers = [name for name, tensor in tensors.items() if WEIGHT.search(name) and tensor.type[0] in "IU"]
    if integers:
        raise UsageError(
            f"{len(integers)} tensors are integers (the first: {integers[0]}): quantized numbers without their scales",
            "Save the adapter again in float32, float16 or bfloat16.",
        )


def _check_effect(wrapped: Any, base: Any, kind: str, adapter: Path) -> None:
    """Raise `UsageError` unless the model computes with the adapter what PEFT computes with it.

    Decoding calls the model itself. Some kinds of adapters act in PEFT's own forward pass, so that the untuned model
    would be scored, and some do not compute in every precision.
    """
    import torch

    device = base.get_input_embeddings().weight.device
    ids = torch.arange(8, device=device)[None, :] % base.get_input_embeddings().weight.shape[0]
    try:
        with torch.inference_mode():
            expected, found = (model(input_ids=ids).logits for model in (wrapped, base))
    except torch.OutOfMemoryError:
        raise
    except Exception as error:
        merge = "merge it with PEFT's merge_and_unload() and score the merged model."
        raise UsageError(
            f"the adapter {adapter} ({kind}) cannot be computed in {str(base.dtype).removeprefix('torch.')}: "
            f"{' '.join(first_line(error).split())[:200]}",
            merge[0].upper() + merge[1:] if base.dtype == torch.float32 else f"Use --precision float32, or {merge}",
        ) from error
    if not torch.allclose(expected, found, equal_nan=True):
        raise UsageError(
            f"the adapter {adapter} ({kind}) acts in PEFT's own forward pass, which the backend transformers does not "
            "run",
            "Merge it with PEFT's merge_and_unload() and score the merged model.",
        )
