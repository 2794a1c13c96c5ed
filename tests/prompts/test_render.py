from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liftbench.errors import UsageError
from liftbench.prompts.render import GAP, completion_ids, cut_text, end_token, finish_text, is_cut, render
from liftbench.prompts.spec import choose_shots, prompt_spec
from liftbench.records.conversation import Conversation, Turn
from liftbench.records.system import PromptSpec, Shot
from liftbench.text.transcript import transcript

TEMPLATE = "Summarize.\n\n{conversation}"
SHOTS = (
    Shot(id="a", transcript="Customer: Lost.\nAgent: Found.", summary="Customer lost. Agent found."),
    Shot(id="b", transcript="Customer: Broken.", summary="Customer broke it."),
)


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
    eos_token_id: int | None = 2
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
    assert isinstance(end, int)
    assert chat.convert_ids_to_tokens(end) == "<|im_end|>"
    ids = completion_ids("  Asks about an order.\n", end, chat)
    assert chat.decode(ids) == "Asks about an order.<|im_end|>"
    assert ids.count(end) == 1


def test_the_end_of_a_plain_answer_is_eos(base: Any) -> None:
    assert end_token(prompt_spec(TEMPLATE, "", "plain"), base) == base.eos_token_id


def test_a_tokenizer_without_an_end_is_refused() -> None:
    class Endless(BosTokenizer):
        eos_token_id = None

    with pytest.raises(UsageError, match="cannot learn to stop"):
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


def test_the_hash_sees_all_of_a_prompt() -> None:
    specs = [
        prompt_spec(TEMPLATE, "", "chat"),
        prompt_spec(TEMPLATE, "", "plain"),
        prompt_spec(TEMPLATE + " ", "", "chat"),
        prompt_spec(TEMPLATE, "x", "chat"),
        prompt_spec(TEMPLATE, "", "chat", prefill="x"),
        prompt_spec(TEMPLATE, "", "chat", shots=SHOTS),
        prompt_spec(TEMPLATE, "", "chat", shots=SHOTS[:1]),
        prompt_spec(TEMPLATE, "", "chat", stop=["x"]),
        prompt_spec(TEMPLATE, "", "chat", stop=["x", "y"]),
        prompt_spec(TEMPLATE, "", "chat", max_words=3),
    ]
    assert len({spec.sha256 for spec in specs}) == len(specs)


def test_a_prompt_that_older_adapters_know_keeps_its_hash() -> None:
    known = hashlib.sha256(f"chat\0\0{TEMPLATE}".encode()).hexdigest()
    assert prompt_spec(TEMPLATE, "", "chat").sha256 == known


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


# --------------------------------------------------------------------------------------- prefill, shots and the end


@pytest.mark.parametrize("style", ["chat", "plain"])
def test_a_prefill_follows_the_ids_of_the_same_prompt_without_it(chat: Any, base: Any, style: Any) -> None:
    tokenizer = chat if style == "chat" else base
    bare = render(prompt_spec(TEMPLATE, "", style), conversation("Hi"), tokenizer, 500)
    spec = prompt_spec(TEMPLATE, "", style, prefill=" Customer is complaining ")
    prompt = render(spec, conversation("Hi"), tokenizer, 500)
    assert prompt.text == bare.text + "Customer is complaining"
    assert prompt.token_ids[: len(bare.token_ids)] == bare.token_ids
    assert tokenizer.decode(prompt.token_ids) == prompt.text
    assert prompt.sha256 != bare.sha256


def test_a_prefill_brings_no_second_bos() -> None:
    spec = prompt_spec(TEMPLATE, "", "plain", prefill="Customer is", shots=SHOTS)
    assert render(spec, conversation("Hi"), BosTokenizer(), 500).token_ids.count(1) == 1


def test_shots_are_turns_of_a_chat(chat: Any) -> None:
    spec = prompt_spec(TEMPLATE, "Be brief.", "chat", shots=SHOTS[:1], prefill="Customer")
    assert render(spec, conversation("Hi"), chat, 500).text == (
        "<|im_start|>system\nBe brief.<|im_end|>\n"
        "<|im_start|>user\nSummarize.\n\nCustomer: Lost.\nAgent: Found.<|im_end|>\n"
        "<|im_start|>assistant\nCustomer lost. Agent found.<|im_end|>\n"
        "<|im_start|>user\nSummarize.\n\nCustomer: Hi<|im_end|>\n"
        "<|im_start|>assistant\nCustomer"
    )


def test_shots_repeat_the_plain_frame(base: Any) -> None:
    spec = prompt_spec(TEMPLATE, "Be brief.", "plain", shots=SHOTS)
    assert render(spec, conversation("Hi"), base, 500).text == (
        "Be brief.\n\n"
        "Summarize.\n\nCustomer: Lost.\nAgent: Found.\n\nSummary:\nCustomer lost. Agent found.\n\n"
        "Summarize.\n\nCustomer: Broken.\n\nSummary:\nCustomer broke it.\n\n"
        "Summarize.\n\nCustomer: Hi\n\nSummary:\n"
    )


def test_braces_in_a_shot_are_left_alone(base: Any) -> None:
    shot = Shot(id="a", transcript="Customer: {conversation}", summary="{message}")
    text = render(prompt_spec(TEMPLATE, "", "plain", shots=[shot]), conversation("Hi"), base, 500).text
    assert text.startswith("Summarize.\n\nCustomer: {conversation}\n\nSummary:\n{message}\n\nSummarize.")


