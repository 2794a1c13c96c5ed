"""Applies the decoding rules of a measurement to the logits and to the tokens made so far.

Imports torch and transformers only when a rule is in force."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from liftbench.plugin_api import DecodingRules


class RuleKeeper:
    """What the rules forbid in one batch, token by token. Without rules it does nothing."""

    def __init__(self, rules: DecodingRules, stops: Collection[int], tokenizer: Any) -> None:
        self._rules = rules
        self._stops = sorted(stops)
        self._tokenizer = tokenizer

    def forbid(self, logits: Any, made: Sequence[list[int]]) -> Any:
        """The logits (rows, vocabulary) with minus infinity at forbidden tokens; `made` has each row's tokens so far,
        equally many for all rows."""
        if not made[0] and not self._rules.min_words:
            return logits
        if self._rules.min_words:
            short = [row for row, ids in enumerate(made) if self._count_words(ids) < self._rules.min_words]
            if short:
                logits = logits.clone()
                for stop in self._stops:
                    logits[short, stop] = float("-inf")
        if self._rules.no_repeat_ngram and made[0]:
            import torch
            from transformers import NoRepeatNGramLogitsProcessor

            ids = torch.tensor(made, device=logits.device)
            # `generate` would hand it the prompt too, and so forbid names and numbers that the conversation has.
            logits = NoRepeatNGramLogitsProcessor(self._rules.no_repeat_ngram)(ids, logits)
        return logits

    def repeats(self, ids: Sequence[int]) -> bool:
        """Whether the newest tokens are a sequence that the text has already."""
        size = self._rules.repetition_stop
        if not size or len(ids) <= size:
            return False
        newest = tuple(ids[-size:])
        return any(tuple(ids[start : start + size]) == newest for start in range(len(ids) - size))

    def without_repeat(self, ids: list[int]) -> list[int]:
        """The tokens before a repeat that `repeats` has found."""
        return ids[: -self._rules.repetition_stop]

    def _count_words(self, ids: list[int]) -> int:
        text: str = self._tokenizer.decode(ids, skip_special_tokens=True)
        return len(text.split())
