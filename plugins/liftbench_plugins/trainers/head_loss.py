"""The LM head and the cross entropy in one step, in which the logits of few targets exist at a time.

For GPUs and vocabularies like Llama 3's: the logits of 4,096 targets, their float32 copy and the gradients of both take
6 GB. Imports torch: import this module only where a training begins.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.distributed.tensor import DTensor
from torch.nn.functional import cross_entropy

DEVICES = ("cuda",)
"""Kinds of devices that compute so."""

TARGETS_AT_ONCE = 512

CHANGES_LOGITS = (
    "final_logit_softcapping",
    "logit_scale",
    "logits_scaling",
    "lm_head_multiplier",
    "output_multiplier",
)
"""Settings of architectures that compute something with the logits."""


def applies(model: Any, device: torch.device) -> bool:
    """Whether a model's loss is computed so: its logits are the products of a frozen matrix, and nothing else.

    Weights that are divided over processes are gathered by the head itself."""
    if device.type not in DEVICES:
        return False
    head, config = model.get_output_embeddings(), model.config
    plain = (
        type(head) is torch.nn.Linear
        and head.bias is None
        and not head.weight.requires_grad
        and not isinstance(head.weight, DTensor)
    )
    return plain and not any(getattr(config, name, None) for name in CHANGES_LOGITS)


@contextmanager
def without_head(model: Any) -> Iterator[Any]:
    """Let a model return the head's inputs as logits within the block; yields the head's weights."""
    head = model.get_output_embeddings()
    # Accelerate's hooks, for example.
    before = head.__dict__.get("forward")
    head.forward = lambda states: states
    try:
        yield head.weight
    finally:
        if before is None:
            del head.forward
        else:
            head.forward = before


def head_loss(states: torch.Tensor, weight: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The summed cross entropy of (targets,) labels after (targets, hidden) states, a scalar in float32."""
    # Under mixed precision, accelerate returns whatever a model returns in float32.
    made: torch.Tensor = _HeadLoss.apply(states.to(weight.dtype), weight, labels)
    return made


class _HeadLoss(torch.autograd.Function):  # type: ignore[misc]  # mypy does not follow torch
    """Computes the gradient of the states with the loss, because the logits are gone afterwards."""

    @staticmethod
    def forward(ctx: Any, states: torch.Tensor, weight: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        total = states.new_zeros((), dtype=torch.float32)
        gradient = torch.empty_like(states) if ctx.needs_input_grad[0] else None
        for first in range(0, len(states), TARGETS_AT_ONCE):
            part = slice(first, first + TARGETS_AT_ONCE)
            logits = torch.matmul(states[part], weight.t()).float()
            total += cross_entropy(logits, labels[part], reduction="sum")
            if gradient is not None:
                slopes = torch.softmax(logits, dim=-1)
                slopes[torch.arange(len(slopes), device=slopes.device), labels[part]] -= 1
                gradient[part] = torch.matmul(slopes.to(weight.dtype), weight)
        if gradient is not None:
            ctx.save_for_backward(gradient)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return gradient * gradients[0].to(gradient.dtype), None, None
