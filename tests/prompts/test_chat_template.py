from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from liftbench.errors import UsageError
from liftbench.prompts.render import render
from liftbench.prompts.spec import prompt_spec
from liftbench.records.conversation import Conversation, Turn
from liftbench.records.system import Shot

from ..support.tiny import CHATML

TEMPLATE = "Summarize.\n\n{conversation}"
TALK = Conversation(id="c", turns=(Turn(role="customer", text="Where is it?"), Turn(role="agent", text="Here.")))
SHOT = Shot(id="a", transcript="Customer: Lost.", summary="Lost it.")
SPEC = prompt_spec(TEMPLATE, "", "chat")


@pytest.fixture
def tokenizer(tiny_chat_model: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_chat_model)


# -------------------------------------------------------------------------------------------------------- the clock


@pytest.mark.parametrize(
    ("clock", "shown"),
    [
        ("{{ strftime_now('%Y-%m-%d') }}", "2024-07-26"),
        ('{{- strftime_now("%d %b %Y") -}}', "26 Jul 2024"),
        ("{% set now = strftime_now('%A, %-d %B %Y') %}{{ now | upper }}", "FRIDAY, 26 JULY 2024"),
        ("{{ strftime_now('%H:%M:%S') }}", "00:00:00"),
        ("{{ strftime_now('100%% %d') }}", "100% 26"),
        ("{% if strftime_now is defined %}{{ strftime_now('%Y') | int + 1 }}{% endif %}", "2025"),
        ("{% macro head() %}{{ strftime_now('%j') }}{% endmacro %}{{ head() }}", "208"),
        ("{{ strftime_now() if false else strftime_now(format='%F') }}", "2024-07-26"),
    ],
)
def test_a_template_reads_a_clock_that_stands_still(tokenizer: Any, clock: str, shown: str) -> None:
    tokenizer.chat_template = f"[{clock}]{CHATML}"
    assert render(SPEC, TALK, tokenizer, 500).text.startswith(f"[{shown}]")


@pytest.mark.parametrize("begin", ["\n", "  ", "  {% if true %}x{% endif %}", "\n  {% if true %}x{% endif %}"])
def test_the_clock_changes_no_white_space_of_a_template(tokenizer: Any, begin: str) -> None:
    tokenizer.chat_template = begin + CHATML
    plain = render(SPEC, TALK, tokenizer, 500).text
    tokenizer.chat_template = begin + CHATML + "{% if false %}{{ strftime_now('%d') }}{% endif %}"
    assert render(SPEC, TALK, tokenizer, 500).text == plain


# ----------------------------------------------------------------------------------------------------- its arguments

THINKING = "{% if enable_thinking is defined and not enable_thinking %}<think></think>{% endif %}"


def test_a_templates_arguments_are_given_to_it_and_make_another_prompt(tokenizer: Any) -> None:
    tokenizer.chat_template = CHATML + THINKING
    quiet = prompt_spec(TEMPLATE, "", "chat", template_arguments={"enable_thinking": False})
    assert render(quiet, TALK, tokenizer, 500).text == render(SPEC, TALK, tokenizer, 500).text + "<think></think>"
    loud = prompt_spec(TEMPLATE, "", "chat", template_arguments={"enable_thinking": True})
    assert len({SPEC.sha256, quiet.sha256, loud.sha256}) == 3
    assert prompt_spec(TEMPLATE, "", "chat", template_arguments={}) == SPEC


@pytest.mark.parametrize(
    ("name", "template", "reason"),
    [
        ("enable_thinkin", CHATML + THINKING, "Did you mean 'enable_thinking'"),
        ("enable_thinking", CHATML, "Known: none"),
        ("messages", CHATML, "the suite passes itself"),
        ("tokenize", CHATML + "{{ tokenize }}", "the suite passes itself"),
        ("chat_template", CHATML + "{{ chat_template }}", "the suite passes itself"),
    ],
)
def test_an_argument_that_a_template_does_not_use_is_refused(
    tokenizer: Any, name: str, template: str, reason: str
) -> None:
    tokenizer.chat_template = template
    spec = prompt_spec(TEMPLATE, "", "chat", template_arguments={name: False})
    with pytest.raises(UsageError, match=r"prompt\.template_arguments") as caught:
        render(spec, TALK, tokenizer, 500)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    "template",
    [
        "{% if not effort is defined %}{% set effort = 'low' %}{% endif %}{{ effort }}",
        "{% set effort = effort | default('low') %}{{ effort }}",
        "{% generation %}{{ effort }}{% endgeneration %}",
    ],
)
def test_an_argument_with_a_default_is_one(tokenizer: Any, template: str) -> None:
    tokenizer.chat_template = template + CHATML
    spec = prompt_spec(TEMPLATE, "", "chat", template_arguments={"effort": "high"})
    assert render(spec, TALK, tokenizer, 500).text.startswith("high")


