"""The documentation and the code say the same: generated pages, links, commands, and examples that run."""

from __future__ import annotations

import importlib
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click
import msgspec
import pytest

import liftbench
from liftbench.cli.lazy import LazyGroup
from liftbench.cli.main import cli
from liftbench.recipe import rules
from liftbench.recipe.sections import Recipe

ROOT = Path(__file__).resolve().parents[1]
WRITTEN = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "baselines" / "README.md"]
PAGES = WRITTEN + sorted((ROOT / "docs").rglob("*.md"))
PLACEHOLDERS = {"RUN", "NAME", "COMMAND", "RULE"}


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.fixture(scope="module")
def generate() -> Iterator[ModuleType]:
    """The script, with the module beside it, as `python docs/generate.py` finds them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "docs"))
        yield importlib.import_module("generate")


# ------------------------------------------------------------------------------------------------------ what is written


def test_the_reference_is_what_the_code_says(generate: ModuleType) -> None:
    written = {path.name: read(path) for path in (ROOT / "docs" / "reference").glob("*.md")}
    made = generate.pages()
    assert sorted(written) == sorted(made)
    stale = [name for name, text in made.items() if written[name] != text]
    assert stale == [], "run `make docs`"


def test_every_recipe_key_has_a_meaning(generate: ModuleType) -> None:
    rows = [line for line in generate.recipe_keys().splitlines() if line.startswith("| `")]
    assert len(rows) > 60
    assert [row for row in rows if row.endswith("|  |")] == []


def test_the_readme_is_short() -> None:
    assert len(read(ROOT / "README.md").splitlines()) <= 200


def test_the_index_lists_every_page() -> None:
    index = read(ROOT / "docs" / "README.md")
    pages = [path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md") if path.name != "README.md"]
    assert [str(page) for page in pages if f"({page})" not in index] == []


def test_the_plan_of_the_house_lists_the_rooms_from_the_roof_down() -> None:
    settings = tomllib.loads(read(ROOT / "pyproject.toml"))
    (contract,) = [one for one in settings["tool"]["importlinter"]["contracts"] if one["type"] == "layers"]
    floors = [re.findall(r"\w+", floor) for floor in contract["layers"]]
    plan = re.findall(r"^\| (`.+`) \|", read(ROOT / "docs" / "architecture.md"), re.MULTILINE)
    rooms = re.findall(r"`(\w+)/?`", " ".join(plan))
    assert sorted(rooms) == sorted(room for floor in floors for room in floor)
    heights = [height for room in rooms for height, floor in enumerate(floors) if room in floor]
    assert heights == sorted(heights), "rooms are listed from the roof down"


# ---------------------------------------------------------------------------------------------------------------- links


def anchors(text: str) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    titles = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"`[^`\n]*`", "", re.sub(r"^```.*?^```", "", read(page), flags=re.MULTILINE | re.DOTALL))
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path) if path else page
        if not file.exists() or (anchor and anchor not in anchors(read(file))):
            broken.append(target)
    assert broken == []


# ------------------------------------------------------------------------------------------------------------- commands


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands(text: str) -> Iterator[str]:
    """Every `bench …` that a page names: in a console block, a script, a workflow's step, or a line of code."""
    for block in blocks(text, "console"):
        for line in block.splitlines():
            yield from (part.strip() for part in line.removeprefix("$ ").split(";") if part.strip().startswith("bench"))
    for block in blocks(text, "yaml"):
        yield from re.findall(r"run: (bench .+)", block)
    for block in blocks(text, "bash"):
        yield from re.findall(r"^(bench .+)", block, re.MULTILINE)
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    for code in re.findall(r"`(bench [^`]+)`", re.sub(r"\s+", " ", prose)):
        yield from (part.strip() for part in code.split(";") if part.strip().startswith("bench"))


