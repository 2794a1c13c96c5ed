from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from liftbench.errors import UsageError
from liftbench.prompts.ending import Ending, end_token, ending
from liftbench.prompts.render import completion_ids
from liftbench.prompts.spec import prompt_spec

from ..support.tiny import CHATML

SPEC = prompt_spec("Summarize.\n\n{conversation}", "", "chat")

ROLES = "{% for m in messages %}{{ m.role }}: {{ m.content }}{% if m.role == 'assistant' %}END{% endif %}{% endfor %}"


def template(end: str) -> str:
    return ROLES.replace("END", "{{ '' }}" + end)  # Jinja drops a line end after a tag


@pytest.fixture
def tokenizer(tiny_chat_model: Path) -> Any:
    from transformers import AddedToken, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_chat_model)
    tokenizer.add_tokens([AddedToken("<|eot|>", special=False, normalized=False)])
    tokenizer.eos_token = "<|endoftext|>"
    return tokenizer


@pytest.mark.parametrize(
    ("source", "target", "tokens", "texts"),
    [
        (CHATML, "<|im_end|>", ["<|im_end|>"], []),
        (template("<|eot|>\n"), "<|eot|>", ["<|eot|>"], []),
        (template(" {{ eos_token }}"), "<|endoftext|>", ["<|endoftext|>"], []),
        (template("</s>"), "</s>", [], ["</s>"]),
        (template("\n### End\n\n"), "\n### End", [], ["\n### End"]),
        (template("\n\nUser:"), "\n\nUser:", [], ["\n\nUser:"]),
        (template(" [END] "), " [END]", [], ["[END]"]),
        (template("\n### End<|eot|>"), "\n### End<|eot|>", ["<|eot|>"], ["\n### End"]),
        # Only after the last answer, or only between two messages.
        (template("{% if loop.last %}<|im_end|>{% endif %}"), "<|im_end|>", ["<|im_end|>"], []),
        (
            template("{% if not loop.last %}<|im_end|>{% endif %}"),
            "<|endoftext|>",
            ["<|endoftext|>", "<|im_end|>"],
            [],
        ),
        # Nothing but what opens the next message.
        (template(""), "<|endoftext|>", ["<|endoftext|>"], []),
        (template("\n\n"), "<|endoftext|>", ["<|endoftext|>"], ["\n\nuser:"]),
        (
            "{% for m in messages %}<|eot|>{{ m.content }}{% endfor %}",
            "<|endoftext|>",
            ["<|endoftext|>", "<|eot|>"],
            [],
        ),
        ("{% for m in messages %}{{ m.content }}\n{% endfor %}", "<|endoftext|>", ["<|endoftext|>"], []),
        # A template that puts thoughts before the answer.
        (
            "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' %}<think>\n\n</think>\n\n"
            "{{ m.content.split('</think>')[-1] }}{% else %}{{ m.content }}{% endif %}<|im_end|>\n{% endfor %}"
            "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}",
            "<|im_end|>",
            ["<|im_end|>"],
            [],
        ),
    ],
)
def test_an_answer_ends_where_the_template_ends_it(
    tokenizer: Any, source: str, target: str, tokens: list[str], texts: list[str]
) -> None:
    tokenizer.chat_template = source
    found = ending(SPEC, tokenizer)
    assert tokenizer.decode(found.ids) == target
    assert tokenizer.convert_ids_to_tokens(list(found.tokens)) == tokens
    assert list(found.texts) == texts
    written = completion_ids(" Asks about an order. ", end_token(SPEC, tokenizer), tokenizer)
    assert tokenizer.decode(written) == f"Asks about an order.{target}"


@pytest.mark.parametrize("end", ["</s>", "\n### End", "\n\nUser:", "[END]"])
def test_what_training_writes_ends_a_generated_text(tokenizer: Any, end: str) -> None:
    tokenizer.chat_template = template(end)
    found = ending(SPEC, tokenizer)
    written = tokenizer.decode(completion_ids("Asks about an order.", found.ids, tokenizer))
    assert written[: found.find(written)] == "Asks about an order."


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("The User: said", -1),
        ("Yes.\n\nUser: No", 4),
        ("User: No", 0),
        ("Yes.\nUser:", -1),
        ("Yes.</s>\n\nUser:", 4),
        ("", -1),
    ],
)
def test_the_first_end_counts_and_a_line_end_must_stand_before_it(text: str, place: int) -> None:
    assert Ending(ids=(1,), texts=("\n\nUser:", "</s>")).find(text) == place


@pytest.mark.parametrize(
    "source",
    [
        "{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}",
        "{% for m in messages %}{{ m.content | upper }}{% endfor %}",
        "{% for m in messages %}{{ m.content[:9] }}{% endfor %}",
        "{{ raise_exception('no') }}",
    ],
)
def test_a_template_that_does_not_show_answers_is_refused(tokenizer: Any, source: str) -> None:
    tokenizer.chat_template = source
    with pytest.raises(UsageError, match="chat template") as caught:
        ending(SPEC, tokenizer)
    assert "prompt.style=plain" in caught.value.fix


def test_without_eos_an_answer_ends_where_the_next_message_begins(tokenizer: Any) -> None:
    tokenizer.chat_template = template("\n")
    tokenizer.eos_token = None
    assert tokenizer.decode(ending(SPEC, tokenizer).ids) == "\nuser:"
    tokenizer.chat_template = "{% for m in messages %}{{ m.content }}\n{% endfor %}"
    with pytest.raises(UsageError, match="cannot learn to stop"):
        ending(SPEC, tokenizer)
