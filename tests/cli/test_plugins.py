"""`bench plugins` lists what is registered, and `bench plugins show` says what one plugin is and takes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from liftbench.extension.describe import describe
from liftbench.extension.loader import Plugins, load_plugins
from liftbench.plugin_api import Registry, hookimpl


@pytest.fixture
def show(command_line: Any) -> Callable[..., Any]:
    """What `bench plugins … --json` prints."""

    def run(*arguments: str) -> Any:
        done = command_line("plugins", *arguments, "--json")
        assert done.code == 0, done.err
        return json.loads(done.out)

    return run


@pytest.mark.parametrize("arguments", [(), ("list",)])
def test_without_a_name_all_plugins_are_listed(show: Any, arguments: tuple[str, ...]) -> None:
    names = {spec["name"] for spec in show(*arguments)["specs"]}
    assert {"lora", "qlora", "full", "command", "rougeL", "zendesk"} <= names


def test_the_options_of_a_trainer_are_told_with_type_default_and_meaning(show: Any, command_line: Any) -> None:
    [found] = show("show", "full")
    assert found["spec"]["distribution"].startswith("liftbench ")
    assert found["missing"] == []
    assert found["example"].startswith("bench train --plugin full --set train.options.learning_rate=")
    options = {option["name"]: option for option in found["options"]}
    assert (options["batch_size"]["type"], options["batch_size"]["default"]) == ("whole number ≥ 1", 8)
    assert options["references"]["type"] == '`"all"`, `"one"`'
    assert all(option["meaning"] for option in found["options"])
    text = command_line("plugins", "show", "full").out
    assert "liftbench_plugins.trainers.full:FullTrainer" in "".join(text.split())
    assert "batch_size" in text


@pytest.mark.parametrize("columns", [40, 80, 100, 140])
def test_no_word_is_cut_off_however_narrow_the_terminal_is(
    show: Any, command_line: Any, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    [found] = show("show", "qlora")
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = command_line("plugins", "show", "qlora").out.splitlines()
    assert max(map(len, lines)) <= columns
    printed = {word for line in lines for word in line.split()}
    meanings = {word for option in found["options"] for word in option["meaning"].split() if len(word) < 20}
    assert meanings <= printed


@pytest.mark.parametrize("name", sorted({spec.name for spec in load_plugins().specs}))
def test_every_plugin_that_ships_says_what_it_is_and_how_it_is_used(name: str) -> None:
    plugins = load_plugins()
    for spec in plugins.named(name):
        found = describe(spec, plugins)
        assert spec.summary
        assert found.example.startswith("bench ")
        assert all(option.meaning and option.type for option in found.options)
        assert found.what or spec.kind in ("desk", "metric", "control")


def test_tables_of_options_and_required_ones_are_told() -> None:
    plugins = load_plugins()
    found = describe(plugins.find("dataset", "datasets"), plugins)
    options = {option.name: option for option in found.options}
    assert options["path"].required
    assert options["columns"].type == "table Columns"
    assert options["columns.id"].meaning
    assert found.example == "bench baseline --dataset datasets --set data.options.path=…"


def test_a_wrong_name_is_told_with_the_nearest(command_line: Any) -> None:
    done = command_line("plugins", "show", "qlroa")
    assert done.code == 2
    told = done.err
    assert "unknown plugin 'qlroa'" in told
    assert "Did you mean 'qlora'" in told


def test_a_third_partys_plugin_is_described_without_the_packages_that_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "their_trainer.py").write_text('import no_such_package\n\nclass Theirs:\n    """Trains."""\n')
    (tmp_path / "their_types.py").write_text(
        'from msgspec import Struct\n\nclass Base(Struct):\n    rate: float = 0.1\n    """How fast."""\n\n'
        'class Options(Base):\n    """What it takes."""\n    loud: bool = False\n'
    )
    (tmp_path / "their_options.py").write_text("from their_types import Options\n")
    monkeypatch.syspath_prepend(tmp_path)

    class Theirs:
        @hookimpl
        def bench_register(self, registry: Registry) -> None:
            registry.trainer(
                "theirs",
                target="their_trainer:Theirs",
                options="their_options:Options",
                requires=("no_such_package", "no_such_package.part"),
            )

    plugins = Plugins()
    plugins.add(Theirs(), "theirs", "theirs 2.0")
    [spec] = plugins.named("theirs")
    found = describe(spec, plugins)
    assert (found.what, found.options_what, found.spec.distribution) == ("Trains.", "What it takes.", "theirs 2.0")
    assert found.missing == ["no_such_package", "no_such_package.part"]
    assert [(one.name, one.default, one.meaning) for one in found.options] == [
        ("rate", 0.1, "How fast."),
        ("loud", False, ""),
    ]
    assert "their_trainer" not in sys.modules
