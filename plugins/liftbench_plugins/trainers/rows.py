"""Which (conversation, reference) pairs are trained, in which order, and as which tokens; without model or torch."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct

from liftbench.plugin_api import Conversation, PromptSpec, UsageError, completion_ids, end_token, render

WINDOW = 8
"""The number of batches that are sorted by length together: enough for rows of similar length in a batch, but few
enough that an epoch does not run from short to long rows."""

NOT_TRAINED = -100
"""The label of a token without loss (PyTorch's `ignore_index`)."""

NO_TURN = "its turn in the rotation did not come"
STOPPED = "training stopped before it"
EMPTY = "the reference is empty"
TOO_LONG = "the reference does not fit the model's context"

Pair = tuple[int, int]
"""Index of the conversation, index of its reference."""


class Row(Struct, frozen=True, kw_only=True):
    """One training sequence: a prompt, a reference and one end token."""

    pair: Pair
    input_ids: list[int]
    prompt_tokens: int
    shortened: bool
    """Whether turns of the conversation were left out to fit the budget."""

    @property
    def target_tokens(self) -> int:
        """The number of tokens with loss, including the end token."""
        return len(self.input_ids) - self.prompt_tokens

    @property
    def labels(self) -> list[int]:
        """`input_ids` with the prompt's tokens replaced by `NOT_TRAINED`."""
        return [NOT_TRAINED] * self.prompt_tokens + self.input_ids[self.prompt_tokens :]


class Encoder:
    """Turns pairs into rows; each conversation's prompt is rendered once."""

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

    def row(self, pair: Pair) -> Row | str:
        """The row of a pair, or the reason why there is none.

        A conversation is shortened to fit `max_input_tokens`, and further if the row would still exceed the model's
        context. A reference is never cut.
        """
        index, reference = pair
        text = self._conversations[index].references[reference]
        if not text.strip():
            return EMPTY
        target = completion_ids(text, self._end, self._tokenizer)
        if index not in self._prompts:
            self._prompts[index] = self._render(index, self._max_input_tokens)
        prompt_ids, shortened = self._prompts[index]
        if len(prompt_ids) + len(target) > self._context:
            try:
                prompt_ids, shortened = self._render(index, self._context - len(target))
            except UsageError:
                return TOO_LONG
        return Row(pair=pair, input_ids=prompt_ids + target, prompt_tokens=len(prompt_ids), shortened=shortened)

    def _render(self, index: int, budget: int) -> tuple[list[int], bool]:
        prompt = render(self._prompt, self._conversations[index], self._tokenizer, budget)
        return prompt.token_ids, prompt.turns_dropped > 0


class Schedule(Struct, frozen=True, kw_only=True):
    """All rows of a training, in the order of training."""

    rows: list[Row]
    """The rows of all epochs. Consecutive `batch_size` rows form a batch; only the last batch may be smaller."""
    batch_size: int
    """Rows per optimizer step."""
    rows_per_epoch: int
    left_out: dict[Pair, str]
    """Pair that is in no batch → the reason."""

    @property
    def steps(self) -> int:
        """The number of optimizer steps."""
        return -(-len(self.rows) // self.batch_size)

    def epoch(self, step: int) -> float:
        """Epochs done after `step` optimizer steps."""
        return min(step * self.batch_size, len(self.rows)) / self.rows_per_epoch

    def first_rows(self, steps: int) -> list[Row]:
        """The rows of the first `steps` steps. A row occurs once for each epoch in which its reference is used."""
        return self.rows[: steps * self.batch_size]

    def count_unused(self, steps: int) -> dict[str, int]:
        """Reason → number of distinct pairs that are not in the first `steps` steps."""
        trained = {row.pair for row in self.first_rows(steps)}
        stopped = {row.pair for row in self.rows} - trained
        return dict(Counter([*self.left_out.values(), *(STOPPED for _ in stopped)]))


def schedule(
    conversations: Sequence[Conversation],
    encoder: Encoder,
    *,
    epochs: float,
    batch_size: int,
    max_steps: int | None,
    seed: int,
) -> Schedule:
    """Plan a training: one reference per conversation and epoch, in rotation, and batches of similar length.

    A fraction of an epoch uses that fraction of the conversations. The order depends only on the arguments, so a
    resumed training has the same batches.
    """
    generator = random.Random(seed)
    shuffled: list[Pair] = []
    whole, fraction = divmod(epochs, 1)
    for epoch in range(int(whole) + (fraction > 0)):
        indices = [index for index, conversation in enumerate(conversations) if conversation.references]
        generator.shuffle(indices)
        share = 1.0 if epoch < whole else fraction
        shuffled += [
            (i, reference_index(conversations[i], epoch, seed)) for i in indices[: round(share * len(indices))]
        ]

    # References that cannot be encoded are left out before batches are made, so that every batch is full.
    encoded = {pair: encoder.row(pair) for pair in dict.fromkeys(shuffled)}
    usable = [row for pair in shuffled if isinstance(row := encoded[pair], Row)]
    if max_steps is not None:
        usable = usable[: max_steps * batch_size]
    planned = {row.pair for row in usable}
    reasons = {pair: reason for pair, reason in encoded.items() if isinstance(reason, str)}
    left_out = {pair: reasons.get(pair, NO_TURN) for pair in _pairs(conversations) if pair not in planned}
    return Schedule(
        rows=batch_by_length(usable, batch_size, generator),
        batch_size=batch_size,
        rows_per_epoch=max(1, sum(bool(conversation.references) for conversation in conversations)),
        left_out=left_out,
    )


def validation_rows(conversations: Sequence[Conversation], encoder: Encoder, seed: int) -> list[Row]:
    """One row per conversation, the same for every evaluation, sorted by length."""
    pairs = [
        (i, reference_index(conversation, 0, seed))
        for i, conversation in enumerate(conversations)
        if conversation.references
    ]
    rows = [row for pair in pairs if isinstance(row := encoder.row(pair), Row)]
    return sorted(rows, key=lambda row: len(row.input_ids))


def reference_index(conversation: Conversation, epoch: int, seed: int) -> int:
    """The index of a conversation's reference in an epoch: in rotation, from a start that is drawn per conversation.

    Any k epochs in a row use each of k references once. References are often in the order of their annotators, so the
    drawn start keeps the style of one annotator from filling the first epoch.
    """
    count = len(conversation.references)
    start = random.Random(f"{seed}/{conversation.id}").randrange(count)
    return (start + epoch) % count


def batch_by_length(rows: Sequence[Row], batch_size: int, generator: random.Random) -> list[Row]:
    """Order rows so that each batch has rows of similar length, shortest first; batches are shuffled within a window.

    A batch that is not full stays last, so that cutting the result every `batch_size` rows gives the batches.
    """
    ordered: list[Row] = []
    for start in range(0, len(rows), WINDOW * batch_size):
        window = sorted(rows[start : start + WINDOW * batch_size], key=lambda row: len(row.input_ids))
        batches = [window[first : first + batch_size] for first in range(0, len(window), batch_size)]
        partial = [batches.pop()] if len(batches[-1]) < batch_size else []
        generator.shuffle(batches)
        ordered += [row for batch in batches + partial for row in batch]
    return ordered


def _pairs(conversations: Sequence[Conversation]) -> Iterable[Pair]:
    for index, conversation in enumerate(conversations):
        for reference in range(len(conversation.references)):
            yield index, reference
