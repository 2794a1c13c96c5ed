"""Writes `docs/reference/` (recipe keys, records, hooks, command line, Python API) and `comparison.schema.json`.

`python docs/generate.py` (or `make docs`) writes the pages; `tests/test_docs.py` fails where a page is out of date.
"""

from __future__ import annotations

import ast
import importlib
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec
from msgspec import inspect
from source import (
    PACKAGE,
    Source,
    described,
    docstring,
    escaped,
    exported,
    fields,
    first_sentence,
    functions,
    methods,
    one_line,
    record,
    signature,
    table,
)

from liftbench.cli.main import cli
from liftbench.recipe.sections import Recipe
from liftbench.report.document import json_schema

REFERENCE = Path(__file__).resolve().parent / "reference"
SCHEMA = Path(__file__).resolve().parent / "comparison.schema.json"

NOTE = "<!-- Written by docs/generate.py: change the code or the script, then run `make docs`. -->"

OPTIONS = (
    ("train.options", "trainers `lora` and `qlora`", "liftbench_plugins.trainers.options:LoRAOptions"),
    ("train.options", "trainer `full`", "liftbench_plugins.trainers.options:FullOptions"),
    ("train.options", "trainer `command`", "liftbench_plugins.trainers.command:CommandOptions"),
    ("data.options", "data set `datasets`", "liftbench_plugins.datasets.mapped:MappedOptions"),
)
"""Recipe key, plugin, and the type of its options."""

RECORDS = ("run", "system", "training", "sweep", "prompt_search", "conversation")
"""Modules of `liftbench.records`, in the order of the page; others follow by name."""

BASES = {
    "Trainer": ("TrainRequest", "TrainResult"),
    "Metric": ("MetricRequest", "Misreading"),
    "Control": ("ControlRequest",),
    "Dataset": ("Conversation", "Turn"),
    "Backend": ("BackendRequest", "Generation"),
    "Desk": ("Export", "Opening", "People", "Chatlog", "Replies"),
    "Launcher": ("WorkerCommand", "WorkerEnd"),
}
"""The base classes that plugins implement, with the records that they take and return."""

FUNCTIONS = (
    "environment",
    "load_conversations",
    "preview",
    "baseline",
    "train",
    "score",
    "compare",
    "write_report",
    "side_by_side",
    "gate",
    "summarize",
    "load_run",
)
OPTIONS_TYPE = "RunOptions"
"""The functions and options of `import liftbench`, in the order of the page; other names follow in a table."""

COMMON = 5
"""Number of commands that must share an option for it to be listed once for all of them."""


def pages() -> dict[str, str]:
    """File name → text of every generated page."""
    return {
        "recipe-keys.md": recipe_keys(),
        "run-format.md": run_format(),
        "hooks.md": hooks(),
        "cli.md": command_line(),
        "python.md": python(),
    }


def page(title: str, intro: str, sections: Iterable[str]) -> str:
    """A page with its note, title and sections."""
    return "\n\n".join([NOTE, f"# {title}", intro, *sections]) + "\n"


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
    """The hooks, the argument of `bench_register`, the base classes, and every name that a plugin may use."""
    api = exported("plugin_api.pyi")
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


# --------------------------------------------------------------------------------------------------------------- Python


def python() -> str:
    """The functions of `import liftbench`, the options shared by those that make a run, and the other names."""
    names = exported("__init__.pyi")
    rows = [
        (f"`{name}`", first_sentence(described(module, name)))
        for name, module in names.items()
        if name not in (*FUNCTIONS, OPTIONS_TYPE)
    ]
    sections = [
        *(function_page(name, names[name]) for name in FUNCTIONS),
        record(names[OPTIONS_TYPE], OPTIONS_TYPE).replace("#### ", "## ", 1),
        f"## Other names\n\n{table(('name', 'what it is'), rows)}",
    ]
    intro = (
        "`import liftbench` gives what the commands of `bench` do as functions. Each returns the object that its "
        "command prints from; the names are imported when they are first used."
    )
    return page("Python API", intro, sections)


def function_page(name: str, module: str) -> str:
    """A public function with its signature and docstring."""
    # The last definition of an overloaded function is the implementation.
    *_, node = [one for one in Source(module).tree.body if isinstance(one, ast.FunctionDef) and one.name == name]
    head = f"```python\nliftbench.{signature(node)}\n```"
    return f"## {name}\n\n{head}\n\n{docstring(ast.get_docstring(node) or '')}"


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
        "done (`bench compare`: the lift is verified; `bench gate`: every rule passed), 1 the lift is not "
        "verified or a rule did not pass, 2 wrong usage, 3 something needed is missing, 4 a run failed. `bench --debug "
        "COMMAND` shows the traceback of an error."
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
    if command.epilog:
        parts.append(help_text(command.epilog.replace("\nExamples:", "", 1)))
    if own:
        parts.append(options_table(own))
    if taken:
        parts.append(f"[Common options](#common-options): {', '.join(f'`{name}`' for name in taken)}.")
    return "\n\n".join(parts)


def help_text(text: str) -> str:
    """A command's help in Markdown; paragraphs after click's `\\b` are kept as they are."""
    parts = []
    for paragraph in text.strip().split("\n\n"):
        if paragraph.lstrip().startswith("\b"):
            lines = paragraph.lstrip().removeprefix("\b").strip("\n").splitlines()
            parts.append("```console\n" + "\n".join(f"$ {line.strip()}" for line in lines) + "\n```")
        else:
            parts.append(escaped(" ".join(paragraph.split())))
    return "\n\n".join(parts)


def comparison_schema() -> str:
    """The JSON Schema of what `bench compare --json` prints."""
    return json.dumps(json_schema(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> None:
    """Write every page, and the schema."""
    REFERENCE.mkdir(exist_ok=True)
    for name, text in pages().items():
        (REFERENCE / name).write_text(text, encoding="utf-8")
        sys.stdout.write(f"{REFERENCE / name}\n")
    SCHEMA.write_text(comparison_schema(), encoding="utf-8")
    sys.stdout.write(f"{SCHEMA}\n")


if __name__ == "__main__":
    main()
