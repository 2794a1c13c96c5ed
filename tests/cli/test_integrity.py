"""Records that do not belong together, and plugins that end the process: no command makes a verdict of them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from liftbench.files import read_lines
from liftbench.records.run import SCHEMA, SampleScores
from liftbench.runs.directory import Run

from ..support.build import write_run
from ..support.scripted import World, doctored, untuned

Bench = Callable[..., Any]
RUNS = Path("reports/runs")
RULE = "lift(rougeL) >= 40% verified"


@pytest.fixture
def bench(project_line: Bench) -> Bench:
    return project_line


# -------------------------------------------------------------------------------------------------------------- files


@pytest.mark.parametrize("arguments", [["compare", "untuned", "good"], ["gate", "--baseline", "untuned"]])
@pytest.mark.parametrize("file", ["scores.jsonl", "predictions.jsonl", "training/rows.jsonl"])
def test_a_file_of_another_run_stops_every_command_that_reads_it_because_it_made_a_verdict(
    arguments: list[str], file: str, bench: Bench, world: World
) -> None:
    other = world.write(untuned())
    if file == "training/rows.jsonl":
        rows = (other.folder / file).read_text().splitlines(keepends=True)
        (RUNS / "good" / file).write_text(rows[0])
    else:
        shutil.copy(other.folder / file, RUNS / "good" / file)
    rules = ["--rule", RULE] if arguments[0] == "gate" else []
    done = bench(*arguments, *rules)
    assert (done.code, done.out) == (2, "")
    assert f"{file} is not the one that run good was completed with" in done.err


def test_damaged_runs_are_listed_and_runs_of_another_version_are_named(bench: Bench) -> None:
    write_run(RUNS, created="2026-01-06T10:00:00Z")
    [folder] = RUNS.glob("2*")
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"schema": SCHEMA - 1}))
    shutil.copy(RUNS / "untuned" / "scores.jsonl", RUNS / "good" / "scores.jsonl")
    listed = bench("runs")
    assert listed.code == 0
    assert "damaged: scores.jsonl" in listed.out
    assert listed.err.splitlines()[0] == (
        f"warning: {folder.name} was made by an older liftbench (run schema {SCHEMA - 1}). Measure it again."
    )
    found = {Path(one["folder"]).name: one["changed"] for one in json.loads(bench("runs", "--json").out)}
    assert found == {"untuned": [], "good": ["scores.jsonl"]}


def test_a_gate_scores_the_texts_again_because_scores_and_sums_may_be_edited_together(
    bench: Bench, world: World
) -> None:
    better = {row.id: row for row in read_lines(world.good.folder / "scores.jsonl", SampleScores)}
    run = doctored(world.write(untuned()), "flattered", scores=lambda row: better[row.id])
    done = bench("gate", "--baseline", "untuned", "--run", str(run.folder), "--rule", RULE, "--json")
    [scores] = [guard for guard in json.loads(done.out)["guards"] if guard["name"] == "scores"]
    assert (done.code, scores["state"]) == (1, "failed")
    assert "recorded ROUGE-L differs from the texts' in 104 of 104 conversations of run flattered" in scores["words"]


# ------------------------------------------------------------------------------------------------------------ plugins


def install(folder: Path, name: str, source: str) -> None:
    """A distribution with one module, whose entry point is the module itself."""
    about = folder / f"{name}-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[liftbench]\n{name} = {name}\n")
    (folder / f"{name}.py").write_text(source)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Installs a plugin of one module for this test."""
    monkeypatch.syspath_prepend(str(tmp_path / "site"))

    def add(name: str, source: str) -> None:
        install(tmp_path / "site", name, source)
        monkeypatch.delitem(sys.modules, name, raising=False)

    return add


@pytest.mark.parametrize(
    ("name", "source", "reason"),
    [
        ("ending", "import sys\nprint('hello')\nsys.exit(0)\n", "ending could not be imported: SystemExit: 0"),
        ("breaking", "print('hello')\nraise OSError('no luck')\n", "breaking could not be imported: OSError: no luck"),
        (
            "endinghook",
            "import sys\nfrom liftbench.plugin_api import hookimpl\n"
            "@hookimpl\ndef bench_register(registry):\n    print('hello')\n    sys.exit(0)\n",
            "bench_register raised SystemExit: 0",
        ),
    ],
)
def test_a_plugin_that_ends_the_process_does_not_end_a_comparison_with_0_and_no_verdict(
    name: str, source: str, reason: str, bench: Bench, world: World, installed: Callable[[str, str], None]
) -> None:
    installed(name, source)
    worse = world.write(untuned())
    shutil.copytree(worse.folder, RUNS / worse.id)
    done = bench("compare", "untuned", worse.id, "--json")
    assert done.code == 1
    assert [one["verdict"]["outcome"] for one in json.loads(done.out)["candidates"]] == ["unproven"]
    assert "hello\n" in done.err
    assert f"warning: plugin {name}: {reason}\n" in done.err
    gated = bench("gate", "--baseline", "untuned", "--run", worse.id, "--rule", RULE, "--json")
    assert (gated.code, json.loads(gated.out)["passed"]) == (1, False)


def test_code_that_ends_the_process_elsewhere_is_a_failure_of_the_command(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ending(*_: object, **__: object) -> None:
        sys.exit(0)

    monkeypatch.setattr("liftbench.cli.compare.compare_runs", ending)
    done = bench("compare", "untuned", "good")
    assert (done.code, done.out) == (4, "")
    assert "sys.exit(0)" in done.err


def test_a_reader_that_has_gone_gets_neither_0_nor_1() -> None:
    code = "import sys; from liftbench.cli.main import main; sys.argv = ['bench', 'recipes']; main()"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert (process.wait(60), process.stderr.read()) == (141, b"")


def test_a_run_that_is_whole_is_still_verified(bench: Bench) -> None:
    done = bench("compare", "untuned", "good")
    assert (done.code, Run(RUNS / "good").changed) == (0, [])
    assert re.match(
        r"✓ Proven: ready to ship on this evidence.* every check \(\d+\) passes", " ".join(done.out.split())
    )
