"""Writes `docs/reference/`: recipe keys, the run format, hooks and command-line options, from the code itself.

`python docs/generate.py` (or `make docs`) writes the pages; `tests/test_docs.py` fails where a page is out of date.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec
from msgspec import NODEFAULT, inspect

from liftbench.cli.main import cli
from liftbench.recipe.sections import Recipe

REFERENCE = Path(__file__).resolve().parent / "reference"
PACKAGE = Path(importlib.import_module("liftbench").__file__ or "").parent

NOTE = "<!-- Written by docs/generate.py: change the code or the script, then run `make docs`. -->"

OPTIONS = (
    ("train.options", "trainer `qlora`", "liftbench_plugins.trainers.options:QLoRAOptions"),
    ("data.options", "data set `datasets`", "liftbench_plugins.datasets.mapped:MappedOptions"),
)
"""Recipe key, plugin, and the type of its options."""

RECORDS = ("run", "system", "training", "prompt_search", "conversation")
"""Modules of `liftbench.records`, in the order of the page; others follow by name."""

BASES = {
    "Trainer": ("TrainRequest", "TrainResult"),
    "Metric": ("MetricRequest",),
    "Control": ("ControlRequest",),
    "Dataset": ("Conversation", "Turn"),
    "Backend": ("BackendRequest", "Generation"),
}
"""What a plugin implements, with the records that it is given and gives back."""

COMMON = 5
"""Commands that must share an option before it is listed once for all of them."""


def pages() -> dict[str, str]:
    """File name → text of every generated page."""
    return {
        "recipe-keys.md": recipe_keys(),
        "run-format.md": run_format(),
        "hooks.md": hooks(),
        "cli.md": command_line(),
    }


# ------------------------------------------------------------------------------------------------------- reading source


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


def page(title: str, intro: str, sections: Iterable[str]) -> str:
    """A page with its note, title and sections."""
    return "\n\n".join([NOTE, f"# {title}", intro, *sections]) + "\n"


# ---------------------------------------------------------------------------------------------------------------- types


def type_words(kind: inspect.Type) -> str:
    """A field's type for people: `text`, `whole number ≥ 1`, `list of text`."""
    match kind:
        case inspect.UnionType(types=types):
            return " or ".join(
                type_words(one) for one in sorted(types, key=lambda one: isinstance(one, inspect.NoneType))
            )
        case inspect.LiteralType(values=values):
            return ", ".join(f"`{json.dumps(value)}`" for value in values)
        case inspect.IntType():
            return "whole number" + limits(kind)
        case inspect.FloatType():
            return "number" + limits(kind)
        case inspect.DictType(key_type=key, value_type=value):
            return f"table: {type_words(key)} → {type_words(value)}"
        case inspect.VarTupleType(item_type=item) | inspect.ListType(item_type=item):
            return f"list of {type_words(item)}"
        case inspect.StructType(cls=cls):
            return f"[{cls.__name__}](#{cls.__name__.lower()})"
    names = {
        inspect.StrType: "text",
        inspect.BoolType: "true or false",
        inspect.NoneType: "none",
        inspect.AnyType: "any",
        inspect.CustomType: "any",
    }
    return names.get(type(kind), type(kind).__name__)


def limits(kind: inspect.IntType | inspect.FloatType) -> str:
    """` ≥ 1`, ` > 0, < 1`; empty without limits."""
    signs = (("≥", kind.ge), (">", kind.gt), ("≤", kind.le), ("<", kind.lt))
    found = [f"{sign} {limit:g}" for sign, limit in signs if limit is not None]
    return f" {', '.join(found)}" if found else ""


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
    node = Source(struct.__module__).find(struct.__name__)
    assert isinstance(node, ast.ClassDef)
    docs = documented(node.body)
    return [
        (
            f"`{field.encode_name}`",
            type_words(field.type),
            default_words(field),
            one_line(docs.get(field.name, "")),
        )
        for field in info.fields
    ]


# ---------------------------------------------------------------------------------------------------------- recipe keys


