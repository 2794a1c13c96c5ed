"""Decoding on a CPU in which every row is computed from its own tokens only, to the last bit.

oneDNN's products give a row the same bits whatever the number of rows, from `ROWS_TO` rows on; prompts are computed one
by one, without padding before them; and in decoding, attention covers a row's own keys, with a masked rest that adds
exact zeros. So a text depends on its prompt only: batches can be of any size, a beginning that prompts share is
computed once, and neither an interruption nor another division of the work changes a text. `independent_steps` checks
this on the model and the machine at hand.

Imports torch: import this module only where a model is loaded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

from liftbench_plugins.block_attention import QUERY_BLOCK, Block, attend_blocks

ATTENTION = "liftbench_independent_rows"
"""Name of the attention in transformers' registry."""

PAD_TO = 32
"""Prompts are padded at their end to a multiple of this length: oneDNN keeps kernels for each shape."""

ROWS_TO = 8
"""Decoding computes a multiple of this number of rows; with fewer, products take another way, and other bits."""

KEYS_TO = 64
"""Rows attend to a multiple of this number of keys, so that rows of similar lengths are computed together."""

REFUSED = ("sliding_window", "softcap", "s_aux", "position_bias")
"""What an architecture may ask of an attention beyond a causal softmax."""

EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts")
"""What configurations call the number of a layer's experts."""


class Unsupported(Exception):
    """The model's attention is not a plain causal one."""


