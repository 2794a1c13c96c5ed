"""Runs each side of a comparison as a process of its own, rivals in an interpreter without liftbench."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).resolve().parents[3]


def interpreter_without_liftbench(folder: Path) -> Path:
    """A virtual environment with the packages that are installed here, by their folder.

    Its `.pth` file is not read for the `.pth` files in that folder, which is how liftbench itself is installed.
    """
    venv.create(folder, symlinks=True)
    [site] = folder.glob("lib/python*/site-packages")
    installed = Path(msgspec.__file__).resolve().parents[1]
    (site / "installed.pth").write_text(f"{installed}\n")
    return folder / "bin" / "python"


def run_side(
    python: str | Path, side: str, arguments: Sequence[str], report: Path, *, threads: int, own: bool = False
) -> Any:
    """Run `main` of a module of this package with arguments, and return the JSON that it wrote as its report.

    Only a side of our `own` can import liftbench.
    """
    report.unlink(missing_ok=True)
    paths = [str(ROOT), *([str(ROOT / "suite"), str(ROOT / "plugins")] if own else [])]
    code = f"import sys; sys.path[:0] = {paths!r}; from tests.benchmarks.rivals.{side} import main; main()"
    variables = os.environ | {"OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1"}
    variables |= {"TRL_EXPERIMENTAL_SILENCE": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [str(python), "-I", "-c", code, *arguments],
        env=variables,
        cwd=report.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode or not report.is_file():
        sys.exit(f"{side} ended with code {done.returncode}:\n{done.stdout[-3000:]}")
    return json.loads(report.read_text())
