"""The terminal's description of one plugin."""

from __future__ import annotations

import json

from rich.console import Group, RenderableType
from rich.text import Text

from ...extension.describe import Description, Option
from .text import new_table, plain


def describe_plugin(one: Description) -> RenderableType:
    """What a plugin is and where it comes from, a table of its options, and a command that uses it."""
    spec = one.spec
    install = spec.install or " ".join(one.missing)
    facts = [
        ("", spec.summary),
        ("", one.what),
        ("from", f"{spec.distribution} (plugin {spec.plugin}): {spec.target}"),
        ("needs", ", ".join(spec.requires)),
        ("not installed", f"{', '.join(one.missing)} (pip install '{install}')" if one.missing else ""),
        ("example", one.example),
    ]
    lines = [plain(f"{spec.kind} {spec.name}", "bold")]
    lines += [plain(f"{label}: {words}" if label else words) for label, words in facts if words]
    if not one.options:
        return Group(*lines)
    table = new_table()
    for column in ("option", "type", "default", "meaning"):
        table.add_column(column, overflow="fold")
    for option in one.options:
        table.add_row(*(plain(words) for words in (option.name, option.type, _default(option), option.meaning)))
    return Group(*lines, Text(), plain(one.options_what), table)


def _default(option: Option) -> str:
    if option.required:
        return "required"
    return "none" if option.default is None else json.dumps(option.default, ensure_ascii=False)
