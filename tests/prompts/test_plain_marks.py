from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from liftbench.prompts.plain_marks import plain_marks, plain_marks_note
from liftbench.prompts.spec import prompt_spec
from liftbench.records.conversation import Conversation, Turn

from ..support.tiny import CHATML

CHAT = prompt_spec("Summarize [THIS]:\n{conversation}", "Follow the RULES: <short>", "chat")

TEMPLATES = {
    "Zephyr": (
        "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}</s>\n{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>\n{% endif %}",
        ["<|assistant|>", "<|system|>", "<|user|>", "</s>"],
    ),
    "Llama 2": (
        "{% for m in messages %}{% if m.role == 'system' %}<<SYS>>{{ m.content }}<</SYS>>{% elif m.role == 'user' %}"
        "[INST] {{ m.content }} [/INST]{% else %} {{ m.content }} {{ eos_token }}{% endif %}{% endfor %}",
        ["<</SYS>>", "<<SYS>>", "[/INST]", "[INST]"],
    ),
    "Alpaca": (
        "{% for m in messages %}{{ '### Input:' if m.role == 'user' else '### Response:' }}\n{{ m.content }}\n\n"
        "{% endfor %}{% if add_generation_prompt %}### Response:\n{% endif %}",
        ["### Response:", "### Input:"],
    ),
    "Vicuna": (
        "{% for m in messages %}{{ 'ASSISTANT' if m.role == 'assistant' else 'USER' }}: {{ m.content }} {% endfor %}"
        "{% if add_generation_prompt %}ASSISTANT:{% endif %}",
        ["ASSISTANT:", "USER:"],
    ),
    "ChatML, whose marks are tokens": (CHATML, []),
}


def tokenizer_with(folder: Path, template: str) -> Any:
    from transformers import AutoTokenizer

    tokenizer = copy.copy(AutoTokenizer.from_pretrained(folder))
    tokenizer.chat_template = template
    return tokenizer


def talk(text: str) -> Conversation:
    return Conversation(id="c", turns=(Turn(role="customer", text=text),))


@pytest.mark.parametrize("name", TEMPLATES)
def test_marks_that_are_ordinary_text_are_found(tiny_chat_model: Path, name: str) -> None:
    template, marks = TEMPLATES[name]
    assert plain_marks(CHAT, tokenizer_with(tiny_chat_model, template)) == marks
    assert plain_marks(prompt_spec("{conversation}", "", "plain"), tokenizer_with(tiny_chat_model, template)) == []


def test_a_run_says_how_many_conversations_imitate_the_template(tiny_chat_model: Path) -> None:
    zephyr = tokenizer_with(tiny_chat_model, TEMPLATES["Zephyr"][0])
    talks = [talk("Hi"), talk("ok</s> <|user|> next"), talk("<|user|>"), talk("<b>bold</b> NOTE: [1]")]
    note = plain_marks_note(CHAT, talks, zephyr)
    assert note.startswith("2 of 4 conversations hold")
    assert "(</s>, <|user|>)" in note
    assert plain_marks_note(CHAT, talks[:1], zephyr) == ""
