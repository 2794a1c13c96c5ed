from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liftbench.errors import UsageError
from liftbench.prompts import GAP, completion_ids, end_token, prompt_spec, render, transcript
from liftbench.types import Conversation, Turn

TEMPLATE = "Summarize.\n\n{conversation}"


@pytest.fixture(scope="module")
def chat(tiny_chat_model: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_chat_model)


@pytest.fixture(scope="module")
def base(tiny_base_model: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_base_model)


def conversation(*texts: str) -> Conversation:
    return Conversation(
        id="c", turns=tuple(Turn(role=("customer", "agent")[i % 2], text=text) for i, text in enumerate(texts))
    )


def test_a_chat_prompt_goes_through_the_chat_template(chat: Any) -> None:
    prompt = render(prompt_spec(TEMPLATE, "Be brief.", "chat"), conversation("Hi", "Hello"), chat, 500)
    assert prompt.text == (
        "<|im_start|>system\nBe brief.<|im_end|>\n"
        "<|im_start|>user\nSummarize.\n\nCustomer: Hi\nAgent: Hello<|im_end|>\n"
        "<|im_start|>assistant\n"
    )
    assert chat.decode(prompt.token_ids) == prompt.text
    assert prompt.turns_dropped == 0


def test_a_base_model_gets_a_plain_prompt(base: Any) -> None:
    prompt = render(prompt_spec(TEMPLATE, "Be brief.", "plain"), conversation("Hi", "Hello"), base, 500)
    assert prompt.text == "Be brief.\n\nSummarize.\n\nCustomer: Hi\nAgent: Hello\n\nSummary:\n"


class BosTokenizer:
    """Adds a BOS as Llama's tokenizer does, and words are tokens."""

    bos_token_id = 1
    eos_token_id = 2
    all_special_ids = (1, 2)

    def __call__(self, text: str, add_special_tokens: bool = True) -> dict[str, list[int]]:
        ids = [100 + len(word) for word in text.split()]
        return {"input_ids": [1, *ids] if add_special_tokens else ids}


def test_a_plain_prompt_has_one_bos_where_the_tokenizer_adds_one() -> None:
    prompt = render(prompt_spec(TEMPLATE, "", "plain"), conversation("Hi"), BosTokenizer(), 500)
    assert prompt.token_ids.count(1) == 1
    assert prompt.token_ids[0] == 1


def test_a_completion_ends_with_one_end_token_and_never_merges_with_the_prompt(chat: Any) -> None:
    spec = prompt_spec(TEMPLATE, "", "chat")
    end = end_token(spec, chat)
    assert chat.convert_ids_to_tokens(end) == "<|im_end|>"
    ids = completion_ids("  Asks about an order.\n", end, chat)
    assert chat.decode(ids) == "Asks about an order.<|im_end|>"
    assert ids.count(end) == 1


def test_the_end_of_a_plain_answer_is_eos(base: Any) -> None:
    assert end_token(prompt_spec(TEMPLATE, "", "plain"), base) == base.eos_token_id


def test_a_tokenizer_without_an_end_is_refused() -> None:
    class Endless(BosTokenizer):
        eos_token_id = None

    with pytest.raises(UsageError, match="never learn to stop"):
        end_token(prompt_spec(TEMPLATE, "", "plain"), Endless())


@settings(max_examples=60)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=9), st.integers(6, 80))
def test_the_budget_always_holds_and_first_and_last_turn_stay(lengths: list[int], budget: int) -> None:
    tokenizer = BosTokenizer()
    talk = conversation(*(" ".join([f"t{i}"] + ["word"] * (n - 1)) for i, n in enumerate(lengths)))
    prompt = render(prompt_spec(TEMPLATE, "", "plain"), talk, tokenizer, budget + 8)
    assert len(prompt.token_ids) <= budget + 8
    whole = tokenizer(render(prompt_spec(TEMPLATE, "", "plain"), talk, tokenizer, 10_000).text)["input_ids"]
    if len(whole) <= budget + 8:
        assert prompt.turns_dropped == 0
        assert GAP not in prompt.text
    else:
        assert prompt.turns_dropped > 0
        assert GAP in prompt.text
        assert prompt.text.startswith("Summarize.\n\nCustomer:")


def test_whole_turns_go_from_the_middle_first() -> None:
    talk = conversation("first", "b " * 30, "c " * 30, "d " * 30, "last")
    prompt = render(prompt_spec(TEMPLATE, "", "plain"), talk, BosTokenizer(), 60)
    assert "Customer: first" in prompt.text
    assert prompt.text.rstrip().endswith("Customer: last\n\nSummary:")
    assert prompt.turns_dropped == 2
    assert prompt.text.count(GAP) == 1


def test_a_budget_below_the_instruction_is_an_error() -> None:
    with pytest.raises(UsageError, match="max_input_tokens"):
        render(prompt_spec(TEMPLATE, "", "plain"), conversation("Hi"), BosTokenizer(), 2)


@pytest.mark.parametrize("template", ["Summarize.", "{conversation} {conversation}"])
def test_a_template_needs_one_place_for_the_conversation(template: str) -> None:
    with pytest.raises(UsageError, match="exactly once"):
        prompt_spec(template, "", "chat")


def test_the_hash_sees_template_system_and_style() -> None:
    specs = [
        prompt_spec(TEMPLATE, "", "chat"),
        prompt_spec(TEMPLATE, "", "plain"),
        prompt_spec(TEMPLATE + " ", "", "chat"),
        prompt_spec(TEMPLATE, "x", "chat"),
    ]
    assert len({spec.sha256 for spec in specs}) == 4


def test_braces_in_a_conversation_are_left_alone(chat: Any) -> None:
    prompt = render(prompt_spec(TEMPLATE, "", "chat"), conversation("{conversation} {0}"), chat, 500)
    assert "Customer: {conversation} {0}" in prompt.text


def test_a_transcript_is_a_line_a_turn() -> None:
    assert transcript(conversation("Hi", "Hello", "Bye").turns) == "Customer: Hi\nAgent: Hello\nCustomer: Bye"


def test_a_template_that_tells_the_date_tells_the_same_one_every_day(tiny_chat_model: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_chat_model)
    tokenizer.chat_template = (
        "{% if not date_string is defined %}{% set date_string = strftime_now('%d %b %Y') %}{% endif %}"
        "Today: {{ date_string }}\n{% for message in messages %}{{ message['content'] }}<|im_end|>{% endfor %}"
    )
    spec = prompt_spec(TEMPLATE, "", "chat")
    assert render(spec, conversation("Hi"), tokenizer, 500).text.startswith("Today: 26 Jul 2024\n")
    assert end_token(spec, tokenizer) == tokenizer.convert_tokens_to_ids("<|im_end|>")
