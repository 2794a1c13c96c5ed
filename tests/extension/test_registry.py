from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct
from msgspec.structs import replace

from liftbench.errors import LiftbenchError, PrerequisiteError, UsageError, missing_packages
from liftbench.extension.loader import Plugins, load_plugins
from liftbench.extension.registry import Registry
from liftbench.plugin_api import API_VERSION, Desk, hookimpl


class Options(Struct, forbid_unknown_fields=True):
    rank: int = 8


def registering(**arguments: Any) -> object:
    class Plugin:
        @hookimpl
        def bench_register(self, registry: Registry) -> None:
            registry.trainer("mine", **{"target": f"{__name__}:Options", "options": f"{__name__}:Options", **arguments})

    return Plugin()


def plugins_of(*given: object) -> Plugins:
    plugins = Plugins()
    for number, plugin in enumerate(given):
        plugins.add(plugin, f"plugin-{number}", f"distribution-{number} 1.0")
    return plugins


def test_first_party_plugins_come_by_entry_point() -> None:
    plugins = load_plugins()
    assert plugins.problems == []
    kinds = {(spec.kind, spec.name) for spec in plugins.specs}
    assert {("trainer", "qlora"), ("backend", "transformers"), ("dataset", "tweetsumm"), ("metric", "rougeL")} <= kinds
    assert {spec.plugin for spec in plugins.specs} == {"first-party"}


def test_every_first_party_target_can_be_imported() -> None:
    plugins = load_plugins()
    for spec in plugins.specs:
        # vLLM is imported when its engine is loaded, and needs CUDA.
        needed = tuple(name for name in spec.requires if name != "vllm")
        if spec.kind == "launcher" and missing_packages(needed):
            continue
        found = plugins.load(replace(spec, requires=needed))
        assert isinstance(found, Desk) if spec.kind == "desk" else callable(found), spec


def test_a_plugin_that_raises_stops_nobody_else() -> None:
    class Broken:
        @hookimpl
        def bench_register(self, registry: Registry) -> None:
            registry.metric("half", target="x:y")
            raise RuntimeError("no luck")

    plugins = plugins_of(Broken(), registering())
    assert [spec.name for spec in plugins.specs] == ["mine"]
    assert [(p.plugin, "no luck" in p.reason) for p in plugins.problems] == [("plugin-0", True)]
    with pytest.raises(UsageError, match="no luck"):
        plugins.find("metric", "half")


class Ending:
    """A plugin that prints, and ends the process in each of its hooks."""

    @hookimpl
    def bench_register(self) -> None:
        print("registering")
        sys.exit(0)

    @hookimpl
    def bench_run_finished(self) -> None:
        print("finished")
        sys.exit(0)

    @hookimpl
    def bench_report_sections(self) -> Iterator[tuple[str, str]]:
        yield "Costs", "none"
        print("a section")
        sys.exit(0)


def test_a_plugin_that_ends_the_process_in_a_hook_is_a_problem_and_prints_to_stderr(
    capsys: pytest.CaptureFixture[str],
) -> None:
    plugins = plugins_of(Ending(), registering())
    assert [spec.name for spec in plugins.specs] == ["mine"]
    plugins.notify("bench_run_finished", manifest=None, folder="here")
    assert plugins.sections(None) == []
    assert [problem.reason for problem in plugins.problems] == [
        "bench_register raised SystemExit: 0",
        "bench_run_finished raised SystemExit: 0",
        "bench_report_sections raised SystemExit: 0",
    ]
    assert capsys.readouterr() == ("", "registering\nfinished\na section\n")


