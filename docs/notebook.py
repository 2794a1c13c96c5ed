"""Runs `reports/walkthrough.ipynb` in an empty folder and writes its output into it: `make notebook`.

What only one machine or one day knows (paths, host names, times) stays out; `tests/test_notebook.py` checks that.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).resolve().parents[1] / "reports" / "walkthrough.ipynb"

LIMIT_S = 3600
"""The most seconds that a cell may take."""

QUIET = {"PYTHONWARNINGS": "ignore:IProgress not found"}
"""Bars as widgets need ipywidgets, and are no output to keep."""

METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def run(notebook: Any, folder: Path) -> Any:
    """The notebook with the output of its cells, run in `folder`. Raises `CellExecutionError` where a cell fails."""
    client = NotebookClient(
        notebook,
        timeout=LIMIT_S,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
        coalesce_streams=True,
    )
    return tidy(client.execute(env=os.environ | QUIET))


def tidy(notebook: Any) -> Any:
    """The same notebook without metadata of the session, and with each line of progress as it was last shown."""
    notebook.metadata = METADATA | {"liftbench": {"source_sha256": source_sha256(notebook)}}
    for cell in notebook.cells:
        cell.metadata = {}
        for output in cell.get("outputs", []):
            if output.output_type == "stream":
                output.text = re.sub(r"[^\r\n]*\r(?!\n)| +$", "", output.text, flags=re.MULTILINE)
    return notebook


def source_sha256(notebook: Any) -> str:
    """Hash of what the code cells run: the output belongs to it."""
    return hashlib.sha256("\n".join(code(notebook)).encode()).hexdigest()


def code(notebook: Any) -> list[str]:
    """The sources of the code cells."""
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def traces(notebook: Any) -> list[str]:
    """What the output tells of the machine, of its user or of the time that it was made at."""
    host = re.escape(platform.node()) or r"(?!)"
    found = re.compile(
        rf"(?:/(?:home|root|tmp|work|usr|var|opt|mnt)|~)/\S+|\b{host}\b|\b\d{{8}}T\d{{6}}Z|\b20\d\d-\d\d-\d\d\b"
    )
    texts = [nbformat.v4.writes(nbformat.v4.new_notebook(cells=[cell])) for cell in outputs_alone(notebook)]
    return [match[0] for text in texts for match in found.finditer(text)]


def outputs_alone(notebook: Any) -> list[Any]:
    """The code cells with their output and without their source."""
    return [
        nbformat.v4.new_code_cell(id="output", outputs=cell.outputs)
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def main() -> None:
    """Run the notebook and write it back."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        done = run(notebook, Path(folder))
    if found := traces(done):
        sys.exit(f"not written: the output tells of this machine: {', '.join(found)}")
    nbformat.write(done, NOTEBOOK)


if __name__ == "__main__":
    main()
