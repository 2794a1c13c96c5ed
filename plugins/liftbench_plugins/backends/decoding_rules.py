"""Applies the decoding rules of a measurement to the logits and to the tokens made so far, and reads what was made.

Imports torch and transformers only when a rule is in force.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from liftbench.plugin_api import DecodingRules, Ending, Generation


class RuleKeeper:
    """What the rules forbid in one batch, token by token, and the text of what was made. Without rules it forbids
    nothing."""

    def __init__(self, rules: DecodingRules, stops: Collection[int], ending: Ending, tokenizer: Any) -> None:
        """`stops` are the tokens that end a text; of `ending` only the texts that do are used."""
        self._rules = rules
        self._stops = sorted(stops)
        self._ending = ending
        self._tokenizer = tokenizer

    def forbid(self, logits: Any, made: Sequence[list[int]]) -> Any:
        """The logits (rows, vocabulary) with minus infinity at forbidden tokens; `made` has each row's tokens so far,
        equally many for all rows."""
        if self._rules.no_repeat_ngram and made[0]:
            import torch
            from transformers import NoRepeatNGramLogitsProcessor

            ids = torch.tensor(made, device=logits.device)
            # `generate` would hand it the prompt too, and so forbid names and numbers that the conversation has.
            logits = NoRepeatNGramLogitsProcessor(self._rules.no_repeat_ngram)(ids, logits)
        if self._rules.min_words:
            logits = self._without_stops(logits, made)
            if self._ending.texts:
                self._forbid_end_texts(logits, made)
        return logits

    def repeats(self, ids: Sequence[int]) -> bool:
        """Whether the newest tokens are a sequence that the text has already."""
        size = self._rules.repetition_stop
        if not size or len(ids) <= size:
            return False
        newest = tuple(ids[-size:])
        return any(tuple(ids[start : start + size]) == newest for start in range(len(ids) - size))

    def generation(self, prompt: Sequence[int], ids: Sequence[int]) -> Generation:
        """What the tokens made after a prompt are as a text: without its end, which may be a repeat."""
        new_tokens, repeats = len(ids), self.repeats(ids)
        stopped = repeats or (bool(ids) and ids[-1] in self._stops)
        kept = ids[: -self._rules.repetition_stop] if repeats else ids[:-1] if stopped else ids
        # Decoded together with the prompt, because a SentencePiece tokenizer drops the space before the first token.
        text = self._decode([*prompt, *kept])[len(self._decode(prompt)) :]
        if (end := self._ending.find(text)) >= 0:
            text, stopped = text[:end], True
        return Generation(text=text, new_tokens=new_tokens, finish_reason="stop" if stopped else "length")

    def _without_stops(self, logits: Any, made: Sequence[list[int]]) -> Any:
        logits = logits.clone()
        short = [row for row, ids in enumerate(made) if self._is_short(self._decode(ids))]
        for stop in self._stops:
            logits[short, stop] = float("-inf")
        return logits

    def _forbid_end_texts(self, logits: Any, made: Sequence[list[int]]) -> None:
        """Forbid, in place, each likeliest token that would complete an end behind too few words."""
        for row, ids in enumerate(made):
            while True:
                likeliest = int(logits[row].argmax())
                text = self._decode([*ids, likeliest])
                end = self._ending.find(text)
                if end < 0 or not self._is_short(text[:end]):
                    break
                logits[row, likeliest] = float("-inf")

    def _is_short(self, text: str) -> bool:
        return len(text.split()) < self._rules.min_words

    def _decode(self, ids: Sequence[int]) -> str:
        text: str = self._tokenizer.decode(ids, skip_special_tokens=True)
        return text
