"""What the code says of itself: docstrings, signatures, fields with their types and defaults, as Markdown."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import NODEFAULT, inspect

from liftbench.extension.describe import documented, field_docs, type_words

PACKAGE = Path(importlib.import_module("liftbench").__file__ or "").parent

# ------------------------------------------------------------------------------------------------------------- Markdown


def one_line(text: str) -> str:
    """Prose without its line breaks, safe in a table cell."""
    return escaped(" ".join(text.split())).replace("|", "\\|")


def escaped(text: str) -> str:
    """`<` outside of code would begin an HTML tag."""
    return "".join(part if at % 2 else part.replace("<", "&lt;") for at, part in enumerate(re.split("(`[^`]*`)", text)))


def first_sentence(text: str) -> str:
    """The first paragraph of a docstring, on one line."""
    return one_line(text.partition("\n\n")[0])


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


# --------------------------------------------------------------------------------------------------------------- source


class Source:
    """One module's source: its classes, functions and constants, with their docstrings."""

    def __init__(self, module: str) -> None:
        spec = importlib.util.find_spec(module)
        assert spec is not None
        assert spec.origin is not None, module
        self.tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))

    def classes(self) -> list[ast.ClassDef]:
        return [node for node in self.tree.body if isinstance(node, ast.ClassDef)]

    def find(self, name: str) -> ast.ClassDef | ast.FunctionDef | None:
        """The class or function of that name."""
        for node in self.tree.body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
                return node
        return None

    def doc(self, name: str) -> str:
        """The docstring of a class, function or constant; empty for none."""
        node = self.find(name)
        return (ast.get_docstring(node) or "") if node else documented(self.tree.body).get(name, "")


def exported(stub: str) -> dict[str, str]:
    """Name that a stub exports → the module that defines it."""
    tree = ast.parse((PACKAGE / stub).read_text(encoding="utf-8"))
    return {
        alias.name: f"liftbench.{node.module}"
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def described(module: str, name: str) -> str:
    """The docstring of a name of the API, which may be a module."""
    if importlib.util.find_spec(module) and (doc := Source(module).doc(name)):
        return doc
    try:
        return ast.get_docstring(Source(f"{module}.{name}").tree) or ""
    except (AssertionError, ModuleNotFoundError):
        return ""


def record(module: str, name: str) -> str:
    """A record's fields; types as they are written, since some are Python objects."""
    node = Source(module).find(name)
    assert isinstance(node, ast.ClassDef)
    docs = documented(node.body)
    rows = [
        (
            f"`{one.target.id}`",
            f"`{ast.unparse(one.annotation)}`".replace("|", "\\|"),
            one_line(docs.get(one.target.id, "")),
        )
        for one in node.body
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)
    ]
    doc = one_line(ast.get_docstring(node) or "")
    return "\n\n".join(filter(None, [f"#### {name}", doc, table(("field", "type", "meaning"), rows)]))


def methods(module: str, name: str) -> str:
    """A class: its docstring, attributes and public methods."""
    node = Source(module).find(name)
    assert isinstance(node, ast.ClassDef)
    docs = documented(node.body)
    attributes = [
        f"- `{ast.unparse(one)}`" + (f": {one_line(docs[one.target.id])}" if one.target.id in docs else "")
        for one in node.body
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name)
    ]
    return "\n\n".join(
        filter(None, [one_line(ast.get_docstring(node) or ""), "\n".join(attributes), functions(node.body)])
    )


def functions(body: Sequence[ast.stmt], *, decorated: str = "") -> str:
    """The public functions of a module or class with signature and docstring; only those decorated so, if told."""
    found = []
    for node in body:
        if not isinstance(node, ast.FunctionDef) or node.name.startswith("_"):
            continue
        marks = [ast.unparse(one) for one in node.decorator_list]
        if decorated and decorated not in marks:
            continue
        lines = "".join(f"@{mark}\n" for mark in marks if mark != decorated)
        head = f"```python\n{lines}def {signature(node)}\n```"
        found.append(f"{head}\n\n{escaped(ast.get_docstring(node) or '')}".rstrip())
    return "\n\n".join(found)


def signature(node: ast.FunctionDef) -> str:
    """A function as it is called, `self` and `cls` left out; in several lines where one is too long."""
    result = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    written = re.sub(r"^(self|cls)(, )?", "", ast.unparse(node.args))
    # At commas outside of brackets.
    arguments = [re.sub(r"^(\w+: [^=]+)=", r"\1 = ", one) for one in re.split(r", (?![^\[]*\])", written)]
    line = f"{node.name}({', '.join(arguments)}){result}"
    if len(line) <= 100:
        return line
    return f"{node.name}(\n{''.join(f'    {one},{chr(10)}' for one in arguments)}){result}"


def docstring(text: str) -> str:
    """A docstring with its sections (`Parameters:`, `Returns:`, …) in Markdown."""
    parts = []
    for paragraph in text.split("\n\n"):
        title, _, body = paragraph.partition(":\n")
        if title not in ("Parameters", "Returns", "Raises", "Example"):
            parts.append(escaped(" ".join(paragraph.split())))
        elif title == "Example":
            lines = [line.strip().removesuffix("# doctest: +SKIP").rstrip() for line in body.splitlines()]
            shown = [line[4:] if line.startswith(">>> ") else f"# {line}" for line in lines]
            parts.append("```python\n" + "\n".join(shown) + "\n```")
        elif title == "Returns":
            parts.append(f"**Returns:** {escaped(' '.join(body.split()))}")
        else:
            # An entry begins at the section's own indent; what is indented further continues it.
            entries = re.split(r"\n {4}(?! )", "\n" + body)[1:]
            listed = [re.sub(r"^([*\w]+): ", r"`\1`: ", " ".join(entry.split())) for entry in entries]
            parts.append(f"**{title}:**\n\n" + "\n".join(f"- {escaped(entry)}" for entry in listed))
    return "\n\n".join(parts)


# --------------------------------------------------------------------------------------------------------------- fields


def link(struct: type) -> str:
    """A struct's name as a link to its heading."""
    return f"[{struct.__name__}](#{struct.__name__.lower()})"


def default_words(field: inspect.Field) -> str:
    """A field's default; `required` where it has none."""
    if field.default_factory is not NODEFAULT:
        return code(field.default_factory())
    if field.default is NODEFAULT:
        return "required"
    if field.default is None:
        return "none"
    return "its own defaults" if isinstance(field.default, msgspec.Struct) else code(field.default)


def code(value: Any) -> str:
    """A value as TOML and JSON write it, safe in a table cell."""
    return f"`{json.dumps(msgspec.to_builtins(value), ensure_ascii=False)}`".replace("|", "\\|")


def fields(struct: type[msgspec.Struct]) -> list[tuple[str, str, str, str]]:
    """A struct's fields: name, type, default, docstring."""
    info = inspect.type_info(struct)
    assert isinstance(info, inspect.StructType)
    docs = field_docs(struct)
    return [
        (
            f"`{field.encode_name}`",
            type_words(field.type, link),
            default_words(field),
            one_line(docs.get(field.name, "")),
        )
        for field in info.fields
    ]
