"""Softmax attention by plain matrix products, block of queries by block, as training and scoring on a CPU compute it.

PyTorch's own kernel for CPUs computes what a mask hides, and its products are slower than oneDNN's.

Imports torch: import this module only where a model computes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch

QUERY_BLOCK = 128
"""Queries of a prompt that are computed together. Their keys end with the block, so that about half of the products
that a causal mask hides are not computed; smaller blocks lose more time between products than they save."""


class Block(NamedTuple):
    """Consecutive queries, and the consecutive keys that they may see."""

    first: int
    end: int
    first_key: int
    end_key: int
    mask: torch.Tensor
    """(queries, n): what is added to the scores of the last n keys, 0 or minus infinity."""


def attend_blocks(
    queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, blocks: Sequence[Block], scale: float
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """The result of the attention, in the shape of the queries, and the weights of each block.

    `queries` are (groups, heads of a group, queries, width): the heads that share a head of keys are rows of one
    product. `keys` and `values` are (groups, keys, width). Queries that lie in no block get 0.
    """
    groups, shared, _, width = queries.shape
    made = torch.zeros_like(queries)
    kept = []
    for first, end, first_key, end_key, mask in blocks:
        rows = (queries[:, :, first:end] * scale).reshape(groups, -1, width)
        scores = torch.matmul(rows, keys[:, first_key:end_key].transpose(1, 2))
        scores = scores.view(groups, shared, end - first, -1)
        scores[..., -mask.shape[1] :].add_(mask)
        weights = torch.softmax(scores, dim=-1)
        product = torch.matmul(weights.view(groups, rows.shape[1], -1), values[:, first_key:end_key])
        made[:, :, first:end] = product.view(groups, shared, end - first, width)
        kept.append(weights)
    return made, kept
