"""A measurement with a slow stand-in for a model, in a process that can be killed: `python -m tests.support.killable
DATA RUNS LOG`. Each batch that it generates is a line of LOG.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from liftbench.extension.loader import load_plugins
from liftbench.extension.registry import Registry
from liftbench.files import append_lines
from liftbench.measuring.harness import measure, new_manifest
from liftbench.measuring.plan import prepare
from liftbench.measuring.systems import Loadable
from liftbench.plugin_api import Generation, Prompt, hookimpl
from liftbench.progress import no_progress
from liftbench.prompts.spec import prompt_spec
from liftbench.records.system import ModelRecord, System
from liftbench.runs.open_run import open_run
from liftbench.workflow.measure import scored
from liftbench.workflow.setup import resolve_recipe

from .stand_in import StandIn

SECONDS = 0.02
"""What a batch takes."""


class SlowBackend(StandIn):
    """Repeats a line of the conversation; the text says with how many others it was made."""

    log: ClassVar[Path]

    def generate(self, prompts: Sequence[Prompt], max_new_tokens: int) -> list[Generation]:
        del max_new_tokens
        lines = [prompt.text.splitlines()[2] for prompt in prompts]
        append_lines(self.log, [lines])
        time.sleep(SECONDS)
        texts = [f"{line} in a batch of {len(lines)}" for line in lines]
        return [Generation(text=text, new_tokens=3, finish_reason="stop") for text in texts]


class Plugin:
    """Registers it."""

    @hookimpl
    def bench_register(self, registry: Registry) -> None:
        registry.backend("slow", target=f"{__name__}:SlowBackend")


def main(data: Path, runs: Path, log: Path) -> None:
    """Measure the validation split of a folder."""
    SlowBackend.log = log
    plugins = load_plugins()
    plugins.add(Plugin(), "slow")
    settings = ["model.backend=slow", "generation.batch_size=3", 'metrics.headlines=["rougeL"]']
    resolved = resolve_recipe(None, {"dataset": str(data)}, [], settings)
    system = System(
        kind="model",
        name="slow",
        model=ModelRecord(reference="slow", sha256="0" * 64, source="test"),
        precision="float32",
        backend="slow",
        prompt=prompt_spec("Summarize.\n\n{conversation}", "", "plain"),
    )
    measurement = prepare(resolved, plugins)
    manifest = new_manifest("baseline", system, measurement, resolved, argv=["bench"])
    with open_run(manifest, scored(measurement), runs, fresh=False) as run:
        measure(run, measurement, Loadable(system=system, model=Path()), plugins, no_progress)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
    print(json.dumps("done"))
