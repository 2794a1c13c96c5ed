"""What a plugin says of itself, read from its source: docstrings, and the options that a recipe may set.

Nothing but the type of the options is imported, so a plugin can be described whose packages are not installed.
"""

from __future__ import annotations

import ast
import importlib.util
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import NODEFAULT, Struct, inspect

from ..errors import missing_packages
from .loader import PluginFailed, Plugins, plugin_code
from .registry import Spec


class Option(Struct, frozen=True, kw_only=True):
    """A key of a plugin's options."""

    name: str
    """The key; `table.key` for one in a table."""
    type: str
    """Its type in words."""
    required: bool = False
    default: Any = None
    """The value where a recipe sets none."""
    meaning: str
    """Its docstring, on one line."""


class Description(Struct, frozen=True, kw_only=True):
    """A plugin with what its author says of it."""

    spec: Spec
    what: str
    """The first paragraph of its docstring; empty if its source cannot be read."""
    options: list[Option]
    options_what: str
    """The docstring of its options."""
    missing: list[str]
    """Packages that it needs and that are not installed, by their import names."""
    example: str
    """A command that uses it."""


def describe(spec: Spec, plugins: Plugins) -> Description:
    """What is known of a plugin. Raises `PrerequisiteError` if the type of its options cannot be imported."""
    kind = plugins.options_type(spec) if spec.options else None
    options = _options(kind) if kind else []
    module, _, attribute = spec.target.partition(":")
    return Description(
        spec=spec,
        what=_one_line(_docstring(module, attribute).partition("\n\n")[0]),
        options=options,
        options_what=_one_line(_docstring(kind.__module__, kind.__qualname__)) if kind else "",
        missing=missing_packages(spec.requires),
        example=_example(spec, options),
    )


def _options(struct: type[Struct], before: str = "") -> list[Option]:
    info = inspect.type_info(struct)
    assert isinstance(info, inspect.StructType)
    docs = field_docs(struct)
    found = []
    for field in info.fields:
        has_default = field.default is not NODEFAULT or field.default_factory is not NODEFAULT
        option = Option(
            name=before + field.encode_name,
            type=type_words(field.type),
            required=not has_default,
            default=msgspec.to_builtins(_default(field)) if has_default else None,
            meaning=_one_line(docs.get(field.name, "")),
        )
        found.append(option)
        if isinstance(field.type, inspect.StructType):
            found += _options(field.type.cls, f"{option.name}.")
    return found


def _default(field: inspect.Field) -> Any:
    return field.default if field.default_factory is NODEFAULT else field.default_factory()


def field_docs(struct: type[Struct]) -> dict[str, str]:
    """Field → its docstring, inherited ones included."""
    found: dict[str, str] = {}
    for kind in reversed(struct.__mro__):
        node = _find(_tree(kind.__module__), kind.__qualname__) if issubclass(kind, Struct) else None
        if isinstance(node, ast.ClassDef):
            found |= documented(node.body)
    return found


def _example(spec: Spec, options: Sequence[Option]) -> str:
    section = {"trainer": "train", "dataset": "data"}.get(spec.kind, "")
    required = [option.name for option in options if option.required and "." not in option.name]
    shown = [f"{name}=…" for name in required] or [
        f"{option.name}={json.dumps(option.default)}" for option in options if isinstance(option.default, int | float)
    ][:1]
    command = {
        "trainer": f"bench train --plugin {spec.name}",
        "backend": f"bench baseline --backend {spec.name}",
        "metric": f"bench baseline --metric {spec.name}",
        "control": "bench controls",
        "dataset": f"bench baseline --dataset {spec.name}",
        "desk": f"bench data import EXPORT --from {spec.name} --to FOLDER",
        "launcher": f"bench baseline --launcher {spec.name} --workers 4",
    }[spec.kind]
    if spec.kind == "launcher":
        return command + "".join(f" --launcher-option {each}" for each in shown)
    return command + "".join(f" --set {section}.options.{each}" for each in shown)


# --------------------------------------------------------------------------------------------------------------- source


def documented(body: Sequence[ast.stmt]) -> dict[str, str]:
    """Name → the string that stands below its assignment; names without one are left out."""
    found = {}
    for node, below in zip(body, [*body[1:], None], strict=True):
        targets = [node.target] if isinstance(node, ast.AnnAssign) else getattr(node, "targets", [])
        if not isinstance(below, ast.Expr) or not isinstance(below.value, ast.Constant):
            continue
        for target in targets:
            if isinstance(target, ast.Name) and isinstance(below.value.value, str):
                found[target.id] = below.value.value
    return found


def _docstring(module: str, name: str) -> str:
    tree = _tree(module)
    node = _find(tree, name)
    return (ast.get_docstring(node) or "") if node else documented(tree.body).get(name, "")


def _tree(module: str) -> ast.Module:
    """A module's syntax tree; empty if its source cannot be had. Only the packages that it is in are imported."""
    try:
        with plugin_code():
            found = importlib.util.find_spec(module)
        source = Path(found.origin).read_text(encoding="utf-8") if found and found.origin else ""
        return ast.parse(source)
    except (PluginFailed, OSError, SyntaxError, UnicodeDecodeError):
        return ast.Module(body=[], type_ignores=[])


def _find(tree: ast.Module, name: str) -> ast.ClassDef | ast.FunctionDef | None:
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return node
    return None


def _one_line(text: str) -> str:
    return " ".join(text.split())


# ---------------------------------------------------------------------------------------------------------------- types


def type_words(kind: inspect.Type, struct: Callable[[type], str] = lambda kind: f"table {kind.__name__}") -> str:
    """A field's type for people: `text`, `whole number ≥ 1`, `list of text`; `struct` names a struct."""
    match kind:
        case inspect.UnionType(types=types):
            return " or ".join(
                type_words(one, struct) for one in sorted(types, key=lambda one: isinstance(one, inspect.NoneType))
            )
        case inspect.LiteralType(values=values):
            return ", ".join(f"`{json.dumps(value)}`" for value in values)
        case inspect.IntType():
            return "whole number" + _limits(kind)
        case inspect.FloatType():
            return "number" + _limits(kind)
        case inspect.DictType(key_type=key, value_type=value):
            return f"table: {type_words(key, struct)} → {type_words(value, struct)}"
        case inspect.VarTupleType(item_type=item) | inspect.ListType(item_type=item):
            return f"list of {type_words(item, struct)}"
        case inspect.StructType(cls=cls):
            return struct(cls)
    names = {
        inspect.StrType: "text",
        inspect.BoolType: "true or false",
        inspect.NoneType: "none",
        inspect.AnyType: "any",
        inspect.CustomType: "any",
    }
    return names.get(type(kind), type(kind).__name__)


def _limits(kind: inspect.IntType | inspect.FloatType) -> str:
    """` ≥ 1`, ` > 0, < 1`; empty without limits."""
    signs = (("≥", kind.ge), (">", kind.gt), ("≤", kind.le), ("<", kind.lt))
    found = [f"{sign} {limit:g}" for sign, limit in signs if limit is not None]
    return f" {', '.join(found)}" if found else ""
