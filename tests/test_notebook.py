"""`reports/walkthrough.ipynb`: it runs from its first to its last cell, and what is committed is its own output."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
import pytest

import liftbench

ROOT = Path(__file__).resolve().parents[1]

STEPS = ["GPU", "Configuration", "data", "LoRA", "Training", "Evaluating", "Summarizing", "Generated"]
"""A word of each step's heading, in the order of the classic notebook."""


@pytest.fixture(scope="module")
def notebooks() -> Iterator[ModuleType]:
    """The script that runs notebooks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "docs"))
        yield importlib.import_module("notebook")


@pytest.fixture
def committed(notebooks: ModuleType) -> Any:
    return nbformat.read(notebooks.NOTEBOOK, as_version=4)


def text_of(output: Any) -> str:
    """An output as plain text."""
    return str(output.text if output.output_type == "stream" else output.data["text/plain"])


def test_every_cell_runs(
    notebooks: ModuleType, committed: Any, tiny_chat_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIFTBENCH_NOTEBOOK_BUDGET", "tiny")
    monkeypatch.setenv("LIFTBENCH_MODEL", str(tiny_chat_model))
    monkeypatch.setenv("LIFTBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    for cell in committed.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    done = notebooks.run(committed, tmp_path)
    shown = [text_of(output) for cell in done.cells for output in cell.get("outputs", [])]
    baseline, adapter = sorted((tmp_path / "runs").glob("2*-*"), key=lambda path: "qlora" not in path.name)[::-1]
    assert liftbench.load_run(adapter).manifest.status == liftbench.load_run(baseline).manifest.status == "complete"
    assert len(liftbench.load_run(baseline).conversations) == 4
    assert (tmp_path / "walkthrough.html").stat().st_size > 10_000
    assert (tmp_path / "adapter" / "README.md").is_file()
    assert any("human: " in text for text in shown), "the last cell has a plain alternative"
    # The recipe's values name the model's folder, which has no alias as the default model has.
    assert [trace for trace in notebooks.traces(done) if not trace.startswith(str(tiny_chat_model))] == []


def test_the_eight_steps_are_those_of_the_classic_notebook(committed: Any) -> None:
    headings = [cell.source.splitlines()[0] for cell in committed.cells if cell.source.startswith("## ")]
    for number, (word, heading) in enumerate(zip(STEPS, headings, strict=False), start=1):
        assert heading.startswith(f"## {number}. ")
        assert word in heading


def test_the_output_is_that_of_the_cells(notebooks: ModuleType, committed: Any) -> None:
    assert committed.metadata["liftbench"]["source_sha256"] == notebooks.source_sha256(committed), "run `make notebook`"
    cells = [cell for cell in committed.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == [*range(1, len(cells) + 1)]
    assert all(cell.outputs for cell in cells)
    kinds = {output.output_type for cell in cells for output in cell.outputs}
    assert kinds == {"stream", "execute_result"}
    assert {output.name for cell in cells for output in cell.outputs if output.output_type == "stream"} == {"stdout"}


def test_the_output_tells_nothing_of_a_machine_or_a_day(notebooks: ModuleType, committed: Any) -> None:
    assert notebooks.traces(committed) == []
    assert set(committed.metadata) == {"kernelspec", "language_info", "liftbench"}
    assert all(cell.metadata == {} for cell in committed.cells)


@pytest.mark.parametrize("trace", ["/home/ada/runs", "20261130T163224Z-smollm2", "made on 2026-11-30"])
def test_a_trace_of_a_machine_or_a_day_is_found(notebooks: ModuleType, committed: Any, trace: str) -> None:
    cell = next(cell for cell in committed.cells if cell.cell_type == "code")
    cell.outputs = [nbformat.v4.new_output("stream", text=f"run {trace}\n")]
    assert len(notebooks.traces(committed)) == 1


def test_the_notebook_uses_public_names_alone(notebooks: ModuleType, committed: Any) -> None:
    source = "\n".join(notebooks.code(committed))
    assert {line for line in source.splitlines() if line.startswith(("import ", "from "))} == {
        "import liftbench",
        "import os",
    }


def test_progress_is_kept_as_it_was_last_shown(notebooks: ModuleType) -> None:
    cell = nbformat.v4.new_code_cell("1")
    cell.outputs = [nbformat.v4.new_output("stream", text="\r0 of 2\r1 of 2  \r2 of 2  \nnext\n")]
    done = notebooks.tidy(nbformat.v4.new_notebook(cells=[cell]))
    assert done.cells[0].outputs[0].text == "2 of 2\nnext\n"
