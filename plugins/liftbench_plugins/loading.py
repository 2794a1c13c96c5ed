"""Loads a causal language model from a local folder in a given precision, for scoring and for training.

Nothing is downloaded, code in the folder is never run, and the user is not prompted. Importing this module does not
import torch.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from liftbench.plugin_api import PrerequisiteError, RunFailed, UsageError, first_line, require_packages, unknown

from .quantization import (
    cast_plain_weights,
    check_computes,
    check_quantized,
    check_stored_types,
    explain_method,
    own_quantization,
    use_own_quantization,
)
from .weights import check_loaded

DTYPES = {"float32": "float32", "bfloat16": "bfloat16", "float16": "float16", "nf4": "bfloat16"}
"""Precision → dtype of the computations and of the weights that are not quantized."""


def device() -> str:
    """The device that everything runs on: the current GPU (the first, unless told otherwise) if there is one, or the
    CPU."""
    import torch

    return f"cuda:{torch.cuda.current_device()}" if torch.cuda.is_available() else "cpu"


def load_model(folder: Path, precision: str, *, packed_as: str = "uint8") -> Any:
    """The model on `device()`, in evaluation mode. `nf4` is NF4 with double quantization, on the CPU, too.

    `packed_as` is the dtype under which NF4's bytes are stored; weights that are divided over processes need one of
    floating point. A base that is quantized by itself is loaded as its own configuration says, and everything else is
    computed in `precision`. Raises `UsageError` for an unknown precision and a folder that does not hold exactly the
    weights of its configuration, and `PrerequisiteError` for `nf4` without bitsandbytes.
    """
    if precision not in DTYPES:
        raise unknown("precision", precision, DTYPES)
    import torch
    from transformers import AutoModelForCausalLM

    dtype = getattr(torch, DTYPES[precision])
    chosen: dict[str, Any] = {}
    with explain_loading(folder):
        config = load_config(folder)
        check_stored_types(folder, config)
        quantized = own_quantization(config) is not None
        if quantized:
            use_own_quantization(config, precision)
        elif precision == "nf4":
            require_packages(["bitsandbytes"], "the precision nf4", "liftbench[train]")
            # Only here: any value of this argument, even None, switches off the checks of a base's own quantization.
            chosen["quantization_config"] = _nf4(dtype, getattr(torch, packed_as))
        with explain_method(config):
            model, report = AutoModelForCausalLM.from_pretrained(
                folder,
                config=config,
                dtype=dtype,
                device_map={"": device()},
                attn_implementation="sdpa",
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
                # Collected in the report instead, so that the error can name them.
                ignore_mismatched_sizes=True,
                **chosen,
            )
        check_loaded(model, report, quantized=quantized)
        if quantized:
            check_quantized(model, folder)
            cast_plain_weights(model, dtype)
    _forbid_repacking(model)
    model.eval()
    if quantized:
        with explain_loading(folder):
            check_computes(model)
    return model


def _nf4(dtype: Any, packed_as: Any) -> Any:
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
        bnb_4bit_quant_storage=packed_as,
    )


def _forbid_repacking(model: Any) -> None:
    # In evaluation, bitsandbytes would repack the weights for AVX512-BF16; later training steps would then silently
    # lose the gradients of their inputs.
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def load_config(folder: Path) -> Any:
    """The configuration in a folder. Raises `UsageError` if transformers has no causal language model for it."""
    import transformers
    from transformers import AutoConfig
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

    raw, _ = transformers.PreTrainedConfig.get_config_dict(folder, local_files_only=True)
    kind = raw.get("model_type")
    if kind not in CONFIG_MAPPING:
        version = f"transformers {transformers.__version__}"
        if "auto_map" in raw:
            raise UsageError(
                f"it is a model with code of its own (auto_map, model_type {kind!r}), which {version} does not know; "
                "code from a model's folder is never run",
                "Use a model that transformers knows.",
            )
        named = f"its model_type {kind!r} is not known to" if kind else "its config.json has no model_type for"
        raise UsageError(f"{named} {version}", "Upgrade transformers, or use a model that it knows.")
    if not isinstance(raw.get("quantization_config"), dict | None):
        raise UsageError(
            f"the quantization_config in its config.json is no object: {raw['quantization_config']!r}",
            "Use the config.json that was saved with these weights.",
        )
    pad, size = raw.get("pad_token_id"), raw.get("vocab_size")
    if pad is not None and isinstance(size, int) and not 0 <= pad < size:
        # An id beyond the embeddings stops transformers. Padding is masked, so no pad token is as good as any.
        config = CONFIG_MAPPING[kind].from_dict(raw | {"pad_token_id": None})
    else:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    if type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING or getattr(config, "is_encoder_decoder", False):
        raise UsageError(
            f"its model_type {kind!r} is not a causal language model",
            "Use a model that continues a text (…ForCausalLM).",
        )
    _check_architecture(raw, MODEL_FOR_CAUSAL_LM_MAPPING[type(config)].__name__)
    return config


def _check_architecture(raw: Mapping[str, Any], loaded: str) -> None:
    """Raise `UsageError` if config.json names another architecture than the one that its model_type stands for.

    Many architectures have weights of the same names and shapes, and compute something else with them.
    """
    import transformers

    named = [str(name) for name in raw.get("architectures") or () if hasattr(transformers, str(name))]
    if named and _family(loaded) not in map(_family, named):
        raise UsageError(
            f"its config.json contradicts itself: architectures says {named[0]}, and its model_type "
            f"{raw['model_type']!r} stands for {loaded}",
            "Use the config.json that was saved with these weights.",
        )


def _family(architecture: str) -> str:
    return re.split(r"For[A-Z]|LMHead|Text|Model$", architecture)[0].casefold()


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer in a folder. Raises `UsageError` if it cannot be loaded."""
    from transformers import AutoTokenizer

    if (folder / "config.json").is_file():
        # transformers reads it with the tokenizer; what is wrong with it is said of the model.
        with explain_loading(folder):
            load_config(folder)
    with explain_loading(folder, "tokenizer"):
        return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)


