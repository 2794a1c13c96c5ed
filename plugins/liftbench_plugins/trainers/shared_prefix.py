"""A conversation's prompt and all its references as one training sequence, in which no reference sees another.

The prompt is computed once instead of once per reference. Every reference begins at the position after the prompt, sees
the prompt and its own tokens, so loss and gradients equal those of separate rows (up to rounding). Several
conversations may lie in one sequence; none sees another.

Imports torch: import this module only where a training begins.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel

from liftbench_plugins.block_attention import QUERY_BLOCK, Block, attend_blocks

from .flex import BLOCK, FLEX
from .head_loss import applies, head_loss, without_head

PAD_TO = 32
"""Sequences are padded to a multiple of this length: oneDNN keeps kernels for each shape."""

ATTENTION = "liftbench_shared_prefix"
"""Name of the attention in transformers' registry."""


MaskFunction = Callable[[Any, Any, Any, Any], Any]
"""(batch, head, query, key) as tensors of indices → whether the query sees the key."""


class Span(NamedTuple):
    """Where a conversation lies in a sequence."""

    start: int
    prompt: int
    """Tokens of the prompt."""
    targets: tuple[int, ...]
    """Tokens of each reference that are given to the model: all but the last, after which nothing is predicted."""

    @property
    def targets_start(self) -> int:
        """Index of the first reference's first token."""
        return self.start + self.prompt

    @property
    def end(self) -> int:
        """Index after the conversation's last token."""
        return self.targets_start + sum(self.targets)


def padding_of(model: Any) -> int:
    """The multiple that a model's sequences are padded to."""
    return BLOCK if model.config._attn_implementation == FLEX else PAD_TO


def collate(rows: Sequence[dict[str, Any]], pad: int, pad_to: int = PAD_TO) -> dict[str, Any]:
    """The inputs of one forward pass over rows with `prompt_ids` and `targets`, for `target_loss`.

    `input_ids` and `position_ids` are (1, length); `sources` (targets,) are the indices whose hidden states predict
    `labels` (1, targets).
    """
    ids: list[int] = []
    positions: list[int] = []
    sources: list[int] = []
    labels: list[int] = []
    # Plain lists, because `Trainer` copies what it does not know.
    spans = []
    for row in rows:
        prompt, start = row["prompt_ids"], len(ids)
        ids += prompt
        positions += range(len(prompt))
        before = len(ids) - 1
        for target in row["targets"]:
            sources += [before, *range(len(ids), len(ids) + len(target) - 1)]
            positions += range(len(prompt), len(prompt) + len(target) - 1)
            ids += target[:-1]
            labels += target
        spans.append([start, len(prompt), *(len(target) - 1 for target in row["targets"])])
    padding = -len(ids) % pad_to
    # Rows that only fill up a batch of several processes have no targets: an empty list says no dtype.
    made = torch.tensor([labels], dtype=torch.long)
    return {
        "input_ids": torch.tensor([ids + [pad] * padding]),
        "position_ids": torch.tensor([positions + [0] * padding]),
        "sources": torch.tensor(sources, dtype=torch.long),
        "labels": made,
        # `Trainer` counts these for the mean over an optimizer step's targets.
        "shift_labels": made,
        "spans": spans,
    }


def target_loss(model: Any, inputs: dict[str, Any]) -> tuple[torch.Tensor, int]:
    """The summed cross entropy of a batch's target tokens, a scalar in float32, and the number of these tokens.

    The LM head, up to a quarter of a small LLaMA's weights, is computed only where a target is predicted.
    """
    spans = [Span(start, prompt, tuple(targets)) for start, prompt, *targets in inputs["spans"]]
    plain = model.module if isinstance(model, DistributedDataParallel) else model
    length, dtype, place = inputs["input_ids"].shape[1], plain.dtype, inputs["input_ids"].device
    kind = plain.config._attn_implementation
    if kind == ATTENTION:
        seen: dict[str, Any] = {"blocks": blocks_of(spans, dtype), "attention_mask": None}
    elif kind == FLEX:
        seen = {"attention_mask": block_mask(spans, length, place)}
    else:
        seen = {"attention_mask": whole_mask(spans, length, dtype).to(place)}
    given = {
        "input_ids": inputs["input_ids"],
        "position_ids": inputs["position_ids"],
        "use_cache": False,
        "logits_to_keep": inputs["sources"],
        **seen,
    }
    labels = inputs["labels"]
    if applies(plain, place):
        with without_head(plain) as weight:
            states = model(**given).logits
        return head_loss(states[0], weight, labels[0]), labels.numel()
    logits = model(**given).logits
    return cross_entropy(logits[0].float(), labels[0], reduction="sum"), labels.numel()


# -------------------------------------------------------------------------------------------------------- who sees what


def blocks_of(spans: Sequence[Span], dtype: torch.dtype) -> list[Block]:
    """The blocks of queries of all conversations: pieces of each prompt, then all its references together."""
    blocks = []
    for span in spans:
        for first in range(span.start, span.targets_start, QUERY_BLOCK):
            end = min(first + QUERY_BLOCK, span.targets_start)
            blocks.append(Block(first, end, span.start, end, _mask(span, first, end, end, dtype)))
        if span.end > span.targets_start:
            mask = _mask(span, span.targets_start, span.end, span.end, dtype)
            blocks.append(Block(span.targets_start, span.end, span.start, span.end, mask))
    return blocks