def test_a_user_who_interrupts_a_plugin_is_obeyed() -> None:
    class Slow:
        @hookimpl
        def bench_register(self) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        plugins_of(Slow())


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("sys.exit(0)", "SystemExit: 0"),
        ("raise RuntimeError('no luck')", "RuntimeError: no luck"),
        ("raise SyntaxError('no code')", "SyntaxError: no code"),
    ],
)
def test_a_target_that_cannot_be_imported_is_an_error_whatever_it_raises(
    source: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name = f"target_{abs(hash(source))}"
    (tmp_path / f"{name}.py").write_text(f"import sys\nprint('hello')\n{source}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    plugins = plugins_of(registering(target=f"{name}:Thing"))
    with pytest.raises(PrerequisiteError, match=f"cannot be imported: {words}"):
        plugins.load(plugins.find("trainer", "mine"))
    assert capsys.readouterr() == ("", "hello\n")


def test_an_unknown_hook_is_reported() -> None:
    class Misspelt:
        @hookimpl
        def bench_run_ended(self) -> None: ...

    plugins = plugins_of(Misspelt(), registering())
    assert "bench_run_ended" in plugins.problems[0].reason
    assert [spec.plugin for spec in plugins.specs] == ["plugin-1"]


def test_one_name_from_two_distributions_is_an_error_when_asked_for() -> None:
    plugins = plugins_of(registering(), registering())
    with pytest.raises(UsageError, match=r"distribution-0 1\.0.*distribution-1 1\.0.*\n.*--no-plugin"):
        plugins.find("trainer", "mine")
    plugins.remove("plugin-0")
    assert plugins.find("trainer", "mine").plugin == "plugin-1"


def test_an_unknown_name_comes_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="Did you mean 'mine'"):
        plugins_of(registering()).find("trainer", "mien")


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"api": API_VERSION + 1}, PrerequisiteError, "Upgrade liftbench"),
        ({"api": API_VERSION - 1}, PrerequisiteError, "Upgrade distribution-0"),
        ({"requires": ["a_package_that_is_not_there"]}, PrerequisiteError, "pip install a_package_that_is_not_there"),
        ({"target": "no_such_module:Thing"}, PrerequisiteError, "no_such_module"),
        ({"target": f"{__name__}:Nothing"}, PrerequisiteError, "Nothing"),
    ],
)
def test_what_keeps_a_plugin_from_use_is_said(
    arguments: dict[str, Any], error: type[LiftbenchError], words: str
) -> None:
    plugins = plugins_of(registering(**arguments))
    with pytest.raises(error, match=words):
        plugins.load(plugins.find("trainer", "mine"))


@pytest.mark.parametrize(
    ("values", "words"),
    [({"rnak": 4}, "Did you mean 'rank'"), ({"rank": "four"}, r"train\.options\.rank.*a whole number")],
)
def test_bad_options_are_named(values: dict[str, Any], words: str) -> None:
    plugins = plugins_of(registering())
    with pytest.raises(UsageError, match=words):
        plugins.options(plugins.find("trainer", "mine"), values)


def test_options_are_of_the_plugins_own_type() -> None:
    plugins = plugins_of(registering())
    assert plugins.options(plugins.find("trainer", "mine"), {"rank": 4}) == Options(rank=4)


def test_observers_are_called_one_by_one() -> None:
    seen = []

    class Raising:
        @hookimpl
        def bench_run_finished(self) -> None:
            raise OSError("disk on fire")

    class Observing:
        @hookimpl
        def bench_run_finished(self, folder: str) -> None:
            seen.append(folder)

    plugins = plugins_of(Raising(), Observing())
    plugins.notify("bench_run_finished", manifest=None, folder="here")
    assert seen == ["here"]
    assert "disk on fire" in plugins.problems[0].reason


def test_a_plugin_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_plugins(["first-party"]).specs == []
    monkeypatch.setenv("LIFTBENCH_NO_PLUGIN", "first-party")
    assert load_plugins().specs == []
    with pytest.raises(UsageError, match="'first-party'"):
        load_plugins(["first-partie"])


def test_a_section_that_breaks_off_breaks_no_report() -> None:
    class Raising:
        @hookimpl
        def bench_report_sections(self) -> Iterator[tuple[str, str]]:
            yield "Costs", "none"
            raise RuntimeError("no prices")

    class Wrong:
        @hookimpl
        def bench_report_sections(self) -> list[Any]:
            return [("one", "two", "three")]

    class Good:
        @hookimpl
        def bench_report_sections(self, comparison: Any) -> list[tuple[str, str]]:
            return [("Baseline", comparison)]

    plugins = plugins_of(Raising(), Wrong(), Good())
    comparison: Any = "run"
    assert plugins.sections(comparison) == [("Baseline", "run")]
    assert [problem.plugin for problem in plugins.problems] == ["plugin-0", "plugin-1"]
