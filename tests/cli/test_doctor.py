"""`bench doctor`: what is right and wrong with the machine, and how to fix it; nothing hangs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from liftbench.extension.loader import Plugins, load_plugins
from liftbench.extension.registry import Problem
from liftbench.recipe.sections import ModelSection, Recipe
from liftbench.workflow import doctor, packages
from liftbench.workflow.check import Finding


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without a hub and without torch's slow import."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("LIFTBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(doctor, "TORCH", "import json; print(json.dumps(FOUND))".replace("FOUND", repr(CPU)))
    return tmp_path


CPU = {"version": "2.9", "built for": None, "cuda": False, "threads": 2, "nf4": "works", "bitsandbytes": "0.50"}


def look(machine: Path, recipe: Recipe | None = None, plugins: Plugins | None = None) -> dict[str, list[Finding]]:
    found: dict[str, list[Finding]] = {}
    for one in doctor.examine(recipe or Recipe(), plugins or load_plugins(), machine / "runs"):
        found.setdefault(one.part, []).append(one)
    return found


def test_every_part_is_told_as_json_and_nothing_blocks(
    machine: Path, command_line: Any, tiny_chat_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIFTBENCH_MODEL", str(tiny_chat_model))
    done = command_line("doctor", "--json", "--runs", str(machine / "runs"))
    assert done.code == 0, done.out
    found = json.loads(done.out)
    assert found["ok"]
    parts = {one["part"] for one in found["findings"]}
    expected = {"python", "packages", "processor", "torch", "cuda", "driver", "bitsandbytes", "model", "memory", "disk"}
    assert expected | {"hub", "plugins"} <= parts
    assert all(one["fix"] for one in found["findings"] if one["state"] == "wrong")
    assert any("first-party" in one["what"] and "loaded in" in one["what"] for one in found["findings"])
    assert not (machine / "runs").exists()


def test_a_model_that_is_too_large_blocks_and_the_exit_code_says_so(
    machine: Path, command_line: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    recipe = Recipe(model=ModelSection(reference="hub:org/giant-9000B", precision="float32"))
    [memory] = look(machine, recipe)["memory"]
    assert memory.state == "wrong"
    assert "takes about 36001.0 GB" in memory.what
    assert "smaller model" in memory.fix
    models, runs = look(machine, recipe)["disk"]
    assert (models.state, runs.state) == ("wrong", "ok")
    assert "LIFTBENCH_CACHE" in models.fix
    done = command_line("doctor", "--model-of-nothing")
    assert done.code == 2
    Path("giant.toml").write_text('[model]\nreference = "hub:org/giant-9000B"\n')
    done = command_line("doctor", "giant.toml")
    assert done.code == 3
    assert "✗ fix" in done.out
    assert "problems to be fixed first" in done.err


def test_a_probe_that_hangs_or_raises_is_a_finding(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hang() -> Iterator[Finding]:
        time.sleep(60)
        yield from ()

    def fail() -> Iterator[Finding]:
        yield Finding(part="driver", state="ok", what=str(1 // len(())))

    monkeypatch.setattr(doctor, "_hub", hang)
    monkeypatch.setattr(doctor, "_driver", fail)
    started = time.monotonic()
    found = doctor.examine(Recipe(), load_plugins(), machine, seconds=5)
    assert time.monotonic() - started < 40
    told = {one.part: one.what for one in found if one.part in ("hub", "driver")}
    assert told == {
        "hub": "no answer within 5 seconds",
        "driver": "cannot be told: ZeroDivisionError: integer division or modulo by zero",
    }


def test_the_hub_is_asked_within_seconds(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "HF_HUB_OFFLINE" in look(machine)["hub"][0].what
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    [told] = list(doctor._hub())
    assert (told.state, "http://127.0.0.1:9 cannot be reached" in told.what) == ("note", True)


@pytest.mark.parametrize(
    ("changes", "part", "words"),
    [
        ({"nf4": "RuntimeError: no kernel"}, "bitsandbytes", "NF4 does not work: RuntimeError: no kernel"),
        ({"cuda": True, "gpu": "L4", "free": 20e9, "total": 24e9, "built for": "13.0"}, "cuda", "L4, 20 GB of 24 GB"),
    ],
)
def test_torch_is_told_as_it_is(
    machine: Path, changes: dict[str, Any], part: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    del machine
    monkeypatch.setattr(doctor, "TORCH", f"import json; print(json.dumps({ {**CPU, **changes}!r}))")
    told = {one.part: one.what for one in doctor._torch(60)}
    assert words in told[part]


def test_features_of_the_processor_are_said_once(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del machine
    monkeypatch.setattr(doctor, "_cpu_flags", lambda: {"avx2", "avx512f", "amx_bf16"})
    [told] = list(doctor._processor())
    assert told.what.endswith("; has AVX2, AVX-512 and AMX BF16, lacks AVX-512 BF16")


def test_without_torch_the_next_step_installs_it(
    machine: Path, command_line: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("liftbench.cli.doctor.missing_packages", list)
    done = command_line("doctor", "helpdesk", "--runs", str(machine / "runs"))
    assert done.err.splitlines()[-1] == "next: pip install 'liftbench[train]'"


def test_a_torch_that_cannot_be_imported_blocks(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del machine
    monkeypatch.setattr(doctor, "TORCH", "raise ImportError('libcudart.so is missing')")
    [told] = list(doctor._torch(60))
    assert (told.state, told.what) == ("wrong", "cannot be imported: ImportError: libcudart.so is missing")


def test_packages_are_compared_with_what_is_required_and_pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    pins = packages.read_pins()
    assert {"torch", "numpy", "rouge-score"} <= set(pins)
    real = packages.installed
    versions = {"click": "1.0", "trl": None, "numpy": "3000.1"}
    monkeypatch.setattr(packages, "installed", lambda name: versions[name] if name in versions else real(name))
    found = list(packages.check_packages())
    assert (found[0].state, found[0].what) == ("wrong", "click is 1.0, required is >=8.2")
    train = next(one for one in found if one.what.startswith("the extra train"))
    assert (train.state, train.what) == ("note", "the extra train: trl is missing")
    assert train.fix == "Run: pip install 'liftbench[train]'"
    assert f"numpy 3000.1 (pinned: {pins['numpy']})" in found[-1].what


def test_a_plugin_that_did_not_load_is_told(machine: Path) -> None:
    plugins = load_plugins()
    plugins.problems.append(Problem(plugin="bad", distribution="bad 1.0", reason="it raised"))
    [_, told] = look(machine, plugins=plugins)["plugins"]
    assert (told.state, told.what) == ("note", "bad (bad 1.0): it raised")
    assert "LIFTBENCH_NO_PLUGIN=bad" in told.fix