# --------------------------------------------------------------------------------------------------------- its faults

NO_SYSTEM = "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
NO_SHOTS = "{% if messages | length > 1 %}{{ raise_exception('One message, please') }}{% endif %}"


@pytest.mark.parametrize(
    ("template", "given", "reason", "fix"),
    [
        (NO_SYSTEM + CHATML, {"system": "Be brief."}, "System role not supported", "--set prompt.system="),
        (NO_SHOTS + CHATML, {"shots": [SHOT]}, "One message, please", "--set prompt.shots=0"),
        ("{{ messages[0]['content'] + none }}", {}, "can only concatenate", "--set prompt.style=plain"),
        ("{{ messages[5]['content'] }}", {}, "no element 5", "--set prompt.style=plain"),
        ("{% for m in messages %}{{ m.content }}", {}, "endfor", "--set prompt.style=plain"),
        ("{{ messages | unknown_filter }}", {}, "unknown_filter", "--set prompt.style=plain"),
        # A template that leaves out what it does not know: no error of its own, and another prompt.
        ("{% for m in messages if m.role != 'system' %}{{ m.content }}{% endfor %}", {"system": "Be brief."},
         "leaves out or rewrites the system message", "--set prompt.system="),
        ("{% for m in messages %}{% for part in m.content %}{{ part.text }}{% endfor %}{% endfor %}", {},
         "leaves out or rewrites the user's message", "--set prompt.style=plain"),
        ("{{ messages[-1].content[:20] }}", {}, "the user's message", "--set prompt.style=plain"),
        ("{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}", {"shots": [SHOT]},
         "the assistant's messages", "--set prompt.shots=0"),
    ],
)  # fmt: skip
def test_a_template_that_fails_says_why_and_what_helps(
    tokenizer: Any, template: str, given: dict[str, Any], reason: str, fix: str
) -> None:
    tokenizer.chat_template = template
    spec = prompt_spec(TEMPLATE, given.get("system", ""), "chat", shots=given.get("shots", ()))
    with pytest.raises(UsageError) as caught:
        render(spec, TALK, tokenizer, 500)
    assert reason in caught.value.what
    assert fix in caught.value.fix
    assert len(str(caught.value).splitlines()) <= 3


def test_a_template_that_is_no_text_is_named(tokenizer: Any) -> None:
    tokenizer.chat_template = 5
    with pytest.raises(UsageError, match="is no text: 5"):
        render(SPEC, TALK, tokenizer, 500)


def test_templates_without_a_default_are_named(tokenizer: Any) -> None:
    tokenizer.chat_template = {"tool_use": CHATML, "rag": CHATML}
    with pytest.raises(UsageError, match=r"none named default.*\n.*style=plain"):
        render(SPEC, TALK, tokenizer, 500)


def test_a_chat_without_a_template_says_so(tiny_base_model: Path) -> None:
    from transformers import AutoTokenizer

    with pytest.raises(UsageError, match="no chat template"):
        render(SPEC, TALK, AutoTokenizer.from_pretrained(tiny_base_model), 500)


@pytest.mark.parametrize("shown", ["m.content | trim", "m.content | upper", "m.content | replace('\\n', ' ')"])
def test_a_template_may_reflow_what_it_shows(tokenizer: Any, shown: str) -> None:
    tokenizer.chat_template = f"{{% for m in messages %}}{{{{ {shown} }}}}{{% endfor %}}"
    assert "where is it?" in render(SPEC, TALK, tokenizer, 500).text.casefold()
