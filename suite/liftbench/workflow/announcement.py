"""What a training will be and what it will cost, said before it begins; the estimate itself costs nothing."""

from __future__ import annotations

from ..recipe.measured import MACHINE, measured_cost
from ..records.system import System
from ..text.phrases import pluralize, rough_duration
from ..training.adapter import TrainingPlan
from ..training.pace import count_characters, expect_pace
from ..training.trainer import TrainingSize
from .setup import Setup


def describe_training(setup: Setup, plan: TrainingPlan, system: System, trainings: int = 1) -> str:
    """Two lines: trainer, model, data and steps; then time and memory, and how they are known.

    `trainings` is the number of trainings like this one that follow each other, this one included.
    """
    size = plan.trainer.size(plan.options, len(plan.split.train))
    return f"{_subject(setup, plan, system, size)}\n{_cost(setup, plan, system, size, trainings)}"


def _subject(setup: Setup, plan: TrainingPlan, system: System, size: TrainingSize | None) -> str:
    assert system.model is not None
    data = setup.recipe.data
    parts = [
        f"{system.model.reference} in {system.precision}",
        f"{pluralize(len(plan.split.train), 'conversation')} of {data.dataset} {data.train_split}",
        f"{len(plan.split.validation):,} more to choose the checkpoint",
    ]
    if size is not None:
        parts.append(pluralize(size.steps, "step"))
    return f"training with {plan.spec.name}{_choice(setup)}: {', '.join(parts)}"


def _choice(setup: Setup) -> str:
    """Who chose the trainer, where it was not the user."""
    origin = setup.resolved.origins["train.plugin"]
    if not origin.startswith(("recipe ", "default")):
        return ""
    by = "the default" if origin == "default" else f"the trainer of the {origin}"
    return f" ({by}; --plugin takes another)"


def _cost(setup: Setup, plan: TrainingPlan, system: System, size: TrainingSize | None, trainings: int) -> str:
    assert system.model is not None
    noted = None
    if size is not None and setup.launch is None:
        characters = count_characters(plan.split.train, size.conversations)
        noted = expect_pace(plan.spec.name, system.model.sha256, characters)
    if noted is not None:
        memory = f" and {noted.peak_memory_bytes / 1e9:.1f} GB of memory" if noted.peak_memory_bytes else ""
        where = "" if noted.device == "cpu" else f" of the {noted.device}"
        return f"it takes {_times(noted.seconds, trainings)}{memory}{where}, as fast as the last training like it here"
    known = measured_cost(setup.resolved) if setup.launch is None else None
    if known is not None:
        taken = f"{_times(60 * known.training_minutes, trainings)} and {known.gigabytes:.1f} GB of memory"
        return f"it takes {taken} on {MACHINE}; the time on this machine is told after the first steps"
    return "how long it takes is told after the first steps; --dry-run predicts time and memory"


def _times(seconds: float, trainings: int) -> str:
    if trainings == 1:
        return rough_duration(seconds)
    total = rough_duration(seconds * trainings)
    return f"{rough_duration(seconds)} for each of {trainings} trainings, {total} in all,"