def problem(command: str) -> str:
    """What is wrong with a command as it is written, or an empty string."""
    alone = re.split(r" [<>|] ", command)[0]  # without what goes in and what becomes of its output
    alone = re.sub(r"\$\{\{.*?\}\}", "1", alone)  # what a workflow puts in
    words = [word for word in shlex.split(alone, comments=True)[1:] if not re.fullmatch(r"\[.*|.*\](\.\.\.)?|…", word)]
    group: click.Command = cli
    context = click.Context(cli)
    while isinstance(group, click.Group):
        words = [word for word in words if word not in {"--debug", "--version", "--help"}]
        if isinstance(group, LazyGroup) and words:
            words = group.full_arguments(words)
        if not words or words[0] in PLACEHOLDERS:
            return ""
        if words[0] not in group.list_commands(context):
            return f"there is no command {words[0]}"
        found = group.get_command(context, words[0])
        assert found is not None
        group, words = found, words[1:]
        context = click.Context(group, parent=context)
    try:
        _, rest, _ = group.make_parser(context).parse_args([*words])
    except click.BadOptionUsage as error:
        # `bench train --seeds` in a sentence names the option alone.
        named_alone = words[-1:] == [error.option_name] and "requires an argument" in error.message
        return "" if named_alone else error.format_message()
    except click.UsageError as error:
        return error.format_message()
    return f"not understood: {' '.join(rest)}" if rest else ""


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_command_exists_with_its_options(page: Path) -> None:
    found = {command: problem(command) for command in commands(read(page))}
    assert {command: why for command, why in found.items() if why} == {}


def test_every_make_target_exists() -> None:
    targets = set(re.findall(r"^([\w-]+):", read(ROOT / "Makefile"), re.MULTILINE))
    used = {name for page in PAGES for name in re.findall(r"(?:`|^\$ )make ([\w-]+)", read(page), re.MULTILINE)}
    assert {"setup", "test", "docs"} <= used
    assert used - targets == set()


def test_commands_that_do_not_exist_are_found() -> None:
    assert problem("bench tune helpdesk") == "there is no command tune"
    assert "--prove" in problem("bench compare --prove")
    assert problem("bench promote RUN NAME OTHER") == "not understood: OTHER"
    console, script = "```console\n$ bench baseline; bench gate  # x\n```\n", "```bash\n#!/bin/bash\nbench merge\n```\n"
    assert [*commands(f"As `bench\ncompare --json` says:\n{console}{script}")] == [
        "bench baseline",
        "bench gate  # x",
        "bench merge",
        "bench compare --json",
    ]


# ------------------------------------------------------------------------------------------------------------- examples


def test_every_function_of_liftbench_exists() -> None:
    used = {
        name
        for page in PAGES
        for block in blocks(read(page), "python")
        for name in re.findall(r"\bliftbench\.(\w+)\(", block)
    }
    assert len(used) > 4
    assert used - set(liftbench.__all__) == set()


RECIPES = [
    pytest.param(block, id=f"{named(page)}-{number}")
    for page in PAGES
    for number, block in enumerate(blocks(read(page), "toml"))
    if "[project" not in block
]


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_is_one(recipe: str) -> None:
    msgspec.convert(tomllib.loads(recipe), Recipe)


@pytest.mark.parametrize("page", ["README.md", "docs/gates.md"])
def test_every_rule_is_one(page: str) -> None:
    found = [rule for block in blocks(read(ROOT / page), "toml") for rule in _rules(block)]
    assert found
    for rule in found:
        assert rules.parse(rule).text == rule


def _rules(block: str) -> list[str]:
    found: list[str] = tomllib.loads(block).get("gates", {}).get("rules", [])
    return found


def test_the_grammar_is_that_of_the_parser() -> None:
    assert rules.__doc__ is not None
    (grammar,) = blocks(rules.__doc__, "")
    assert grammar in read(ROOT / "docs" / "gates.md")


EXAMPLE = ROOT / "tests" / "example_plugin"
SHOWN = {
    found[1]: block.partition("\n")[2]
    for language in ("python", "toml")
    for block in blocks(read(ROOT / "docs" / "plugins.md"), language)
    if (found := re.match(r"# (\S+\.(?:py|toml))\n", block))
}


def test_the_page_on_plugins_shows_the_whole_example() -> None:
    files = {path.relative_to(EXAMPLE).as_posix() for path in EXAMPLE.rglob("*") if path.suffix in (".py", ".toml")}
    assert set(SHOWN) == files - {"my_package/__init__.py"}


@pytest.mark.parametrize("name", SHOWN)
def test_the_page_on_plugins_shows_the_example_as_it_is(name: str) -> None:
    assert SHOWN[name] == (EXAMPLE / name).read_text(encoding="utf-8")
