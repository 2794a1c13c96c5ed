"""Which rows are trained, in which order, as which tokens."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liftbench.prompts.render import completion_ids, end_token, render
from liftbench.prompts.spec import prompt_spec
from liftbench.records.conversation import Conversation, Turn
from liftbench_plugins.trainers.rows import (
    EMPTY,
    NO_TURN,
    NOT_TRAINED,
    STOPPED,
    TOO_LONG,
    WINDOW,
    Encoder,
    Row,
    Schedule,
    batch_by_length,
    reference_index,
    schedule,
    validation_rows,
)

PROMPT = prompt_spec("Sum up:\n{conversation}", "", "chat")


def spoken(number: int, references: int) -> Conversation:
    return Conversation(
        id=f"c{number}",
        turns=(Turn(role="customer", text="help " * (number % 7 + 1)),),
        references=tuple(f"summary {take}" for take in range(references)),
    )


class Letters:
    """An encoder that needs no tokenizer: a row is as long as its conversation has words."""

    def __init__(self, conversations: list[Conversation], unusable: frozenset[tuple[int, int]] = frozenset()) -> None:
        self.conversations, self.unusable = conversations, unusable

    def row(self, pair: tuple[int, int]) -> Row | str:
        if pair in self.unusable:
            return EMPTY
        words = len(self.conversations[pair[0]].turns[0].text.split())
        return Row(pair=pair, input_ids=[7] * (words + 2), prompt_tokens=words, shortened=False)


def planned(conversations: list[Conversation], encoder: Any = None, **changes: Any) -> Schedule:
    options: dict[str, Any] = {"epochs": 1.0, "batch_size": 4, "max_steps": None, "seed": 0} | changes
    rows: Any = encoder or Letters(conversations)
    return schedule(conversations, rows, **options)


@pytest.fixture(scope="module")
def tokenizer(tiny_chat_model: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_chat_model)


# ----------------------------------------------------------------------------------------------------------- rotation


@given(references=st.integers(1, 7), first=st.integers(0, 20), seed=st.integers(0, 2**31), number=st.integers(0, 999))
def test_any_k_epochs_in_a_row_use_each_of_k_references_once(
    references: int, first: int, seed: int, number: int
) -> None:
    conversation = spoken(number, references)
    turns = [reference_index(conversation, epoch, seed) for epoch in range(first, first + references)]
    assert sorted(turns) == list(range(references))


def test_the_first_epoch_draws_on_every_place_in_the_list_of_references() -> None:
    firsts = Counter(reference_index(spoken(number, 3), 0, seed=0) for number in range(300))
    assert all(70 < firsts[place] < 130 for place in range(3))


@given(
    counts=st.lists(st.integers(0, 4), min_size=1, max_size=40),
    epochs=st.floats(0.05, 4.5),
    batch_size=st.integers(1, 9),
    max_steps=st.none() | st.integers(1, 12),
    steps=st.integers(0, 60),
    seed=st.integers(0, 99),
)
@settings(max_examples=150)
def test_rows_in_are_rows_trained_and_rows_reported(
    counts: list[int], epochs: float, batch_size: int, max_steps: int | None, steps: int, seed: int
) -> None:
    conversations = [spoken(number, count) for number, count in enumerate(counts)]
    encoder = Letters(conversations, frozenset({(0, 0)}))
    plan = planned(conversations, encoder, epochs=epochs, batch_size=batch_size, max_steps=max_steps, seed=seed)
    trained = {row.pair for row in plan.first_rows(steps)}
    assert len(trained) + sum(plan.count_unused(steps).values()) == sum(counts)
    assert (0, 0) not in trained
    assert plan.steps == -(-len(plan.rows) // batch_size)
    assert max_steps is None or plan.steps <= max_steps


def test_whole_epochs_take_every_conversation_once_each_and_a_fraction_its_share() -> None:
    conversations = [spoken(number, 2) for number in range(20)]
    plan = planned(conversations, epochs=2.5)
    uses = Counter(row.pair[0] for row in plan.rows)
    assert sorted(uses.values()) == [2] * 10 + [3] * 10
    assert set(Counter(row.pair for row in plan.rows)) == {(c, r) for c in range(20) for r in range(2)}
    assert [plan.epoch(step) for step in (0, 5, 13)] == [0.0, 1.0, 2.5]


def test_what_is_left_out_is_reported_by_reason() -> None:
    conversations = [spoken(number, 2) for number in range(8)]
    first = next(row.pair for row in planned(conversations).rows)
    plan = planned(conversations, Letters(conversations, frozenset({first})))
    assert plan.count_unused(1) == {NO_TURN: 8, EMPTY: 1, STOPPED: 3}


def test_the_plan_depends_on_its_arguments_alone() -> None:
    conversations = [spoken(number, 3) for number in range(50)]
    pairs = [[row.pair for row in planned(conversations, epochs=2, seed=seed).rows] for seed in (0, 0, 1)]
    assert pairs[0] == pairs[1] != pairs[2]


# -------------------------------------------------------------------------------------------------------------- order


@given(lengths=st.lists(st.integers(1, 500), max_size=150), batch_size=st.integers(1, 16), seed=st.integers(0, 99))
def test_batches_hold_rows_of_like_length(lengths: list[int], batch_size: int, seed: int) -> None:
    rows = [
        Row(pair=(index, 0), input_ids=[0] * length, prompt_tokens=0, shortened=False)
        for index, length in enumerate(lengths)
    ]
    ordered = batch_by_length(rows, batch_size, random.Random(seed))
    assert sorted(row.pair for row in ordered) == sorted(row.pair for row in rows)
    size = WINDOW * batch_size
    for start in range(0, len(rows), size):
        window = [len(row.input_ids) for row in ordered[start : start + size]]
        batches = [window[first : first + batch_size] for first in range(0, len(window), batch_size)]
        assert all(batch == sorted(batch) for batch in batches)
        ranges = sorted((batch[0], batch[-1]) for batch in batches)
        assert all(left[1] <= right[0] for left, right in itertools.pairwise(ranges))


# ------------------------------------------------------------------------------------------------------------- tokens


def encoder_for(conversations: list[Conversation], tokenizer: Any, **limits: int) -> Encoder:
    return Encoder(conversations, PROMPT, tokenizer, **({"max_input_tokens": 400, "context": 1024} | limits))


def test_a_row_is_the_prompt_of_inference_and_the_summary_with_one_end_token(
    conversations: list[Conversation], tokenizer: Any
) -> None:
    end = end_token(PROMPT, tokenizer)
    assert isinstance(end, int)
    for index, conversation in enumerate(conversations):
        row = encoder_for(conversations, tokenizer).row((index, 0))
        assert isinstance(row, Row)
        prompt = render(PROMPT, conversation, tokenizer, 400).token_ids
        assert row.input_ids[: row.prompt_tokens] == prompt
        assert row.labels[: row.prompt_tokens] == [NOT_TRAINED] * len(prompt)
        target = row.labels[row.prompt_tokens :]
        assert target == completion_ids(conversation.references[0], end, tokenizer)
        assert target.count(end) == 1
        assert tokenizer.decode(target[:-1]) == conversation.references[0]
        assert row.target_tokens == len(target)


def test_a_long_conversation_is_shortened_and_its_reference_is_whole(tokenizer: Any) -> None:
    turns = tuple(Turn(role="customer", text=f"part {number} " * 10) for number in range(30))
    reference = "the customer asks " * 12
    conversations = [Conversation(id="long", turns=turns, references=(reference,))]
    whole = completion_ids(reference, end_token(PROMPT, tokenizer), tokenizer)
    for limits in ({"max_input_tokens": 300}, {"max_input_tokens": 900, "context": 500}):
        row = encoder_for(conversations, tokenizer, **limits).row((0, 0))
        assert isinstance(row, Row)
        assert row.shortened
        assert row.input_ids[row.prompt_tokens :] == whole
        assert row.prompt_tokens <= limits["max_input_tokens"]
        assert len(row.input_ids) <= limits.get("context", 1024)


@pytest.mark.parametrize(("reference", "reason"), [("  \n", EMPTY), ("word " * 500, TOO_LONG)])
def test_a_reference_that_cannot_be_trained_has_a_reason(tokenizer: Any, reference: str, reason: str) -> None:
    conversations = [Conversation(id="c", turns=(Turn(role="agent", text="hi"),), references=(reference,))]
    encoder = encoder_for(conversations, tokenizer, context=200)
    assert encoder.row((0, 0)) == reason
    assert planned(conversations, encoder).count_unused(0) == {reason: 1}


def test_validation_takes_one_reference_a_conversation_by_length(
    conversations: list[Conversation], tokenizer: Any
) -> None:
    rows = validation_rows(conversations, encoder_for(conversations, tokenizer), seed=0)
    assert sorted(row.pair[0] for row in rows) == list(range(len(conversations)))
    lengths = [len(row.input_ids) for row in rows]
    assert lengths == sorted(lengths)
