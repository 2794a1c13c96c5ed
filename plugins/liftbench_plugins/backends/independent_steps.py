"""Decoding on a CPU in which every row is computed from its own tokens only, to the last bit.

oneDNN's products give a row the same bits whatever the number of rows, from `ROWS_TO` rows on; prompts are computed one
by one, without padding before them; and in decoding, attention covers a row's own keys, with a masked rest that adds
exact zeros and whose size depends on the row's prompt and the budget of new tokens only. So a text depends on its
prompt only: batches can be of any size, a beginning that prompts share is computed once, and neither an interruption
nor another division of the work changes a text. `independent_steps` checks this on the model and machine at hand.

Imports torch: import this module only where a model is loaded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from transformers import AttentionInterface

from liftbench_plugins.block_attention import QUERY_BLOCK, Block, attend_blocks

ATTENTION = "liftbench_independent_rows"
"""Name of the attention in transformers' registry."""

PAD_TO = 32
"""Prompts are padded at their end to a multiple of this length: oneDNN keeps kernels for each shape."""

ROWS_TO = 8
"""Decoding computes a multiple of this number of rows; with fewer, products take another way, and other bits."""

KEYS_TO = 64
"""Rows have room for a multiple of this number of keys, so that rows of similar lengths are computed together."""

NEW_TO = 256
"""Room for new tokens is made for this number of them at a time, because attention also reads what is empty."""

REFUSED = ("sliding_window", "softcap", "s_aux", "position_bias")
"""What an architecture may ask of an attention beyond a causal softmax."""

EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts")
"""What configurations call the number of a layer's experts."""


class Unsupported(Exception):
    """The model's attention is not a plain causal one."""


