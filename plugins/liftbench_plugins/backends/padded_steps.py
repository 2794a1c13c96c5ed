"""Decoding in one left-padded batch, which any causal language model of transformers supports.

Imports torch: import this module only where a model is loaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import DynamicCache


class PaddedSteps:
    """Logits of a batch, token by token. In half precision they depend on the batch's other prompts."""

    independent = False

    def __init__(self, model: Any, pad: int) -> None:
        self._model = model
        self._pad = pad

    def begin(self, prompts: Sequence[list[int]], _new_tokens: int) -> torch.Tensor:
        """The logits (prompts, vocabulary) after each prompt; a new batch begins."""
        width = max(map(len, prompts))
        place = self._model.device
        padded = [[self._pad] * (width - len(prompt)) + prompt for prompt in prompts]
        real = [[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts]
        self._mask = torch.tensor(real, device=place)
        self._positions = (self._mask.cumsum(dim=1) - 1).clamp(min=0)
        self._cache = DynamicCache(config=self._model.config)
        return self._forward(torch.tensor(padded, device=place))

    def keep(self, places: Sequence[int]) -> None:
        """Go on with these rows of the last logits only."""
        index = torch.tensor(places, device=self._mask.device)
        self._cache.batch_select_indices(index)
        self._mask, self._positions = self._mask[index], self._positions[index]

    def step(self, tokens: Sequence[int]) -> torch.Tensor:
        """The logits (rows, vocabulary) after one more token of each row."""
        self._positions = self._positions[:, -1:] + 1
        self._mask = torch.cat([self._mask, self._mask.new_ones((len(tokens), 1))], dim=1)
        return self._forward(torch.tensor(tokens, device=self._mask.device)[:, None])

    def _forward(self, ids: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self._model(
            input_ids=ids,
            attention_mask=self._mask,
            position_ids=self._positions,
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
        return logits
