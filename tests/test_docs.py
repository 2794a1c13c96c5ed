"""The documentation and the code say the same: generated pages, links, commands, and examples that run."""

from __future__ import annotations

import importlib
import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import msgspec
import pytest

import liftbench
from liftbench.cli.lazy import LazyGroup
from liftbench.cli.main import cli
from liftbench.data.helpdesk import Helpdesk
from liftbench.data.intake.desks import message_rows
from liftbench.data.intake.tables import Row
from liftbench.data.intake.tally import Tally
from liftbench.extension.loader import Plugins
from liftbench.floors.control import ControlRequest
from liftbench.metrics.base import MetricRequest
from liftbench.plugin_api import Conversation, CurvePoint, ModelRecord, TrainRequest, Turn, no_progress, prompt_spec
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
    """Every `bench …` that a page names: in a console block, in a workflow's step, or in a line of code."""
    for block in blocks(text, "console"):
        for line in block.splitlines():
            yield from (part.strip() for part in line.removeprefix("$ ").split(";") if part.strip().startswith("bench"))
    for block in blocks(text, "yaml"):
        yield from re.findall(r"run: (bench .+)", block)
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    for code in re.findall(r"`(bench [^`]+)`", re.sub(r"\s+", " ", prose)):
        yield from (part.strip() for part in code.split(";") if part.strip().startswith("bench"))


def problem(command: str) -> str:
    """What is wrong with a command as it is written, or an empty string."""
    words = [
        word for word in shlex.split(command, comments=True)[1:] if not re.fullmatch(r"\[.*|.*\](\.\.\.)?|…", word)
    ]
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
        alone = words[-1:] == [error.option_name] and "requires an argument" in error.message
        return "" if alone else error.format_message()
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
    assert [*commands("As `bench\ncompare --json` says:\n```console\n$ bench baseline; bench gate  # x\n```\n")] == [
        "bench baseline",
        "bench gate  # x",
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


def example(folder: Path) -> Path:
    """The package that the page on plugins shows, written into a folder."""
    package = folder / "my_package"
    package.mkdir()
    for block in blocks(read(ROOT / "docs" / "plugins.md"), "python"):
        name = re.match(r"# my_package/(\w+\.py)\n", block)
        assert name is not None, block
        (package / name[1]).write_text(block, encoding="utf-8")
    return package


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Plugins]:
    """The example's plugin, registered as its entry point would."""
    example(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    loaded = Plugins()
    loaded.add(importlib.import_module("my_package.register"), "mine")
    assert loaded.problems == []
    yield loaded
    for name in [name for name in sys.modules if name.split(".")[0] == "my_package"]:
        del sys.modules[name]


def make(plugins: Plugins, kind: Any, name: str) -> Any:
    return plugins.load(plugins.find(kind, name))


def test_the_example_of_a_metric_scores(plugins: Plugins) -> None:
    metric = make(plugins, "metric", "length-match")(MetricRequest())
    turns = (Turn(role="customer", text="Where is my parcel?"),)
    conversation = Conversation(id="1", turns=turns, references=("one two three four", "one"))
    assert metric.score(["one two", ""], [conversation, conversation]) == [0.5, 0.0]


def test_the_example_of_a_control_writes(plugins: Plugins) -> None:
    conversations = Helpdesk(None).read("validation")
    control = make(plugins, "control", "last-turn")(ControlRequest(training=(), seed=0))
    assert control.write(conversations) == [one.turns[-1].text for one in conversations]


def test_the_example_of_a_data_set_reads(plugins: Plugins, tmp_path: Path) -> None:
    (tmp_path / "test.tsv").write_text("7\tIt is late.\tSorry!\tThe parcel is late.\n", encoding="utf-8")
    dataset = make(plugins, "dataset", "calls")(str(tmp_path), None)
    assert dataset.splits() == ["test"]
    (conversation,) = dataset.read("test")
    assert [turn.text for turn in conversation.turns] == ["It is late.", "Sorry!"]
    assert conversation.references == ("The parcel is late.",)


def test_the_example_of_a_desk_reads(plugins: Plugins) -> None:
    desk = make(plugins, "desk", "acme")
    entries = [
        {"writtenBy": {"kind": "contact"}, "plain": "Hi", "writtenAt": 1, "kind": "question"},
        {"writtenBy": {"kind": "operator"}, "plain": "He again", "writtenAt": 2, "kind": "reply", "audience": "team"},
        {"writtenBy": {"kind": "operator"}, "html": "Hello", "writtenAt": 3, "kind": "reply"},
        {"writtenBy": {"kind": "operator"}, "plain": "closed", "writtenAt": 4, "kind": "status"},
    ]
    row = Row(number=1, values={"caseNumber": 7, "entries": entries})
    said = list(message_rows([row], desk.recognize([row]), Tally()))
    assert [one.fault for one in said] == [None, None, None, "not a message (kind: status)"]
    found = [(one.values["speaker"], one.values["text"], one.values["internal"]) for one in said[:3]]
    assert found == [("customer", "Hi", False), ("agent", "He again", True), ("agent", "Hello", False)]


def test_the_example_of_a_trainer_learns(plugins: Plugins, tiny_chat_model: Path, tmp_path: Path) -> None:
    spec = plugins.find("trainer", "plain-lora")
    conversations = tuple(Helpdesk(None).read("train")[:2])
    points: list[CurvePoint] = []
    request = TrainRequest(
        model=tiny_chat_model,
        model_record=ModelRecord(reference="tiny", sha256="0" * 64, source="test"),
        train=conversations * 6,
        validation=conversations,
        prompt=prompt_spec("{conversation}\n\nSummarize.", "", "chat"),
        max_input_tokens=400,
        max_new_tokens=40,
        options=plugins.options(spec, {"learning_rate": 0.02}),
        seed=0,
        folder=tmp_path,
        record=points.append,
        progress=no_progress,
    )
    result = make(plugins, "trainer", "plain-lora")().train(request)
    assert {"adapter_config.json", "adapter_model.safetensors"} <= {path.name for path in result.adapter.iterdir()}
    first, last = points[0].loss, points[-2].loss  # of the same conversation
    assert first is not None
    assert last is not None
    assert last < first


def test_the_example_of_a_report_section_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    example(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    loaded = Plugins()
    loaded.add(importlib.import_module("my_package.costs"), "costs")

    class Comparison:
        candidates = ("one", "two")

    assert loaded.sections(Comparison()) == [("Costs", "2 adapters, 3.20 EUR of GPU time")]
    del sys.modules["my_package.costs"], sys.modules["my_package"]
