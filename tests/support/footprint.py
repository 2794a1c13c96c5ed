"""Bytes of a model's weights: those that are resident, and those that its precision needs."""

from __future__ import annotations

from typing import Any


def resident_bytes(model: Any) -> int:
    """Bytes of all parameters, buffers and quantization states; what shares memory counts once."""
    tensors = [*model.parameters(), *model.buffers()]
    for parameter in model.parameters():
        if (state := getattr(parameter, "quant_state", None)) is not None:
            tensors += _of_state(state)
    storages: dict[int, int] = {each.untyped_storage().data_ptr(): each.untyped_storage().nbytes() for each in tensors}
    return sum(storages.values())


def nf4_bytes(model: Any) -> int:
    """Bytes that a model needs in NF4 with double quantization (Dettmers et al. 2023, section 3).

    A weight has 4 bits, 64 of them share a scale of 8 bits, and 256 scales share one of 32 bits: 4.127 bits a weight.
    Everything that is no linear layer of a block has 16 bits.
    """
    from bitsandbytes.nn import Linear4bit

    packed = {layer.weight for layer in model.modules() if isinstance(layer, Linear4bit)}
    weights: int = sum(weight.quant_state.shape.numel() for weight in packed)
    others: int = sum(each.numel() for each in model.parameters() if each not in packed)
    return round(weights * (4 + 8 / 64 + 32 / (64 * 256)) / 8) + 2 * others


def _of_state(state: Any) -> list[Any]:
    nested = [] if state.state2 is None else _of_state(state.state2)
    tensors = [each for each in (state.absmax, state.code, state.offset) if each is not None]
    return [*tensors, *nested]
