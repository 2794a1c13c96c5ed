"""What the shipped recipes took on one machine: the one place that the README, `--help` and commands quote."""

from __future__ import annotations

from typing import NamedTuple

from .resolve import ResolvedRecipe

MACHINE = "two CPU cores (AMD EPYC)"
"""The machine of all figures; time in which it stood still is left out."""


class MeasuredCost(NamedTuple):
    """What a recipe took with `bench train --plugin qlora`, and with all steps of `bench demo`."""

    training_minutes: int
    gigabytes: float
    """The largest resident set, in decimal gigabytes."""
    demo_minutes: int | None = None
    """Baseline, training, both scores and the verdict; None for a recipe that the demo does not run."""


MEASURED = {
    "helpdesk": MeasuredCost(training_minutes=11, gigabytes=4.0, demo_minutes=15),
    "smollm2-135m": MeasuredCost(training_minutes=70, gigabytes=4.6),
}
"""Recipe → its figures; the trainings are those of `baselines/README.md`."""

DEMO = f"about {MEASURED['helpdesk'].demo_minutes} minutes and {MEASURED['helpdesk'].gigabytes:.0f} GB on {MACHINE}"
"""What the demo takes."""

TRAININGS = (
    ", ".join(
        f"{name} about {cost.training_minutes} minutes and {cost.gigabytes:.1f} GB" for name, cost in MEASURED.items()
    )
    + f", on {MACHINE}"
)
"""What the trainings of recipes take."""

DECISIVE = ("model.", "data.", "generation.max_input_tokens", "train.", "seed")
"""The keys that a training's cost depends on; where the data lie (`data.data_dir`) is none of them."""


def measured_cost(resolved: ResolvedRecipe) -> MeasuredCost | None:
    """The figures of a recipe; None where there are none, or a value that they depend on is not the recipe's own."""
    own = {f"recipe {resolved.name}", "default"}
    changed = any(
        origin not in own and key.startswith(DECISIVE) and key not in ("data.data_dir", "data.limit", "seed")
        for key, origin in resolved.origins.items()
        # The same trainer, named again.
        if not (key == "train.plugin" and resolved.recipe.train.plugin == "qlora")
    )
    return None if changed else MEASURED.get(resolved.name)
