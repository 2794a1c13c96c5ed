"""Which references of which conversations are trained, in which order, and as which tokens; without model or torch."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any, Literal

from msgspec import Struct

from liftbench.plugin_api import Conversation, PromptSpec, UsageError, completion_ids, end_token, render

References = Literal["all", "one"]
"""References of a conversation that a pass trains: all of them, or the next one in rotation."""

NO_TURN = "its turn in the rotation did not come"
STOPPED = "training stopped before it"
EMPTY = "the reference is empty"
TOO_LONG = "the reference does not fit the model's context"

Pair = tuple[int, int]
"""Index of the conversation, index of its reference."""


class Row(Struct, frozen=True, kw_only=True):
    """What is trained together: a conversation's prompt and some of its references."""

    pairs: tuple[Pair, ...]
    """The references, all of one conversation."""
    prompt_ids: list[int]
    targets: list[list[int]]
    """The tokens of each reference, with one end token."""
    shortened: bool
    """Whether turns of the conversation were left out to fit the budget."""

    @property
    def target_tokens(self) -> int:
        """The number of tokens with loss, including the end tokens."""
        return sum(map(len, self.targets))

    @property
    def tokens(self) -> int:
        """The number of tokens, the prompt counted once."""
        return len(self.prompt_ids) + self.target_tokens


class Encoder:
    """Turns references into rows; each conversation's prompt is rendered once."""

    def __init__(
        self,
        conversations: Sequence[Conversation],
        prompt: PromptSpec,
        tokenizer: Any,
        *,
        max_input_tokens: int,
        context: int,
    ) -> None:
        self._conversations = conversations
        self._prompt = prompt
        self._tokenizer = tokenizer
        self._max_input_tokens = max_input_tokens
        self._context = context
        self._end = end_token(prompt, tokenizer)
        self._prompts: dict[int, tuple[list[int], bool]] = {}

    def row(self, pairs: Sequence[Pair]) -> tuple[Row | None, dict[Pair, str]]:
        """The row of some references of one conversation, and the reasons of those that are not in it.

        A conversation is shortened to fit `max_input_tokens`, and further if its longest reference would still exceed
        the model's context. A reference is never cut.
        """
        texts = {pair: self._conversations[pair[0]].references[pair[1]] for pair in pairs}
        reasons = {pair: EMPTY for pair, text in texts.items() if not text.strip()}
        targets = {
            pair: completion_ids(text, self._end, self._tokenizer)
            for pair, text in texts.items()
            if pair not in reasons
        }
        while targets:
            longest = max(targets, key=lambda pair: len(targets[pair]))
            try:
                prompt_ids, shortened = self._render(longest[0], len(targets[longest]))
            except UsageError:
                reasons[longest] = TOO_LONG
                del targets[longest]
                continue
            row = Row(pairs=tuple(targets), prompt_ids=prompt_ids, targets=list(targets.values()), shortened=shortened)
            return row, reasons
        return None, reasons

    def _render(self, index: int, target: int) -> tuple[list[int], bool]:
        if index not in self._prompts:
            self._prompts[index] = self._render_within(index, self._max_input_tokens)
        prompt_ids, shortened = self._prompts[index]
        if len(prompt_ids) + target > self._context:
            return self._render_within(index, self._context - target)
        return prompt_ids, shortened

    def _render_within(self, index: int, budget: int) -> tuple[list[int], bool]:
        prompt = render(self._prompt, self._conversations[index], self._tokenizer, budget)
        return prompt.token_ids, prompt.turns_dropped > 0


