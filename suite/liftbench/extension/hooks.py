"""The hooks that a plugin may implement (pluggy, project name `liftbench`, entry-point group `liftbench`).

```python
import liftbench.plugin_api as api

@api.hookimpl
def bench_register(registry):
    registry.trainer("mine", target="my_package.trainer:MyTrainer", options="my_package.trainer:MyOptions")
```
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pluggy

from ..records.run import Manifest
from .registry import PROJECT, Registry

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def bench_register(registry: Registry) -> None:
    """Register plugins: `registry.trainer("mine", target="mine.trainer:Mine", options="mine.trainer:Options")`."""


@hookspec
def bench_run_started(manifest: Manifest, folder: Path) -> None:
    """Called when a run begins or resumes: `log.info(manifest.id)`."""


@hookspec
def bench_run_finished(manifest: Manifest, folder: Path) -> None:
    """Called when a run is complete: `upload(folder / "summary.json")`."""


@hookspec
def bench_report_sections(comparison: Any) -> Iterable[tuple[str, str]]:
    """Add sections to the report, each a title and plain text: `yield "Costs", "3.20 EUR of GPU time"`.

    `comparison` is a `plugin_api.Comparison`.
    """
    return ()