def recipe_keys() -> str:
    """Every section and key of a recipe, and the options of the plugins that ship with the package."""
    header = ("key", "type", "default", "meaning")
    top = []
    sections = []
    for field, row in zip(msgspec.structs.fields(Recipe), fields(Recipe), strict=True):
        if isinstance(field.default, msgspec.Struct):
            kind = type(field.default)
            sections.append(f"## [{field.encode_name}]\n\n{described_fields(kind, header)}")
        else:
            top.append(row)
    for key, plugin, target in OPTIONS:
        options = load(target)
        sections.append(f"## {key} of the {plugin}\n\n{described_fields(options, header)}")
        sections += [f"### {kind.__name__}\n\n{described_fields(kind, header)}" for kind in nested(options)]
    intro = (
        "A recipe is a TOML file; every key has a default. `--set SECTION.KEY=VALUE` sets any of them on the command "
        "line. [Recipes](../recipes.md) explains how they are used."
    )
    return page("Recipe keys", intro, [f"## Top level\n\n{table(header, top)}", *sections])


def nested(struct: type[msgspec.Struct]) -> list[type[msgspec.Struct]]:
    """The structs that a struct's fields hold."""
    info = inspect.type_info(struct)
    assert isinstance(info, inspect.StructType)
    return [field.type.cls for field in info.fields if isinstance(field.type, inspect.StructType)]


def described_fields(struct: type[msgspec.Struct], header: Sequence[str]) -> str:
    """A struct's docstring, and the table of its fields."""
    return f"{first_sentence(Source(struct.__module__).doc(struct.__name__))}\n\n{table(header, fields(struct))}"


def load(target: str) -> Any:
    """What `package.module:attribute` names."""
    module, _, attribute = target.partition(":")
    return getattr(importlib.import_module(module), attribute)


# ----------------------------------------------------------------------------------------------------------- run format


def run_format() -> str:
    """Every record that a run directory or a data set holds."""
    folder = PACKAGE / "records"
    names = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    ordered = [name for name in RECORDS if name in names] + sorted(names - set(RECORDS))
    sections = []
    for name in ordered:
        module = importlib.import_module(f"liftbench.records.{name}")
        source = Source(module.__name__)
        sections.append(f"## records/{name}.py\n\n{one_line(ast.get_docstring(source.tree) or '')}")
        for node in source.classes():
            kind = getattr(module, node.name)
            if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
                doc = one_line(ast.get_docstring(node) or "")
                rows = table(("field", "type", "default", "meaning"), fields(kind))
                sections.append(f"### {node.name}\n\n{doc}\n\n{rows}")
    intro = (
        "The records that a run directory holds, field by field: JSON in `.json`, one record a line in `.jsonl`. "
        "[Run format](../run-format.md) says which file holds which record."
    )
    return page("Run format: records", intro, sections)


# ---------------------------------------------------------------------------------------------------------------- hooks


def hooks() -> str:
    """The hooks, what `bench_register` is handed, the base classes, and every name that a plugin may use."""
    api = plugin_names()
    implemented = []
    for base, records in BASES.items():
        implemented.append(f"### {base}\n\n{methods(api[base], base)}")
        implemented += [record(api[name], name) for name in records]
    names = [(f"`{name}`", first_sentence(described(module, name))) for name, module in sorted(api.items())]
    sections = [
        f"## Hooks\n\n{functions(Source('liftbench.extension.hooks').tree.body, decorated='hookspec')}",
        f"## Registry\n\n{methods('liftbench.extension.registry', 'Registry')}",
        "## What plugins implement",
        *implemented,
        f"## Every name of `liftbench.plugin_api`\n\n{table(('name', 'what it is'), names)}",
    ]
    intro = (
        "Everything that a plugin may use is in `liftbench.plugin_api`; anything else may change without notice. "
        "[Plugins](../plugins.md) has a worked example."
    )
    return page("Hooks and the plugin API", intro, sections)


