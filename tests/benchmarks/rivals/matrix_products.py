"""What a training must compute at least, and how fast this machine multiplies matrices of these shapes.

Imports nothing of liftbench, because rivals use it in environments of their own.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple


class Shape(NamedTuple):
    """The sizes of a LLaMA."""

    hidden: int
    inner: int
    layers: int
    heads: int
    key_heads: int
    width: int
    """Of a head."""
    vocabulary: int

    @property
    def linear(self) -> tuple[tuple[int, int], ...]:
        """(inputs, outputs) of each linear layer of a block: q, k, v, o, gate, up, down."""
        queries, keys = self.heads * self.width, self.key_heads * self.width
        attention = ((self.hidden, queries), (self.hidden, keys), (self.hidden, keys), (queries, self.hidden))
        return (*attention, (self.hidden, self.inner), (self.hidden, self.inner), (self.inner, self.hidden))


def shape_of(config: Mapping[str, Any]) -> Shape:
    """The sizes in a LLaMA's `config.json`."""
    heads, hidden = config["num_attention_heads"], config["hidden_size"]
    return Shape(
        hidden=hidden,
        inner=config["intermediate_size"],
        layers=config["num_hidden_layers"],
        heads=heads,
        key_heads=config.get("num_key_value_heads") or heads,
        width=config.get("head_dim") or hidden // heads,
        vocabulary=config["vocab_size"],
    )


class Work(NamedTuple):
    """What one or several sequences ask of a model."""

    tokens: int
    pairs: int
    """Pairs of a query and a key that it may see."""
    targets: int
    """Positions whose next token is learned."""


def shared_prefix(prompt: int, targets: Sequence[int]) -> Work:
    """A prompt and all its references as one sequence; a reference's last token is not given to the model."""
    given = [target - 1 for target in targets]
    pairs = _causal(prompt) + sum(prompt * length + _causal(length) for length in given)
    return Work(prompt + sum(given), pairs, sum(targets))


def separate_rows(prompt: int, targets: Sequence[int]) -> Work:
    """A row for each reference, as TRL has it."""
    rows = [prompt + target for target in targets]
    return Work(sum(rows), sum(map(_causal, rows)), sum(targets))


def total(works: Iterable[Work]) -> Work:
    """The sum over sequences."""
    tokens, pairs, targets = zip(*works, strict=True)
    return Work(sum(tokens), sum(pairs), sum(targets))


def training_flops(shape: Shape, rank: int, work: Work) -> int:
    """Floating-point operations of the matrix products of forward and backward passes with LoRA on every linear layer.

    A frozen weight is multiplied twice (outputs, gradient of its inputs), a trained one three times. Attention counts
    where a query sees a key, and the LM head, which is frozen, where a token is learned. Recomputation, padding and
    what a mask hides do not count. Nothing before the first block learns, so its q, k and v pass no gradient on.
    """
    block = sum(4 * inputs * outputs + 6 * rank * (inputs + outputs) for inputs, outputs in shape.linear)
    not_passed_on = sum(2 * inputs * outputs + 2 * rank * inputs for inputs, outputs in shape.linear[:3])
    linear = work.tokens * (shape.layers * block - not_passed_on)
    # Scores and weighted values; backward, two products for each.
    attention = 12 * work.pairs * shape.layers * shape.heads * shape.width
    return linear + attention + 4 * work.targets * shape.hidden * shape.vocabulary


def matrix_rate(shape: Shape, tokens: int, *, device: str = "cpu", seconds: float = 2.0) -> float:
    """Floating-point operations per second of a block's frozen products in bfloat16, forward and backward.

    The best of many rounds, so that a busy moment does not make the fractions of this rate look good.
    """
    import torch

    # Drawn on the device: a CPU takes seconds for the weights of a large block.
    generator = torch.Generator(device).manual_seed(0)

    def drawn(rows: int, columns: int) -> Any:
        return torch.randn(rows, columns, generator=generator, device=device).to(torch.bfloat16)

    layers = [
        (drawn(tokens, inputs), drawn(outputs, inputs), drawn(tokens, outputs)) for inputs, outputs in shape.linear
    ]
    flops = sum(4 * tokens * inputs * outputs for inputs, outputs in shape.linear)
    best = float("inf")
    end = time.perf_counter() + seconds
    rounds = 0
    while rounds < 3 or time.perf_counter() < end:
        _synchronize(device)
        started = time.perf_counter()
        for inputs, weight, above in layers:
            torch.nn.functional.linear(inputs, weight)
            torch.matmul(above, weight)
        _synchronize(device)
        best = min(best, time.perf_counter() - started)
        rounds += 1
    return flops / best


def _synchronize(device: str) -> None:
    import torch

    if device != "cpu":
        torch.cuda.synchronize()


def _causal(length: int) -> int:
    return length * (length + 1) // 2
