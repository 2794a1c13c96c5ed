"""A frozen linear layer and its low-rank adapter as one step of autograd, for training on a CPU.

Autocast would cast the adapter's float32 weights in every product, and autograd would keep what this step computes
again. Imports torch: import this module only where a training begins.
"""

from __future__ import annotations

from types import MethodType
from typing import Any

import torch
from torch.nn.functional import linear


def fuse(model: Any) -> int:
    """Let every layer with a plain LoRA compute by the fused step, and return how many layers do.

    Left as they are: layers with dropout, DoRA or a bias in the adapter, and bases that are no plain linear layer.
    """
    from peft.tuners.lora.layer import Linear

    layers = [module for module in model.modules() if type(module) is Linear and _is_plain(module)]
    for layer in layers:
        layer.forward = MethodType(_forward, layer)
    return len(layers)


def _is_plain(layer: Any) -> bool:
    return (
        type(layer.base_layer) is torch.nn.Linear
        and list(layer.lora_A) == layer.active_adapters == ["default"]
        and isinstance(layer.lora_dropout["default"], torch.nn.Identity)
        and not (layer.lora_variant or layer.lora_bias["default"] or layer.fan_in_fan_out)
    )


def _forward(layer: Any, inputs: torch.Tensor) -> torch.Tensor:
    base = layer.base_layer
    down, up = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    made: torch.Tensor = _LowRankLinear.apply(inputs, base.weight, base.bias, down, up, layer.scaling["default"])
    return made


class _LowRankLinear(torch.autograd.Function):  # type: ignore[misc]  # mypy does not follow torch
    """x Wᵀ + s (x Aᵀ) Bᵀ, computed in the dtype of x, with gradients for x, A and B."""

    @staticmethod
    def forward(
        ctx: Any,
        inputs: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        down: torch.Tensor,
        up: torch.Tensor,
        scale: float,
    ) -> torch.Tensor:
        rows = inputs.reshape(-1, inputs.shape[-1])
        down_cast, up_cast = down.to(rows.dtype), up.to(rows.dtype)
        inner = linear(rows, down_cast)
        made = torch.addmm(linear(rows, weight, bias), inner, up_cast.t(), alpha=scale)
        ctx.save_for_backward(rows, inner, weight, down_cast, up_cast)
        ctx.scale, ctx.dtypes = scale, (down.dtype, up.dtype)
        return made.view(*inputs.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        rows, inner, weight, down, up = ctx.saved_tensors
        above = gradients[0].reshape(-1, gradients[0].shape[-1])
        d_inner = torch.matmul(above, up).mul_(ctx.scale)
        d_inputs = None
        if ctx.needs_input_grad[0]:
            d_inputs = torch.addmm(torch.matmul(above, weight), d_inner, down)
            d_inputs = d_inputs.view(*gradients[0].shape[:-1], -1)
        d_down = torch.matmul(d_inner.t(), rows).to(ctx.dtypes[0])
        d_up = torch.matmul(above.t(), inner).to(ctx.dtypes[1]).mul_(ctx.scale)
        return d_inputs, None, None, d_down, d_up, None
