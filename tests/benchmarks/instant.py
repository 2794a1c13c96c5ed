"""A backend that answers at once, as a plugin: what is measured with it is everything around a model."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from liftbench.extension.registry import Registry
from liftbench.plugin_api import Generation, Prompt, hookimpl

from ..support.stand_in import StandIn

WORDS = 26


class Instant(StandIn):
    """Repeats the last words of the prompt."""

    context_length = 0
    independent = True
    most_rows = 64

    def generate(self, prompts: Sequence[Prompt], max_new_tokens: int) -> list[Generation]:
        del max_new_tokens
        return [Generation(text=end_of(prompt.text), new_tokens=WORDS, finish_reason="stop") for prompt in prompts]


def end_of(text: str) -> str:
    return f"Customer says {' '.join(text.split()[-WORDS:])}."


class InstantPlugin:
    @hookimpl
    def bench_register(self, registry: Registry) -> None:
        registry.backend("instant", target=f"{__name__}:Instant")


plugin = InstantPlugin()


def install(folder: Path) -> dict[str, str]:
    """Make the plugin known to `bench` as an installed package is; returns the environment for it."""
    place = folder / "liftbench_instant-1.dist-info"
    place.mkdir(parents=True, exist_ok=True)
    (place / "METADATA").write_text("Metadata-Version: 2.1\nName: liftbench-instant\nVersion: 1\n")
    (place / "entry_points.txt").write_text(f"[liftbench]\ninstant = {__name__}:plugin\n")
    root = Path(__file__).parents[2]
    paths = [str(folder), str(root), str(root / "suite"), str(root / "plugins")]
    return {"PYTHONPATH": os.pathsep.join(paths)}