class Schedule(Struct, frozen=True, kw_only=True):
    """All rows of a training, in the order of training."""

    rows: list[Row]
    """The rows of all passes. Consecutive `batch_size` rows form a batch; only the last batch may be smaller."""
    batch_size: int
    """Rows (conversations) per optimizer step."""
    rows_per_epoch: int
    left_out: dict[Pair, str]
    """Reference that is in no batch → the reason."""

    @property
    def steps(self) -> int:
        """The number of optimizer steps."""
        return -(-len(self.rows) // self.batch_size)

    def epoch(self, step: int) -> float:
        """Passes done after `step` optimizer steps."""
        return min(step * self.batch_size, len(self.rows)) / self.rows_per_epoch

    def first_rows(self, steps: int) -> list[Row]:
        """The rows of the first `steps` steps. A conversation has a row for each pass."""
        return self.rows[: steps * self.batch_size]

    def count_tokens(self) -> list[int]:
        """The number of tokens in the forward passes of the first 0, 1, … steps: (steps + 1,)."""
        size = self.batch_size
        steps = [sum(row.tokens for row in self.rows[at : at + size]) for at in range(0, len(self.rows), size)]
        return [0, *accumulate(steps)]

    def count_unused(self, steps: int) -> dict[str, int]:
        """Reason → number of references that are not in the first `steps` steps."""
        trained = trained_pairs(self.first_rows(steps))
        stopped = trained_pairs(self.rows) - trained
        return dict(Counter([*self.left_out.values(), *(STOPPED for _ in stopped)]))


def trained_pairs(rows: Sequence[Row]) -> set[Pair]:
    """The references in some rows, each once."""
    return {pair for row in rows for pair in row.pairs}


def schedule(
    conversations: Sequence[Conversation],
    encoder: Encoder,
    *,
    references: References,
    epochs: float,
    batch_size: int,
    max_steps: int | None,
    seed: int,
) -> Schedule:
    """Plan a training: passes over the conversations in drawn orders, each with all its references or the next one.

    A fraction of a pass uses that fraction of the conversations. The order depends only on the arguments, so a resumed
    training has the same batches.
    """
    generator = random.Random(seed)
    chosen: list[tuple[Pair, ...]] = []
    whole, fraction = divmod(epochs, 1)
    for epoch in range(int(whole) + (fraction > 0)):
        indices = [index for index, conversation in enumerate(conversations) if conversation.references]
        generator.shuffle(indices)
        share = 1.0 if epoch < whole else fraction
        chosen += [
            _pairs(index, conversations[index], references, epoch, seed)
            for index in indices[: round(share * len(indices))]
        ]

    # References that cannot be encoded are left out before batches are made, so that every batch is full.
    encoded = {pairs: encoder.row(pairs) for pairs in dict.fromkeys(chosen)}
    rows = [row for pairs in chosen if (row := encoded[pairs][0]) is not None]
    if max_steps is not None:
        rows = rows[: max_steps * batch_size]
    planned = trained_pairs(rows)
    reasons = {pair: reason for _, found in encoded.values() for pair, reason in found.items()}
    return Schedule(
        rows=rows,
        batch_size=batch_size,
        rows_per_epoch=max(1, sum(bool(conversation.references) for conversation in conversations)),
        left_out={
            pair: reasons.get(pair, STOPPED if references == "all" else NO_TURN)
            for pair in _all_pairs(conversations)
            if pair not in planned
        },
    )


def validation_rows(
    conversations: Sequence[Conversation], encoder: Encoder, references: References, seed: int
) -> list[Row]:
    """One row per conversation, the same for every evaluation."""
    chosen = [
        _pairs(index, conversation, references, 0, seed)
        for index, conversation in enumerate(conversations)
        if conversation.references
    ]
    return [row for pairs in chosen if (row := encoder.row(pairs)[0]) is not None]


def reference_index(conversation: Conversation, epoch: int, seed: int) -> int:
    """The index of a conversation's reference in a pass: in rotation, from a start that is drawn per conversation.

    Any k passes in a row use each of k references once. References are often in the order of their annotators, so the
    drawn start keeps the style of one annotator from filling the first pass.
    """
    count = len(conversation.references)
    start = random.Random(f"{seed}/{conversation.id}").randrange(count)
    return (start + epoch) % count


def _pairs(index: int, conversation: Conversation, references: References, epoch: int, seed: int) -> tuple[Pair, ...]:
    if references == "one":
        return ((index, reference_index(conversation, epoch, seed)),)
    return tuple((index, number) for number in range(len(conversation.references)))


def _all_pairs(conversations: Sequence[Conversation]) -> Iterator[Pair]:
    for index, conversation in enumerate(conversations):
        yield from _pairs(index, conversation, "all", 0, 0)
