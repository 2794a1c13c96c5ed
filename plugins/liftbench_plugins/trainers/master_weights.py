"""AdamW for a model in bfloat16: it updates float32 copies of the weights, and the model computes with them rounded.

Imports torch: import this module only where a training begins.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch.nn.utils import clip_grad_norm_

MASTERS = "masters"
"""Key of the float32 weights in the optimizer's state."""


class MasterAdamW(torch.optim.AdamW):  # type: ignore[misc]  # mypy does not follow torch
    """AdamW with float32 master weights (Micikevicius et al. 2018, arXiv:1710.03740).

    bfloat16 has 8 bits of mantissa: an update of a fine-tuning's size would be rounded away, and so would be what a
    conversation adds to the gradient of a large batch. Weights, gradients and moments are kept in float32 (18 bytes a
    weight with the model's own two). What is computed, evaluated and saved is the model in bfloat16, without autocast,
    so a checkpoint has exactly the weights that its validation loss was measured with.

    The gradient's norm is bounded here, because the model's own gradients are gone after each backward pass.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], *, max_grad_norm: float, **options: Any) -> None:
        self._masters: dict[torch.nn.Parameter, torch.nn.Parameter] = {}
        self._max_grad_norm = max_grad_norm
        own = [{**group, "params": [self._master(weight) for weight in group["params"]]} for group in groups]
        super().__init__(own, fused=True, **options)

    def step(self, closure: Any = None) -> None:
        """Update the float32 weights, and round them into the model."""
        for weight in self._masters:
            self._collect(weight)
        if self._max_grad_norm:
            clip_grad_norm_(self._masters.values(), self._max_grad_norm)
        super().step(closure)
        self.zero_grad()
        self._round()

    def state_dict(self) -> dict[str, Any]:
        """AdamW's state with the float32 weights."""
        return {**super().state_dict(), MASTERS: [master.detach() for master in self._masters.values()]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue with the float32 weights and moments of a checkpoint."""
        super().load_state_dict({name: value for name, value in state_dict.items() if name != MASTERS})
        with torch.no_grad():
            for master, saved in zip(self._masters.values(), state_dict[MASTERS], strict=True):
                master.copy_(saved)
        self._round()

    def _master(self, weight: torch.nn.Parameter) -> torch.nn.Parameter:
        master = torch.nn.Parameter(weight.detach().clone().float())
        self._masters[weight] = master
        if not torch.distributed.is_initialized():
            # Layer by layer during the backward pass, so that no second set of gradients is kept. Several processes
            # first have to take the mean of theirs.
            weight.register_post_accumulate_grad_hook(self._collect)
        return master

    def _collect(self, weight: torch.nn.Parameter) -> None:
        """Add a weight's gradient to that of its float32 copy, and free it."""
        if weight.grad is None:
            return
        master = self._masters[weight]
        if master.grad is None:
            master.grad = weight.grad.float()
        else:
            master.grad += weight.grad
        weight.grad = None

    def _round(self) -> None:
        with torch.no_grad():
            for weight, master in self._masters.items():
                weight.copy_(master)