class IndependentSteps:
    """Logits of a batch, token by token; each row's depend on its own tokens only."""

    independent = True

    def __init__(self, model: Any, pad: int, *, pad_to: int = PAD_TO, rows_to: int = ROWS_TO) -> None:
        config = model.config.get_text_config()
        self._model = model
        self._pad = pad
        self._pad_to = pad_to
        self._rows_to = rows_to
        self._layers = config.num_hidden_layers
        self._groups = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        self._width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        self._keys = self._values = torch.empty((self._layers, 0, self._groups, 0, self._width), dtype=model.dtype)
        self._causal = torch.full((QUERY_BLOCK, QUERY_BLOCK), float("-inf"), dtype=model.dtype).triu(1)
        nothing = torch.empty((self._layers, self._groups, 0, self._width), dtype=model.dtype)
        self._prefix: tuple[list[int], torch.Tensor, torch.Tensor] = ([], nothing, nothing)
        self._start = 0
        self._blocks: list[Block] = []
        """The queries of the prompt that is computed; empty while decoding."""

    @property
    def bytes_per_token(self) -> int:
        """What a token's keys and values take."""
        return int(2 * self._layers * self._groups * self._width * self._keys.element_size())

    def begin(self, prompts: Sequence[list[int]], new_tokens: int) -> torch.Tensor:
        """The logits (prompts, vocabulary) after each prompt; a new batch begins.

        Prompts of similar lengths should be neighbors. At most `new_tokens` tokens will follow.
        """
        self._reserve(len(prompts), max(map(len, prompts)) + new_tokens)
        self._alive = list(range(len(prompts)))
        self._lengths = torch.tensor([len(prompt) for prompt in prompts])
        with _attention_of(self._model):
            shared = self._share(prompts)
            self._keys[:, : len(prompts), :, :shared] = self._prefix[1][:, None, :, :shared]
            self._values[:, : len(prompts), :, :shared] = self._prefix[2][:, None, :, :shared]
            return torch.cat([self._prefill(slot, prompt, shared) for slot, prompt in enumerate(prompts)])

    def keep(self, places: Sequence[int]) -> None:
        """Go on with these rows of the last logits only."""
        self._alive = [self._alive[place] for place in places]
        if len(self._alive) > 0.75 * len(self._lengths):
            return  # Moving keys costs more than some rows of which nothing is used.
        for slot, old in enumerate(self._alive):
            used = int(self._lengths[old])
            if slot != old:
                self._keys[:, slot, :, :used] = self._keys[:, old, :, :used]
                self._values[:, slot, :, :used] = self._values[:, old, :, :used]
        self._lengths = self._lengths[self._alive]
        self._alive = list(range(len(places)))

    def step(self, tokens: Sequence[int]) -> torch.Tensor:
        """The logits (rows, vocabulary) after one more token of each row."""
        used = len(self._lengths)
        rows = -(-used // self._rows_to) * self._rows_to
        ids = torch.full((rows, 1), self._pad)
        ids[self._alive, 0] = torch.tensor(tokens)
        positions = torch.zeros((rows, 1), dtype=torch.long)
        positions[:used, 0] = self._lengths
        self._blocks = []
        self._runs = list(runs(self._lengths))
        seen = torch.arange(self._keys.shape[3]) <= self._lengths[:, None]
        self._mask = torch.zeros(seen.shape, dtype=self._model.dtype).masked_fill(~seen, float("-inf"))[:, None, None]
        with _attention_of(self._model):
            logits = self._forward(ids, positions, 1)
        self._lengths[self._alive] += 1
        return logits[self._alive]

    # ------------------------------------------------------------------------------------------------------- prompts

    def _reserve(self, rows: int, tokens: int) -> None:
        width = -(-max(tokens, self._pad_to) // KEYS_TO) * KEYS_TO
        if rows > self._keys.shape[1] or width > self._keys.shape[3]:
            # Zeros, because what a mask hides must at least be a number.
            shape = (self._layers, rows, self._groups, width, self._width)
            self._keys, self._values = (torch.zeros(shape, dtype=self._model.dtype) for _ in range(2))

    def _share(self, prompts: Sequence[list[int]]) -> int:
        """The number of first tokens that all prompts share and whose keys are known now.

        It is a multiple of `QUERY_BLOCK` and ends before a prompt's last token, so that the remaining blocks of queries
        are those that a prompt by itself has.
        """
        known = self._prefix[0]
        shortest = min(map(len, prompts)) - 1
        # What the first and the last in alphabetical order share, all share.
        first, last = min(prompts), max(prompts)
        shared = min(count_shared(first, last), shortest) if len(prompts) > 1 else 0
        again = min(count_shared(first, known), count_shared(last, known), shortest)
        if shared // QUERY_BLOCK > again // QUERY_BLOCK:
            again = shared // QUERY_BLOCK * QUERY_BLOCK
            self._prefill(0, first[:again], 0)
            keys, values = (part[:, 0, :, :again].clone() for part in (self._keys, self._values))
            self._prefix = (first[:again], keys, values)
        return again // QUERY_BLOCK * QUERY_BLOCK

    def _prefill(self, slot: int, prompt: list[int], start: int) -> torch.Tensor:
        """The logits (1, vocabulary) after a prompt whose first `start` tokens have their keys already."""
        size = len(prompt) - start
        padded = -(-size // self._pad_to) * self._pad_to
        ids = torch.tensor([prompt[start:] + [self._pad] * (padded - size)])
        self._slot, self._start, self._blocks = slot, start, []
        for first in range(0, padded, QUERY_BLOCK):
            end = min(first + QUERY_BLOCK, padded)
            mask = self._causal[: end - first, : end - first]
            self._blocks.append(Block(first, end, 0, start + end, mask))
        return self._forward(ids, torch.arange(start, start + padded)[None], torch.tensor([size - 1]))

    def _forward(self, ids: torch.Tensor, positions: torch.Tensor, logits_to_keep: int | torch.Tensor) -> torch.Tensor:
        given = {"input_ids": ids, "position_ids": positions, "logits_to_keep": logits_to_keep}
        logits: torch.Tensor = self._model(**given, use_cache=False, rows=self).logits[:, -1]
        return logits

    # ----------------------------------------------------------------------------------------------------- attention

    def attend(
        self, layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float
    ) -> torch.Tensor:
        """(rows, heads, tokens, width) to (rows, tokens, heads, width); keeps the keys and values of the new tokens."""
        if self._blocks:
            return self._attend_prompt(layer, query, key, value, scale)
        return self._attend_step(layer, query, key, value, scale)

    def _attend_prompt(
        self, layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float
    ) -> torch.Tensor:
        _, heads, size, width = query.shape
        end = self._start + size
        keys, values = self._keys[layer, self._slot], self._values[layer, self._slot]
        keys[:, self._start : end] = key[0]
        values[:, self._start : end] = value[0]
        grouped = query.view(self._groups, heads // self._groups, size, width)
        made, _ = attend_blocks(grouped, keys[:, :end], values[:, :end], self._blocks, scale)
        return made.view(1, heads, size, width).transpose(1, 2).contiguous()

    def _attend_step(
        self, layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float
    ) -> torch.Tensor:
        rows, heads, _, width = query.shape
        used = len(self._lengths)
        keys, values = self._keys[layer], self._values[layer]
        index = torch.arange(used)
        keys[index, :, self._lengths] = key[:used, :, 0]
        values[index, :, self._lengths] = value[:used, :, 0]
        made = query.new_zeros((rows, 1, heads, width))
        for first, end, seen in self._runs:
            # The heads that share a head of keys are queries of one product.
            grouped = query[first:end].view(end - first, self._groups, heads // self._groups, width)
            mask = self._mask[first:end, :, :, :seen].expand(-1, 1, grouped.shape[2], -1)
            found = scaled_dot_product_attention(
                grouped, keys[first:end, :, :seen], values[first:end, :, :seen], attn_mask=mask, scale=scale
            )
            made[first:end] = found.view(end - first, 1, heads, width)
        return made


def count_shared(first: Sequence[int], second: Sequence[int]) -> int:
    """How many tokens two sequences begin with alike."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((place for place, (one, other) in pairs if one != other), min(len(first), len(second)))


def runs(lengths: torch.Tensor) -> Iterator[tuple[int, int, int]]:
    """Neighboring rows that attend to equally many keys: first, end and number of keys."""
    widths = ((lengths // KEYS_TO + 1) * KEYS_TO).tolist()
    first = 0
    for end in range(1, len(widths) + 1):
        if end == len(widths) or widths[end] != widths[first]:
            yield first, end, widths[first]
            first = end


def independent_steps(model: Any, pad: int) -> IndependentSteps | None:
    """Steps for a model on this machine; None where its rows would not be independent, or not be the model's.

    Tried on some tokens: with other numbers of rows and other padding the logits must have the same bits, and they must
    be those of the model's own attention, up to rounding.
    """
    config = model.config.get_text_config()
    # Experts get as many rows as are routed to them, so one row's bits may depend on where the others go.
    experts = any(getattr(config, name, None) for name in EXPERTS)
    if experts or set(getattr(config, "layer_types", None) or ()) - {"full_attention"}:
        return None
    prompt = [token % config.vocab_size for token in range(7, 27)]
    try:
        tried = [
            IndependentSteps(model, pad, pad_to=pad_to, rows_to=rows_to) for pad_to, rows_to in ((32, 8), (64, 64))
        ]
        after = [torch.cat([steps.begin([prompt], 1), steps.step([prompt[0]])]) for steps in tried]
    except (Unsupported, AttributeError, TypeError, ValueError, RuntimeError, KeyError):
        return None
    own = model(input_ids=torch.tensor([[*prompt, prompt[0]]]), use_cache=False).logits[0, -2:]
    # A missing or doubled token of context changes logits by tens of percent; bfloat16 rounds by about one.
    close = torch.linalg.vector_norm((after[0] - own).float()) <= 0.05 * torch.linalg.vector_norm(own.float())
    return IndependentSteps(model, pad) if bool(close) and torch.equal(after[0], after[1]) else None


def attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    _mask: torch.Tensor | None,
    *,
    rows: IndependentSteps,
    scaling: float,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """Attention in transformers' interface. Raises `Unsupported` for anything but a causal softmax."""
    if any(others.get(name) is not None for name in REFUSED):
        raise Unsupported
    return rows.attend(module.layer_idx, query, key, value, scaling), None


@contextmanager
def _attention_of(model: Any) -> Iterator[None]:
    """Compute the model with this attention; other passes, such as a plain one for logits, keep the model's own."""
    AttentionInterface.register(ATTENTION, attention)
    own = model.config._attn_implementation
    model.set_attn_implementation(ATTENTION)
    try:
        yield
    finally:
        model.set_attn_implementation(own)