class Together(NamedTuple):
    """Neighboring rows with room for equally many keys.

    Their keys fill a tensor of their own: products of a part of a larger one take three times as long.
    """

    first: int
    end: int
    keys: torch.Tensor
    """(layers, rows, groups, room, width)"""
    values: torch.Tensor

    @property
    def room(self) -> int:
        """How many keys a row can have."""
        return int(self.keys.shape[3])


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
        self._store = torch.empty((2, 0), dtype=model.dtype)
        """Where the keys and values of a batch begin; kept for the next one, because new memory takes time."""
        self._together: list[Together] = []
        self._causal = torch.full((QUERY_BLOCK, QUERY_BLOCK), float("-inf"), dtype=model.dtype).triu(1)
        nothing = torch.empty((self._layers, self._groups, 0, self._width), dtype=model.dtype)
        self._prefix: tuple[list[int], torch.Tensor, torch.Tensor] = ([], nothing, nothing)
        self._start = 0
        self._blocks: list[Block] = []
        """The queries of the prompt that is computed; empty while decoding."""

    @property
    def bytes_per_token(self) -> int:
        """What a token's keys and values take."""
        size = torch.empty((), dtype=self._model.dtype).element_size()
        return int(2 * self._layers * self._groups * self._width * size)

    def begin(self, prompts: Sequence[list[int]], new_tokens: int) -> torch.Tensor:
        """The logits (prompts, vocabulary) after each prompt; a new batch begins.

        Prompts of similar lengths should be neighbors. At most `new_tokens` tokens will follow.
        """
        self._reserve([len(prompt) for prompt in prompts], new_tokens)
        self._alive = list(range(len(prompts)))
        self._lengths = torch.tensor([len(prompt) for prompt in prompts])
        with _attention_of(self._model):
            shared = self._share(prompts)
            for some in self._together:
                some.keys[:, :, :, :shared] = self._prefix[1][:, None, :, :shared]
                some.values[:, :, :, :shared] = self._prefix[2][:, None, :, :shared]
            return torch.cat([self._prefill(slot, prompt, shared) for slot, prompt in enumerate(prompts)])

    def keep(self, places: Sequence[int]) -> None:
        """Go on with these rows of the last logits only."""
        self._alive = [self._alive[place] for place in places]
        if len(self._alive) > 0.75 * len(self._lengths):
            return  # Moving keys costs more than some rows of which nothing is used.
        left, first = [], 0
        for some in self._together:
            rows = torch.tensor([row - some.first for row in self._alive if some.first <= row < some.end])
            if len(rows):
                kept = (part.index_select(1, rows) for part in (some.keys, some.values))
                left.append(Together(first, first + len(rows), *kept))
                first += len(rows)
        self._together = left
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
        self._make_room()
        self._masks = [
            torch.zeros((some.end - some.first, 1, some.room), dtype=self._model.dtype).masked_fill_(
                torch.arange(some.room) > self._lengths[some.first : some.end, None, None], float("-inf")
            )
            for some in self._together
        ]
        with _attention_of(self._model):
            logits = self._forward(ids, positions, 1)
        self._lengths[self._alive] += 1
        return logits[self._alive]

    # ------------------------------------------------------------------------------------------------------- prompts

    def _reserve(self, lengths: Sequence[int], new_tokens: int) -> None:
        """Room for prompts of these lengths and their first new tokens."""
        self._new = new = min(new_tokens, NEW_TO)
        self._left = new_tokens - new
        parts = list(runs([-(-(length + new) // KEYS_TO) * KEYS_TO for length in lengths]))
        sizes = [(end - first) * room * self._layers * self._groups * self._width for first, end, room in parts]
        if sum(sizes) > self._store.shape[1]:
            # Zeros, because what a mask hides must at least be a number.
            self._store = torch.zeros((2, sum(sizes)), dtype=self._model.dtype)
        self._together = []
        begin = 0
        for (first, end, room), size in zip(parts, sizes, strict=True):
            shape = (self._layers, end - first, self._groups, room, self._width)
            keys, values = (self._store[side, begin : begin + size].view(shape) for side in (0, 1))
            self._together.append(Together(first, end, keys, values))
            begin += size

    def _make_room(self) -> None:
        """Room for one more token of each row; whether there is some depends on their number only."""
        if self._new:
            self._new -= 1
            return
        more = -(-min(self._left, NEW_TO) // KEYS_TO) * KEYS_TO
        self._new, self._left = more - 1, max(0, self._left - more)
        self._together = [
            Together(
                some.first,
                some.end,
                *(torch.nn.functional.pad(part, (0, 0, 0, more)) for part in (some.keys, some.values)),
            )
            for some in self._together
        ]

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
            keys, values = (part[:, 0, :, :again].clone() for part in self._together[0][2:])
            self._prefix = (first[:again], keys, values)
        return again // QUERY_BLOCK * QUERY_BLOCK

    def _prefill(self, slot: int, prompt: list[int], start: int) -> torch.Tensor:
        """The logits (1, vocabulary) after a prompt whose first `start` tokens have their keys already."""
        size = len(prompt) - start
        padded = -(-size // self._pad_to) * self._pad_to
        ids = torch.tensor([prompt[start:] + [self._pad] * (padded - size)])
        [some] = [some for some in self._together if some.first <= slot < some.end]
        self._slot = [part[:, slot - some.first] for part in (some.keys, some.values)]
        self._start, self._blocks = start, []
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
        keys, values = (part[layer] for part in self._slot)
        keys[:, self._start : end] = key[0]
        values[:, self._start : end] = value[0]
        grouped = query.view(self._groups, heads // self._groups, size, width)
        made, _ = attend_blocks(grouped, keys[:, :end], values[:, :end], self._blocks, scale)
        return made.view(1, heads, size, width).transpose(1, 2).contiguous()

    def _attend_step(
        self, layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float
    ) -> torch.Tensor:
        rows, heads, _, width = query.shape
        made = query.new_zeros((rows, 1, heads, width))
        scaled = (query * scale).view(rows, self._groups, heads // self._groups, width)
        for some, mask in zip(self._together, self._masks, strict=True):
            first, end = some.first, some.end
            keys, values = some.keys[layer], some.values[layer]
            index, places = torch.arange(end - first), self._lengths[first:end]
            keys[index, :, places] = key[first:end, :, 0]
            values[index, :, places] = value[first:end, :, 0]
            # The heads that share a head of keys are the rows of one product.
            scores = torch.bmm(scaled[first:end].flatten(0, 1), keys.flatten(0, 1).transpose(1, 2))
            scores.view(end - first, heads, -1).add_(mask)
            product = torch.bmm(torch.softmax(scores, dim=-1), values.flatten(0, 1))
            made[first:end] = product.view(end - first, 1, heads, width)
        return made


def count_shared(first: Sequence[int], second: Sequence[int]) -> int:
    """How many tokens two sequences begin with alike."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((place for place, (one, other) in pairs if one != other), min(len(first), len(second)))


def runs(rooms: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Neighboring rows with equal room: first, end and room."""
    first = 0
    for end in range(1, len(rooms) + 1):
        if end == len(rooms) or rooms[end] != rooms[first]:
            yield first, end, rooms[first]
            first = end


def independent_steps(model: Any, pad: int) -> IndependentSteps | None:
    """Steps for a model on this machine; None where its rows would not be independent, or not be the model's.

    Tried on some tokens: beside other rows and with other padding the logits must have the same bits, and they must be
    those of the model's own attention, up to rounding.
    """
    config = model.config.get_text_config()
    # Experts get as many rows as are routed to them, so one row's bits may depend on where the others go.
    experts = any(getattr(config, name, None) for name in EXPERTS)
    if experts or set(getattr(config, "layer_types", None) or ()) - {"full_attention"}:
        return None
    prompt = [token % config.vocab_size for token in range(7, 27)]
    tried = ((32, 8, [prompt]), (64, 64, [prompt, prompt[::-1], prompt[5:], prompt * 4]))
    try:
        after = []
        for pad_to, rows_to, prompts in tried:
            steps = IndependentSteps(model, pad, pad_to=pad_to, rows_to=rows_to)
            first = steps.begin(prompts, 1)
            after.append(torch.stack([first[0], steps.step([one[0] for one in prompts])[0]]))
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
