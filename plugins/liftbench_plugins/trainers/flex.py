"""Whether a model trains with FlexAttention (Dong et al. 2024, arXiv:2412.05496), which skips what a mask hides.

For GPUs: on a CPU, PyTorch's FlexAttention has no backward pass.
"""

from __future__ import annotations

import logging
from typing import Any

FLEX = "flex_attention"
"""Its name in transformers."""

BLOCK = 128
"""Queries and keys of a block. Sequences are padded to a multiple, so that few shapes are compiled."""


def choose_flex(model: Any, device: str) -> bool:
    """Let a model compute attention with FlexAttention where that is possible; otherwise log why it is not."""
    reason = why_not(model, device)
    if reason is None:
        model.set_attn_implementation(FLEX)
        return True
    logging.getLogger(__name__).warning(
        "FlexAttention is not used, because %s; attention computes what the mask hides, too.", reason
    )
    return False


def why_not(model: Any, device: str) -> str | None:
    """The reason why a model cannot train with FlexAttention on a device; None if it can."""
    from torch.utils._triton import has_triton

    if not device.startswith("cuda"):
        return f"it has no backward pass on {device}"
    if not getattr(model, "_supports_flex_attn", False):
        return f"transformers does not support it for {type(model).__name__}"
    if getattr(model.config, "attention_dropout", 0):
        return "it has no dropout, and the model's attention has"
    if not has_triton():
        return "Triton, which compiles it, is not installed"
    return None