def context_of(config: Any) -> int:
    """The largest number of positions of a model; 0 if its configuration does not say."""
    return int(getattr(config.get_text_config(), "max_position_embeddings", None) or 0)


def check_vocabulary(tokenizer: Any, model: Any) -> None:
    """Raise `UsageError` if the tokenizer's own vocabulary is larger than the model's embeddings.

    Some added tokens may lie beyond them (a pad token, for example), as long as no prompt has them.
    """
    rows = model.get_input_embeddings().weight.shape[0]
    if tokenizer.vocab_size > rows:
        raise UsageError(
            f"the tokenizer has {tokenizer.vocab_size} tokens and the model {rows} embeddings: they are not of the "
            "same model",
            "Use the tokenizer files that were saved with these weights.",
        )


def check_ids(ids: Sequence[int], tokenizer: Any, model: Any) -> None:
    """Raise `UsageError` if a token has no embedding: PyTorch would fail without naming it."""
    rows = model.get_input_embeddings().weight.shape[0]
    highest = max(ids, default=0)
    if highest >= rows:
        raise UsageError(
            f"the token {tokenizer.convert_ids_to_tokens(highest)!r} (id {highest}) is beyond the model's {rows} "
            "embeddings: tokenizer and weights are not of the same model",
            "Use the tokenizer files that were saved with these weights.",
        )


def valid_pad(tokenizer: Any, model: Any) -> int:
    """The tokenizer's pad token, or another token with an embedding: padding is masked, so any will do."""
    pad, end = tokenizer.pad_token_id, tokenizer.eos_token_id
    rows = model.get_input_embeddings().weight.shape[0]
    return next((int(token) for token in (pad, end) if token is not None and 0 <= token < rows), 0)


def check_targets(model: Any, target: str | Sequence[str]) -> None:
    """Raise `UsageError` if one of the modules that are to get an adapter is not a layer of the model."""
    import torch
    from transformers.pytorch_utils import Conv1D

    if isinstance(target, str):
        return
    layers = (torch.nn.Linear, torch.nn.Embedding, Conv1D)
    names = [name for name, module in model.named_modules() if isinstance(module, layers)]
    unmatched = [one for one in target if not any(name == one or name.endswith(f".{one}") for name in names)]
    if unmatched or not target:
        head = model.get_output_embeddings()
        known = sorted(
            {
                name.rpartition(".")[2]
                for name, module in model.named_modules()
                if isinstance(module, (torch.nn.Linear, Conv1D)) and module is not head
            }
        )
        raise UsageError(
            f"train.options.target matches no layer of the model: {', '.join(unmatched) or 'it is empty'}",
            f"The model's linear layers are {', '.join(known)}; all-linear stands for all of them.",
        )


@contextmanager
def explain_loading(folder: Path, part: str = "model") -> Iterator[None]:
    """Turn whatever a library raises while it reads a folder into an error that names folder and reason.

    Libraries raise every kind of exception here, also plain `Exception`, for files that a user can mend.
    """
    import torch

    place = f"{folder} cannot be loaded" if part == "model" else f"the {part} in {folder} cannot be loaded"
    try:
        yield
    except (UsageError, PrerequisiteError, RunFailed) as error:
        raise error.within(place) from error.__cause__
    except (torch.OutOfMemoryError, MemoryError):
        raise
    except ImportError as error:
        raise PrerequisiteError(f"{place}: {first_line(error)}") from error
    except Exception as error:
        if "custom code" in str(error) or "trust_remote_code" in str(error):
            raise UsageError(
                f"{place}: it needs code of its own (auto_map), and code from a model's folder is never run",
                "Use a model that transformers knows.",
            ) from error
        reason = " ".join(str(error).split())[:240] or type(error).__name__
        if isinstance(error, KeyError):
            reason = f"transformers has no {reason}"
        raise UsageError(
            f"{place}: {reason}", "Copy or download the folder again; if it is complete, transformers may be too old."
        ) from error
