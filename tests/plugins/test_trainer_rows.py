"""Which rows are trained, in which order, as which tokens."""

from __future__ import annotations

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
    STOPPED,
    TOO_LONG,
    Encoder,
    Pair,
    Row,
    Schedule,
    reference_index,
    schedule,
    trained_pairs,
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
    """An encoder that needs no tokenizer: a prompt is as long as its conversation has words."""

    def __init__(self, conversations: list[Conversation], unusable: frozenset[Pair] = frozenset()) -> None:
        self.conversations, self.unusable = conversations, unusable

    def row(self, pairs: tuple[Pair, ...]) -> tuple[Row | None, dict[Pair, str]]:
        usable = tuple(pair for pair in pairs if pair not in self.unusable)
        reasons = {pair: EMPTY for pair in pairs if pair in self.unusable}
        if not usable:
            return None, reasons
        words = len(self.conversations[pairs[0][0]].turns[0].text.split())
        targets = [[7, 7] for _ in usable]
        return Row(pairs=usable, prompt_ids=[7] * words, targets=targets, shortened=False), reasons


def planned(conversations: list[Conversation], encoder: Any = None, **changes: Any) -> Schedule:
    options: dict[str, Any] = {
        "references": "one",
        "epochs": 1.0,
        "batch_size": 4,
        "max_steps": None,
        "seed": 0,
    } | changes
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
    references=st.sampled_from(["all", "one"]),
)
@settings(max_examples=150)
def test_references_in_are_references_trained_and_reported(counts: list[int], steps: int, **options: Any) -> None:
    conversations = [spoken(number, count) for number, count in enumerate(counts)]
    encoder = Letters(conversations, frozenset({(0, 0)}))
    plan = planned(conversations, encoder, **options)
    batch_size, max_steps = options["batch_size"], options["max_steps"]
    trained = trained_pairs(plan.first_rows(steps))
    assert len(trained) + sum(plan.count_unused(steps).values()) == sum(counts)
    assert (0, 0) not in trained
    assert plan.steps == -(-len(plan.rows) // batch_size)
    assert max_steps is None or plan.steps <= max_steps


def test_whole_epochs_take_every_conversation_once_each_and_a_fraction_its_share() -> None:
    conversations = [spoken(number, 2) for number in range(20)]
    plan = planned(conversations, epochs=2.5)
    uses = Counter(row.pairs[0][0] for row in plan.rows)
    assert sorted(uses.values()) == [2] * 10 + [3] * 10
    assert trained_pairs(plan.rows) == {(c, r) for c in range(20) for r in range(2)}
    assert [plan.epoch(step) for step in (0, 5, 13)] == [0.0, 1.0, 2.5]


def test_a_pass_over_all_references_takes_each_conversation_once_with_all_of_them() -> None:
    conversations = [spoken(number, number % 3) for number in range(9)]
    plan = planned(conversations, references="all")
    assert sorted(row.pairs for row in plan.rows) == [
        tuple((number, reference) for reference in range(number % 3)) for number in range(9) if number % 3
    ]
    assert plan.epoch(plan.steps) == 1.0
    assert plan.left_out == {}


def test_what_is_left_out_is_reported_by_reason() -> None:
    conversations = [spoken(number, 2) for number in range(8)]
    first = planned(conversations).rows[0].pairs[0]
    plan = planned(conversations, Letters(conversations, frozenset({first})))
    assert plan.count_unused(1) == {NO_TURN: 8, EMPTY: 1, STOPPED: 3}


def test_the_plan_depends_on_its_arguments_alone() -> None:
    conversations = [spoken(number, 3) for number in range(50)]
    pairs = [[row.pairs for row in planned(conversations, epochs=2, seed=seed).rows] for seed in (0, 0, 1)]
    assert pairs[0] == pairs[1] != pairs[2]


# ------------------------------------------------------------------------------------------------------------- tokens


def encoder_for(conversations: list[Conversation], tokenizer: Any, **limits: int) -> Encoder:
    return Encoder(conversations, PROMPT, tokenizer, **({"max_input_tokens": 400, "context": 1024} | limits))


def test_a_row_is_the_prompt_of_inference_and_each_summary_with_one_end_token(
    conversations: list[Conversation], tokenizer: Any
) -> None:
    end = end_token(PROMPT, tokenizer)
    assert isinstance(end, int)
    several = [
        Conversation(id=each.id, turns=each.turns, references=(each.references[0], "Shorter."))
        for each in conversations
    ]
    for index, conversation in enumerate(several):
        row, reasons = encoder_for(several, tokenizer).row([(index, 0), (index, 1)])
        assert row is not None
        assert reasons == {}
        assert row.prompt_ids == render(PROMPT, conversation, tokenizer, 400).token_ids
        for target, reference in zip(row.targets, conversation.references, strict=True):
            assert target == completion_ids(reference, end, tokenizer)
            assert target.count(end) == 1
            assert tokenizer.decode(target[:-1]) == reference
        assert row.target_tokens == sum(map(len, row.targets))
        assert row.tokens == len(row.prompt_ids) + row.target_tokens


def test_a_long_conversation_is_shortened_for_its_longest_reference_and_references_are_whole(tokenizer: Any) -> None:
    turns = tuple(Turn(role="customer", text=f"part {number} " * 10) for number in range(30))
    references = ("too short", "the customer asks " * 12)
    conversations = [Conversation(id="long", turns=turns, references=references)]
    whole = [completion_ids(reference, end_token(PROMPT, tokenizer), tokenizer) for reference in references]
    for limits in ({"max_input_tokens": 300}, {"max_input_tokens": 900, "context": 500}):
        row, _ = encoder_for(conversations, tokenizer, **limits).row([(0, 0), (0, 1)])
        assert row is not None
        assert row.shortened
        assert row.targets == whole
        assert len(row.prompt_ids) <= limits["max_input_tokens"]
        assert len(row.prompt_ids) + len(whole[1]) <= limits.get("context", 1024)


@pytest.mark.parametrize(("reference", "reason"), [("  \n", EMPTY), ("word " * 500, TOO_LONG)])
def test_a_reference_that_cannot_be_trained_has_a_reason_and_the_others_are_trained(
    tokenizer: Any, reference: str, reason: str
) -> None:
    turns = (Turn(role="agent", text="hi"),)
    conversations = [Conversation(id="c", turns=turns, references=(reference, "fine"))]
    encoder = encoder_for(conversations, tokenizer, context=200)
    assert encoder.row([(0, 0)]) == (None, {(0, 0): reason})
    plan = planned(conversations, encoder, references="all")
    assert [row.pairs for row in plan.rows] == [((0, 1),)]
    assert plan.count_unused(1) == {reason: 1}


@pytest.mark.parametrize("references", ["all", "one"])
def test_validation_takes_every_conversation_once(
    conversations: list[Conversation], tokenizer: Any, references: Any
) -> None:
    rows = validation_rows(conversations, encoder_for(conversations, tokenizer), references, seed=0)
    assert [row.pairs[0][0] for row in rows] == list(range(len(conversations)))