def test_the_conversation_is_shortened_and_never_the_shots_or_the_prefill() -> None:
    spec = prompt_spec(TEMPLATE, "", "plain", shots=SHOTS, prefill="Customer is complaining")
    talk = conversation("first", "b " * 30, "c " * 30, "d " * 30, "last")
    prompt = render(spec, talk, BosTokenizer(), 70)
    assert len(prompt.token_ids) <= 70
    assert prompt.turns_dropped > 0
    assert prompt.text.endswith("Summary:\nCustomer is complaining")
    assert all(shot.transcript in prompt.text and shot.summary in prompt.text for shot in SHOTS)


def test_shots_that_leave_no_room_are_an_error() -> None:
    with pytest.raises(UsageError, match="with its 2 shots is longer than the limit of 20 tokens"):
        render(prompt_spec(TEMPLATE, "", "plain", shots=SHOTS), conversation("Hi"), BosTokenizer(), 20)


@pytest.mark.parametrize(
    ("told", "generated", "text", "cut"),
    [
        ({}, "  A text. \n", "A text.", False),
        ({}, "", "", False),
        ({"prefill": "Customer is"}, " angry.\n", "Customer is angry.", False),
        ({"prefill": "Customer is "}, " angry.", "Customer is angry.", False),
        # The model may go on with the prefill's last word.
        ({"prefill": "Customer"}, "s are angry.", "Customers are angry.", False),
        ({"prefill": "Customer"}, "", "Customer", False),
        ({"stop": ["\n"]}, "\n\nOne line.\nAnother.", "One line.", True),
        ({"stop": ["\n"]}, "One line.\n", "One line.", False),
        ({"stop": ["\n"]}, "One line.", "One line.", False),
        ({"stop": ["Agent:", "Customer:"]}, "Yes. Customer: Hi Agent: Oh", "Yes.", True),
        ({"stop": ["no"], "prefill": "Customer now"}, " is not here", "Customer now is", True),
        ({"stop": ["\n"], "prefill": "Customer"}, "\nAgent", "Customer", True),
        ({"max_words": 3}, "one two three", "one two three", False),
        ({"max_words": 3}, " one  two\nthree, four", "one  two\nthree,", True),
        ({"max_words": 3, "prefill": "one two"}, " three four", "one two three", True),
        ({"max_words": 3, "stop": ["two"]}, "one two three four", "one", True),
        ({"max_words": 1, "stop": ["two"]}, "one and two", "one", True),
    ],
)
def test_how_a_text_ends(told: dict[str, Any], generated: str, text: str, cut: bool) -> None:
    spec = prompt_spec(TEMPLATE, "", "chat", **told)
    assert finish_text(spec, generated) == text
    assert is_cut(spec, generated) is cut


def test_an_empty_stop_string_is_refused() -> None:
    with pytest.raises(UsageError, match=r"prompt\.stop"):
        prompt_spec(TEMPLATE, "", "chat", stop=["\n", ""])


@given(
    st.text(alphabet="ab .\n", max_size=60),
    st.text(alphabet="ab ", max_size=6),
    st.lists(st.text(alphabet="ab.\n", min_size=1, max_size=3), max_size=2),
    st.integers(0, 6),
)
def test_cutting_later_is_cutting_at_once(generated: str, prefill: str, stop: list[str], max_words: int) -> None:
    def spec(**told: Any) -> PromptSpec:
        return prompt_spec(TEMPLATE, "", "chat", prefill=prefill, **told)

    cut = spec(stop=stop, max_words=max_words)
    text = finish_text(cut, generated)
    assert cut_text(cut, finish_text(spec(), generated)) == text
    assert cut_text(cut, text) == text
    assert finish_text(spec(), generated).startswith(text)
    assert text.startswith(cut.prefill) or max_words
    assert not any(string in text[len(cut.prefill) :] for string in stop)
    assert not max_words or len(text.split()) <= max_words


def with_references(number: int, length: int, *references: str) -> Conversation:
    turns = tuple(Turn(role="customer", text="word " * length) for _ in range(2))
    return Conversation(id=f"c{number}", turns=turns, references=references)


def test_shots_are_short_conversations_with_typical_summaries() -> None:
    talks = [
        with_references(0, 50, "Customer asks for a refund. Agent agrees."),
        with_references(1, 2, "Quite unlike all others!"),
        with_references(2, 3, "Something else.", "Customer asks for a parcel. Agent agrees."),
        with_references(3, 60, "Customer asks for a parcel. Agent agrees."),
        with_references(4, 1),
        *(with_references(number, 70, "Customer asks for a seat. Agent agrees.") for number in range(5, 9)),
    ]
    shots = choose_shots(talks, 3)
    # The shorter quarter first, the typical ones of it before others; then the rest.
    assert [shot.id for shot in shots[:2]] == ["c2", "c1"]
    assert shots[0].summary == "Customer asks for a parcel. Agent agrees."
    assert shots[0].transcript == transcript(talks[2].turns)
    assert choose_shots(talks[::-1], 2) == shots[:2]
    assert choose_shots(talks, 0) == ()
    with pytest.raises(UsageError, match="8 conversations with a summary"):
        choose_shots(talks, 9)