def plugin_names() -> dict[str, str]:
    """Name in `liftbench.plugin_api` → the module that defines it."""
    tree = ast.parse((PACKAGE / "plugin_api.pyi").read_text(encoding="utf-8"))
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
        lines = "\n".join(f"@{mark}" for mark in marks if mark != decorated)
        result = f" -> {ast.unparse(node.returns)}" if node.returns else ""
        signature = f"def {node.name}({arguments(node)}){result}"
        head = f"```python\n{lines + chr(10) if lines else ''}{signature}\n```"
        found.append(f"{head}\n\n{escaped(ast.get_docstring(node) or '')}".rstrip())
    return "\n\n".join(found)


def arguments(node: ast.FunctionDef) -> str:
    """A function's parameters, `self` and `cls` left out."""
    return ast.unparse(node.args).removeprefix("self, ").removeprefix("cls, ").removeprefix("self").removeprefix("cls")


# --------------------------------------------------------------------------------------------------------- command line


def command_line() -> str:
    """Every command with its arguments and options; options that many commands share are listed once."""
    found = list(commands(cli, "bench"))
    shared = Counter(option_row(option) for _, command in found for option in options(command))
    common = [row for row, count in shared.items() if count >= COMMON]
    sections = [f"## Common options\n\nEach command names those that it takes.\n\n{options_table(common)}"]
    sections += [describe_command(path, command, common) for path, command in found]
    intro = (
        "Options win over the environment, which wins over the recipe, which wins over the defaults. Exit codes: 0 "
        "done (`bench compare`: the lift is verified; `bench gate`: every rule passed), 1 not so, 2 wrong usage, 3 "
        "something needed is missing, 4 a run failed. `bench --debug COMMAND` shows the traceback of an error."
    )
    return page("Command line", intro, sections)


def commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    """Every command below a group with its full name, in the order of the help."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def options(command: click.Command) -> list[click.Option]:
    """The options that a command's help shows."""
    return [one for one in command.params if isinstance(one, click.Option) and not one.hidden]


def option_row(option: click.Option) -> tuple[str, str]:
    """An option as it is typed, and its help with default and environment variable."""
    value = "" if option.is_flag else f" {option.make_metavar(click.Context(cli))}"
    extras = []
    if option.show_default and option.default is not None and not option.is_flag:
        extras.append(f"default: `{option.default}`")
    if option.show_envvar and option.envvar:
        extras.append(f"env: `{option.envvar}`")
    words = one_line(option.help or "") + (f" ({'; '.join(extras)})" if extras else "")
    return f"`{', '.join([*option.opts, *option.secondary_opts])}{value}`".replace("|", "\\|"), words


def options_table(rows: Iterable[tuple[str, str]]) -> str:
    """Options with their meaning."""
    return table(("option", "meaning"), rows)


def describe_command(path: str, command: click.Command, common: Sequence[tuple[str, str]]) -> str:
    """A command's usage, help and options."""
    usage = " ".join(command.collect_usage_pieces(click.Context(command)))
    rows = [option_row(option) for option in options(command)]
    own = [row for row in rows if row not in common]
    taken = [row[0].split(" ")[0].strip("`") for row in rows if row in common]
    parts = [f"## {path}", f"```console\n$ {path} {usage}\n```", help_text(command.help or "")]
    if own:
        parts.append(options_table(own))
    if taken:
        parts.append(f"[Common options](#common-options): {', '.join(f'`{name}`' for name in taken)}.")
    return "\n\n".join(parts)


def help_text(text: str) -> str:
    """A command's help in Markdown: paragraphs after click's `\\b` are kept as they are."""
    parts = []
    for paragraph in text.strip().split("\n\n"):
        if paragraph.startswith("\b"):
            lines = paragraph.removeprefix("\b").strip("\n").splitlines()
            parts.append("```console\n" + "\n".join(f"$ {line.strip()}" for line in lines) + "\n```")
        else:
            parts.append(escaped(" ".join(paragraph.split())))
    return "\n\n".join(parts)


def main() -> None:
    """Write every page."""
    REFERENCE.mkdir(exist_ok=True)
    for name, text in pages().items():
        (REFERENCE / name).write_text(text, encoding="utf-8")
        sys.stdout.write(f"{REFERENCE / name}\n")


if __name__ == "__main__":
    main()
