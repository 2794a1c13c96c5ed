"""Renders messages through a model's own chat template: the same every day, and with errors in words.

A chat template is foreign code: it may read the clock, refuse a role, or leave a message out without a word.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ..errors import UsageError, first_line, unknown
from ..records.system import PromptSpec

if TYPE_CHECKING:
    from jinja2 import nodes

DATE = "26 Jul 2024"
"""The date for chat templates that tell the model today's date. A run that is resumed tomorrow, and an adapter that is
trained today, must see the same prompt. Llama 3.x falls back to this date itself."""

MIDNIGHT = datetime.strptime(DATE, "%d %b %Y")

CLOCK = "strftime_now"
"""The function with which a template reads the clock (Llama 3.2, Mistral, gpt-oss)."""

TAKEN = ("messages", "add_generation_prompt", CLOCK)
"""What the suite passes to every template itself."""

RENDERING = (
    "conversation",
    "chat_template",
    "continue_final_message",
    "tokenize",
    "padding",
    "truncation",
    "max_length",
    "return_tensors",
    "return_dict",
    "return_assistant_tokens_mask",
    "tokenizer_kwargs",
)
"""Arguments of the rendering, which never come to a template."""

PROVIDED = ("raise_exception", "namespace", "dict", "range", "tools", "documents")
"""Other names in templates that are nobody's arguments."""

Message = dict[str, str]

NAMES = {
    "system": "the system message",
    "user": "the user's message, with the conversation in it",
    "assistant": "the assistant's messages",
}


def apply_template(messages: Sequence[Message], spec: PromptSpec, tokenizer: Any, *, open_answer: bool) -> str:
    """The text of some messages; with `open_answer`, up to where the model's answer begins.

    Raises `UsageError` if there is no template, if it fails, if it does not use one of the prompt's template arguments,
    or if it leaves out what a message says.
    """
    template = chat_template(tokenizer)
    given = spec.template_arguments or {}
    for name in given:
        _check_argument(name, template)
    options: dict[str, Any] = {"date_string": DATE, **given}
    if CLOCK in template:
        options["chat_template"] = freeze_clock(template)
    try:
        text: str = tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=open_answer, **options
        )
    except Exception as error:  # whatever a foreign template raises
        raise UsageError(
            f"the model's chat template cannot render the prompt: {first_line(error)}", _advice(spec)
        ) from error
    for message in messages:
        if not _is_shown(message["content"], text):
            raise UsageError(
                f"the model's chat template leaves out or rewrites {NAMES[message['role']]}", _advice(spec)
            )
    return text


def chat_template(tokenizer: Any) -> str:
    """The source of a tokenizer's chat template. Raises `UsageError` if it has none."""
    try:
        template: object = tokenizer.get_chat_template()
    except (AttributeError, ValueError) as error:
        raise UsageError(
            "prompt.style is 'chat', but the model has no chat template (where there are several, none named default)",
            "Use --set prompt.style=plain.",
        ) from error
    if not isinstance(template, str):
        raise UsageError(
            f"the model's chat template is no text: {template!r}", "Repair it, or use --set prompt.style=plain."
        )
    return template


def freeze_clock(template: str) -> str:
    """The template with a clock that always shows `DATE`, at midnight.

    transformers puts its own clock into every template; a macro of the same name comes before it.
    """
    shown = "format | replace('%%', '\ufdef')"
    for directive in sorted(set(re.findall(r"%[-_0^#]?[A-Za-z]", template)), key=lambda text: (-len(text), text)):
        shown += f" | replace('{directive}', '{MIDNIGHT.strftime(directive)}')"
    shown += " | replace('\ufdef', '%')"
    # The line ends after the macro, and Jinja drops that line end: so the template begins at a line's start as before.
    return f"{{%- macro {CLOCK}(format) -%}}{{{{ {shown} }}}}{{%- endmacro %}}\n{template}"


@lru_cache
def literals(template: str) -> str:
    """The texts that a template writes by itself, separated by null characters."""
    from jinja2 import nodes

    tree = _parse(template)
    if tree is None:
        return template
    texts = {node.data for node in tree.find_all(nodes.TemplateData)}
    texts |= {node.value for node in tree.find_all(nodes.Const) if isinstance(node.value, str)}
    return "\0".join(sorted(texts))


@lru_cache
def _variables(template: str) -> frozenset[str] | None:
    from jinja2 import meta

    tree = _parse(template)
    return None if tree is None else frozenset(meta.find_undeclared_variables(tree))


def _parse(template: str) -> nodes.Template | None:
    """The template's syntax tree; None if only transformers' own parser could read it."""
    from jinja2 import Environment, TemplateSyntaxError

    # Of transformers' additions to Jinja, only this pair of tags matters to a parser.
    plain = re.sub(r"\{%([-+]?)\s*(?:end)?generation\s*([-+]?)%\}", "", template)
    try:
        return Environment(autoescape=False, extensions=["jinja2.ext.loopcontrols"]).parse(plain)
    except TemplateSyntaxError:
        return None


def _check_argument(name: str, template: str) -> None:
    if name in (*TAKEN, *RENDERING):
        raise UsageError(
            f"prompt.template_arguments must not hold {name!r}, which the suite passes itself", "Leave it out."
        )
    variables = _variables(template)
    if variables is not None and name not in variables:
        known = {one for one in variables if not one.endswith("_token")} - {*TAKEN, *PROVIDED}
        raise unknown("argument of the model's chat template", name, known).within("prompt.template_arguments")


def _is_shown(content: str, text: str) -> bool:
    # A template may strip or reflow a text, but not drop it.
    return content.strip() in text or _squeeze(content) in _squeeze(text)


def _squeeze(text: str) -> str:
    return "".join(text.split()).casefold()


def _advice(spec: PromptSpec) -> str:
    options = ["--set prompt.system= (no system message)"] if spec.system else []
    options += ["--set prompt.shots=0 (no examples)"] if spec.shots else []
    return f"Try {', or '.join([*options, '--set prompt.style=plain (no chat template)'])}."