def whole_mask(spans: Sequence[Span], length: int, dtype: torch.dtype) -> torch.Tensor:
    """(1, 1, length, length): the same as one mask, for any attention. Padding sees itself, so that no row is empty."""
    mask = torch.full((length, length), float("-inf"), dtype=dtype)
    mask.fill_diagonal_(0)
    for span in spans:
        mask[span.start : span.end, span.start : span.end] = _mask(span, span.start, span.end, span.end, dtype)
    return mask[None, None]


def block_mask(spans: Sequence[Span], length: int, device: torch.device | str) -> Any:
    """The `BlockMask` of a sequence, which transformers takes as `attention_mask` as it is."""
    from torch.nn.attention.flex_attention import create_block_mask

    return create_block_mask(
        mask_function(spans, length, device), B=1, H=None, Q_LEN=length, KV_LEN=length, device=device, BLOCK_SIZE=BLOCK
    )


def mask_function(spans: Sequence[Span], length: int, device: torch.device | str) -> MaskFunction:
    """Who sees whom: a prompt is causal, a reference sees the prompt and itself, and padding sees only itself."""
    # Parts are numbered; a token of padding is a part of its own, so that no query is without a key.
    parts = torch.arange(-length, 0)
    prompts = parts.clone()
    number = 0
    for span in spans:
        prompts[span.start : span.end] = number
        start = span.start
        for size in (span.prompt, *span.targets):
            parts[start : start + size] = number
            start, number = start + size, number + 1
    part, prompt = parts.to(device), prompts.to(device)

    def sees(_batch: Any, _head: Any, query: Any, key: Any) -> Any:
        return (key <= query) & ((part[key] == part[query]) | (part[key] == prompt[query]))

    return sees


def _mask(span: Span, first: int, end: int, end_key: int, dtype: torch.dtype) -> torch.Tensor:
    parts = [span.prompt, *span.targets]
    part = torch.repeat_interleave(torch.arange(len(parts)), torch.tensor(parts))
    index = torch.arange(len(part))
    queries, keys = slice(first - span.start, end - span.start), slice(0, end_key - span.start)
    sees = (index[keys] <= index[queries, None]) & ((part[keys] == 0) | (part[keys] == part[queries, None]))
    return torch.zeros(sees.shape, dtype=dtype).masked_fill(~sees, float("-inf"))


# ------------------------------------------------------------------------------------------------------------ attention


def attention(
    _module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    _mask: torch.Tensor | None,
    *,
    blocks: Sequence[Block],
    scaling: float,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Attention in transformers' interface: (1, heads, length, width) to (1, length, heads, width), without dropout."""
    made: torch.Tensor = _Attention.apply(query, key, value, blocks, scaling)
    return made.transpose(1, 2).contiguous(), None


class _Attention(torch.autograd.Function):  # type: ignore[misc]  # mypy does not follow torch
    """Attention by blocks with its gradients.

    One layer of SmolLM2-135M over 300 + 3 x 45 tokens takes PyTorch's own kernel 13 ms forward and backward, this 5 ms
    (2 cores, bfloat16).
    """

    @staticmethod
    def forward(
        ctx: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        blocks: Sequence[Block],
        scale: float,
    ) -> torch.Tensor:
        _, heads, length, width = query.shape
        groups, shared = key.shape[1], heads // key.shape[1]
        queries = query.view(groups, shared, length, width)
        keys, values = key[0], value[0]
        made, kept = attend_blocks(queries, keys, values, blocks, scale)
        ctx.save_for_backward(query, key, value, made, *kept)
        ctx.blocks, ctx.scale = blocks, scale
        return made.view(query.shape)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        query, key, value, made, *kept = ctx.saved_tensors
        _, heads, length, width = query.shape
        groups, shared = key.shape[1], heads // key.shape[1]
        queries, above = (each.reshape(groups, shared, length, width) for each in (query, gradients[0]))
        keys, values = key[0], value[0]
        # Queries of several blocks add to the gradients of the same keys.
        d_queries = torch.zeros_like(queries)
        d_keys, d_values = (torch.zeros(each.shape, dtype=torch.float32) for each in (keys, values))
        inner = (above.float() * made.float()).sum(-1, keepdim=True).to(query.dtype)
        for (first, end, first_key, end_key, _), weights in zip(ctx.blocks, kept, strict=True):
            seen = slice(first_key, end_key)
            flat = weights.view(groups, shared * (end - first), -1)
            d_made = above[:, :, first:end].reshape(groups, -1, width)
            d_values[:, seen] += torch.matmul(flat.transpose(1, 2), d_made)
            d_scores = torch.matmul(d_made, values[:, seen].transpose(1, 2))
            d_scores.sub_(inner[:, :, first:end].reshape(groups, -1, 1)).mul_(flat)
            product = torch.matmul(d_scores, keys[:, seen]).mul_(ctx.scale)
            d_queries[:, :, first:end] = product.view(groups, shared, end - first, width)
            rows = queries[:, :, first:end].reshape(groups, -1, width)
            d_keys[:, seen] += torch.matmul(d_scores.transpose(1, 2), rows).mul_(ctx.scale)
        return d_queries.view(query.shape), d_keys[None].to(key.dtype), d_values[None].to(value.dtype), None, None
